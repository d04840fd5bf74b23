"""What the offline demo model says and does: a handful of rules, so that every agent can be shown without a key.

They go by what tools and their parameters are called, not by who the agents are.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from typing import Any
from uuid import uuid4

from agentchat.models.demo.arguments import FILE, arguments, path, title
from agentchat.models.demo.reading import Message, Situation, Tool, read, words

MOST_CALLS = 8  # in one turn

# What a wish may say, and the words in the name of a tool that does it.
DEEDS = [
    (
        ("write", "draft", "compose", "create", "make", "build", "revise", "rewrite", "improve", "shorten"),
        ("write", "create"),
    ),
    (("read", "open", "show", "analyse", "summarise"), ("read", "open", "get")),
    (("list",), ("list",)),
    (("search", "find"), ("search", "find")),
    (("compare",), ("compare", "diff")),
    (("done", "finished", "completed", "complete"), ("complete", "finish")),
    (("run", "execute"), ("run", "execute")),
]
REVISE = re.compile(r"\b(revise|rewrite|improve|shorten|change|translate|extend)\b", re.IGNORECASE)
PLAN = re.compile(r"\b(plan|organi[sz]e|prepare|break down)\b", re.IGNORECASE)
HUMAN = re.compile(r"\bhuman\b|\b(talk|speak) (to|with) (a|an|some)", re.IGNORECASE)
REMEMBER = re.compile(r"\bremember (that )?(i|my|me|to)\b|\bcall me\b|\bmy name is\b", re.IGNORECASE)
EARLIER = re.compile(r"\b(remember|earlier|before|first|so far)\b", re.IGNORECASE)
QUESTION = re.compile(r"^(what|which|who|where|when|why|how)\b|\?\s*$", re.IGNORECASE)
SPEAKERS = re.compile(r"select the next role from \[([^\]]*)\]")
STEPS = [  # of any plan: what to do, and which of them come before
    ("Decide what is needed: {goal}", []),
    ("Choose a date and a budget", [0]),
    ("Get what is missing", [0]),
    ("Do it: {goal}", [1, 2]),
]


def answer(messages: list[Message], tools: list[Tool]) -> tuple[str, dict[str, Any] | None]:
    """What to say, or which tool to call."""
    if speaker := _next_speaker(messages):
        return speaker, None
    now = read(messages, tools)
    next_call = _next_call(now) if len(now.calls) < MOST_CALLS else None
    if next_call is not None:
        name, given = next_call
        function = {"name": name, "arguments": json.dumps(given, ensure_ascii=False)}
        return "", {"id": f"call_{uuid4().hex[:12]}", "type": "function", "function": function}
    return _words(now), None


def _next_speaker(messages: list[Message]) -> str | None:
    """When a group asks who speaks next: whoever comes after the last one."""
    for message in messages[:1] + messages[-1:]:
        if found := SPEAKERS.search(str(message.get("content"))):
            names = [name.strip(" '\"") for name in found[1].split(",")]
            spoken = [message["name"] for message in messages if message.get("name") in names]
            return names[(names.index(spoken[-1]) + 1) % len(names)] if spoken else names[0]
    return None


# What to do


def _next_call(now: Situation) -> tuple[str, dict[str, Any]] | None:
    done = [call for call in now.calls if not _is_handing(call.name)]
    if (create := _named(now.tools, "create", "task")) and PLAN.search(now.wish):
        return _next_task(now, create)
    if done:
        return _revision(now)
    if now.has_spoken:
        return None
    tool = _fitting_tool(now)
    if tool is None:
        return None
    return tool["name"], _handing_to(now, tool) if _is_handing(tool["name"]) else arguments(now.wish, tool)


def _next_task(now: Situation, tool: Tool) -> tuple[str, dict[str, Any]] | None:
    made = [call for call in now.calls if call.name == tool["name"]]
    if len(made) == len(STEPS):
        return None
    text, before = STEPS[len(made)]
    ids = [int(number[0]) for call in made if (number := re.search(r"\d+", call.result))]
    given: dict[str, Any] = {"title": text.format(goal=title(now.wish))}
    if "depends_on" in tool["parameters"]["properties"] and len(ids) == len(made) and before:
        given["depends_on"] = [ids[place] for place in before]
    return tool["name"], given


def _revision(now: Situation) -> tuple[str, dict[str, Any]] | None:
    """Once a file that is to be revised was read, it is written."""
    last, write = now.calls[-1], _named(now.tools, "write")
    if write is None or "read" not in words(last.name) or not _wants_revision(now):
        return None
    given = arguments(now.wish, write)
    if "content" not in given or last.result.startswith("Error"):
        return None
    how = now.wish.partition(":")[2].strip(" .") or now.wish
    return write["name"], given | {
        "content": f"{last.result.rstrip()}\n\n(Revised by the offline demo model: {how}.)\n"
    }


def _wants_revision(now: Situation) -> bool:
    return bool(REVISE.search(now.wish) and FILE.search(now.wish))


def _fitting_tool(now: Situation) -> Tool | None:
    own = [tool for tool in now.tools if not _is_handing(tool["name"]) and "remember" not in words(tool["name"])]
    if REMEMBER.search(now.wish) and not QUESTION.search(now.wish) and (remember := _named(now.tools, "remember")):
        return remember
    if HUMAN.search(now.wish) and (human := _named(now.tools, "human")):
        return human
    if _wants_revision(now) and (reading := _named(own, "read")):
        return reading
    if (deed := _deed(now.wish)) is not None:
        fitting = [tool for tool in own if words(tool["name"]) & set(deed)]
        if fitting or _wants_plan(now):
            return _best(now.wish, fitting) or next(iter(fitting), None)
    return _best(now.wish, own) or _hand_over(now) or _search(now, own)


def _deed(wish: str) -> Sequence[str] | None:
    """The words for the first thing that the wish says to do."""
    if QUESTION.search(wish):
        return None
    for word in re.findall(r"[a-z]+", wish.lower()):
        for said, named in DEEDS:
            if word in said:
                return named
    return None


def _best(wish: str, tools: Sequence[Tool]) -> Tool | None:
    """The tool that has most words in common with what was asked, if any has."""
    asked = words(wish)
    best = max(tools, key=lambda tool: len(asked & _tool_words(tool)), default=None)
    return best if best and asked & _tool_words(best) else None


def _search(now: Situation, tools: Sequence[Tool]) -> Tool | None:
    """Who can look something up does so for every question."""
    if not QUESTION.search(now.wish):
        return None
    return next(
        (tool for tool in tools if {"query", "question"} & {*tool.get("parameters", {}).get("required", ())}), None
    )


def _tool_words(tool: Tool) -> set[str]:
    return words(tool["name"] + " " + tool.get("description", ""))


def _named(tools: Sequence[Tool], *parts: str) -> Tool | None:
    return next((tool for tool in tools if set(parts) <= words(tool["name"])), None)


# Handing over


def _is_handing(name: str) -> bool:
    """To another agent; who asks for a human is done."""
    return bool(words(name) & {"hand", "handoff", "transfer"}) and "human" not in words(name)


def _hand_over(now: Situation) -> Tool | None:
    """The tool that hands over to whoever the wish is for; not twice for the same wish."""
    for tool in now.tools:
        if _is_handing(tool["name"]) and not now.calls:
            to = next(iter(_choices(tool).values()), [tool["name"]])
            if any(_concerns(now, who) for who in to):
                return tool
    return None


def _handing_to(now: Situation, tool: Tool) -> dict[str, Any]:
    to = {name: [who for who in choices if _concerns(now, who)] for name, choices in _choices(tool).items()}
    return arguments(now.wish, tool) | {name: found[0] for name, found in to.items() if found}


def _choices(tool: Tool) -> dict[str, list[str]]:
    properties = tool.get("parameters", {}).get("properties", {})
    return {name: schema["enum"] for name, schema in properties.items() if "enum" in schema}


def _concerns(now: Situation, who: str) -> bool:
    """By their name, or by what stands in brackets behind it in the agent's instructions."""
    described = re.search(rf"{re.escape(who)}\W*\(([^)]*)\)", now.system)
    wanted = words(now.wish) | ({"remember"} if REMEMBER.search(now.wish) else set())
    return bool(words(f"{who} {described[1] if described else ''}") & wanted)


# What to say


def _words(now: Situation) -> str:
    if _wants_plan(now) and not now.has_spoken and not now.calls:
        return f"The plan: write `{path(now.wish)}`, small and without further files. Then look whether it is there."
    said = _said(now)
    return f"{said} TERMINATE" if "TERMINATE" in now.system else said


def _said(now: Situation) -> str:
    if now.calls and "human" in words(now.calls[-1].name):
        return "I have asked for a human, who will answer here."
    done = [call for call in now.calls if not _is_handing(call.name)]
    if (made := [call for call in done if "create" in words(call.name)]) and PLAN.search(now.wish):
        first = made[0].arguments.get("title", "the first")
        return (
            f"I am the offline demo model, so this is the plan for anything: {len(made)} tasks. Begin with “{first}”."
        )
    if now.has_spoken and now.heard:
        return f"That is all. {now.heard}"
    if done and "did not allow" in done[-1].result:
        return "You said no, so I have not done it."
    if done:
        return done[-1].result or "The tool had nothing to say."
    if EARLIER.search(now.wish):
        return _recollection(now)
    return _introduction(now)


def _wants_plan(now: Situation) -> bool:
    """Somebody is to write, and it is another of the team."""
    can_write = _named(now.tools, "write") or _named(now.tools, "create")
    return bool("team" in words(now.system) and not can_write and _deed(now.wish) == DEEDS[0][1])


def _recollection(now: Situation) -> str:
    if not now.asked:
        return "This is the first thing you have written to me."
    return "In this conversation you have written:\n\n" + "\n".join(f"- {text}" for text in now.asked)


def _introduction(now: Situation) -> str:
    hello = (
        "I am the offline demo model: a few rules that stand in for a language model, so that you can see this page "
        "work without a key. "
    )
    if not now.tools:
        return hello + "I cannot say anything clever, but I do remember what you write: ask me what you wrote before."
    names = " and ".join(f"`{tool['name']}`" for tool in now.tools)
    return hello + f"I can use this agent's tools ({names}): ask for something that one of them does."
