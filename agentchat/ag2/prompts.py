"""AG2's own console prompts, in plain words and with buttons."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

_SKIP = re.compile(
    r"(?:Replying as .+?\. Provide|Please give) feedback to (.+?)\. Press enter to skip and use auto-reply"
)
_STOP = re.compile(r"Please give feedback to (.+?)\. Press enter or type 'exit' to stop")
_NUMBER = "Enter the number of the next speaker"


def in_words(prompt: str, answered: Mapping[str, Any], candidates: Sequence[str]) -> tuple[str, dict[str, str]]:
    """Return a prompt in plain words, and the known answers to it with their meanings.

    `answered` is the message that the asking agent replies to; `candidates` are the agents that could speak next,
    in AG2's order, with "" for those that people don't choose. Other prompts than AG2's stay as they are, without known
    answers.
    """
    if match := _SKIP.match(prompt):
        tools = [str((call.get("function") or {}).get("name")) for call in answered.get("tool_calls") or ()]
        wish = f"{match[1]} wants to use {', '.join(tools)}." if tools else f"{match[1]} waits for you."
        return f"{wish} Let it go on, end here, or write something.", {"": "Continue", "exit": "End"}
    if match := _STOP.match(prompt):
        return f"{match[1]} has finished. End here, or write something.", {"exit": "End"}
    if prompt.startswith(_NUMBER):
        known = {str(number): name for number, name in enumerate(candidates, 1) if name}
        return prompt, {**known, "": "Let the agents choose"}
    return prompt, {}
