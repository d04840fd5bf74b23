"""Operators in a session: they take it over from the agents, answer in their place, and hand it back."""

from __future__ import annotations

from collections.abc import Callable
from uuid import uuid4

from agentchat.ag2.history import handed_back, heard
from agentchat.protocol import handover
from agentchat.protocol.errors import ChatError
from agentchat.protocol.events import Event, clean
from agentchat.protocol.identity import UNNAMED
from agentchat.protocol.validation import check_id, check_length, check_text
from agentchat.sessions.log import Log
from agentchat.sessions.turn_runner import TurnRunner


class Takeover:
    """The operators' side of a session. All methods raise ChatError."""

    def __init__(self, agent: str, log: Log, turns: TurnRunner, check_alive: Callable[[], None]) -> None:
        self._agent = agent
        self._log = log
        self._turns = turns
        self._check_alive = check_alive

    def close(self) -> None:
        """Let go of the session, which nobody uses any more."""
        del self._check_alive

    def take(self, name: str) -> Event:
        """Give the session to an operator, and stop the running turn. Returns the event.

        No agent speaks until the session is handed back.
        """
        with self._turns.hold():
            self._check_alive()
            held = self._log.held
            if held is not None and held.state == handover.TAKEN:
                raise ChatError("taken", name=held.operator)
            self._turns.stop()
            giver = handover.HUMAN if held is not None else self._agent
            [event] = self._log.append([handover.handoff_draft("taken", giver, name, "", 0)])
            return event

    def reply(self, text: str, name: str, id: str | None = None) -> Event:
        """Say something in the agents' place, as the operator who has the session. Returns the event.

        A reply whose id is in the log already changes nothing.
        """
        check_text(text)
        check_id(id)
        with self._turns.hold() as now:
            self._check_alive()
            self._check_has_taken(name)
            draft = handover.reply_draft(text, name, UNNAMED, id or uuid4().hex, now.next)
            return self._turns.add_spoken_turn(draft, heard(text, operator=name))

    def hand_back(self, note: str, name: str) -> Event:
        """Let the agents answer again, and tell them the note. Returns the event.

        While no operator has the session yet, any participant may call off the wait.
        """
        check_length(note)
        with self._turns.hold() as now:
            self._check_alive()
            is_taken = self._log.held is not None and self._log.held.state == handover.TAKEN
            if is_taken or self._log.held is None:
                self._check_has_taken(name)
            draft = handover.handoff_draft("returned", name, self._agent, note, now.next)
            return self._turns.add_spoken_turn(draft, handed_back(note, name if is_taken else ""))

    def _check_has_taken(self, name: str) -> None:
        held = self._log.held
        if held is None or held.state != handover.TAKEN:
            raise ChatError("not_held")
        if held.operator != clean(name):
            raise ChatError("taken", name=held.operator)
