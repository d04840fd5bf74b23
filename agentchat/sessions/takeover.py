"""Operators in a session: they take it over from the agents, answer in their place, and hand it back."""

from __future__ import annotations

from collections.abc import Callable
from uuid import uuid4

from agentchat.ag2.history import handed_back, heard
from agentchat.audit import Audit
from agentchat.protocol import handover
from agentchat.protocol.commands import Command, digest, reply_digest
from agentchat.protocol.errors import ChatError
from agentchat.protocol.events import Event, clean
from agentchat.protocol.identity import UNNAMED, Caller
from agentchat.protocol.validation import check_length, check_text
from agentchat.sessions.log import Log
from agentchat.sessions.turn_runner import TurnRunner


class Takeover:
    """The operators' side of a session. All methods raise ChatError.

    An operator who has not logged in is known by name. The same `id` counts once: whatever is done again with it
    returns the event of the first time.
    """

    def __init__(self, agent: str, log: Log, turns: TurnRunner, check_alive: Callable[[], None], audit: Audit) -> None:
        self._agent = agent
        self._log = log
        self._turns = turns
        self._check_alive = check_alive
        self._audit = audit

    def close(self) -> None:
        """Let go of the session, which nobody uses any more."""
        del self._check_alive

    def take(self, caller: Caller, id: str | None = None) -> Event:
        """Give the session to an operator, and stop the running turn. Returns the event.

        No agent speaks until the session is handed back.
        """
        name, user = caller.name, caller.user
        with self._turns.hold():
            self._check_alive()

            def take(command: Command | None) -> Event:
                held = self._log.held
                if held is not None and held.state == handover.TAKEN:
                    raise ChatError("taken", name=held.operator)
                giver = handover.HUMAN if held is not None else self._agent
                [event] = self._log.append([handover.handoff_draft("taken", giver, name, "", 0, user)], command=command)
                self._audit.write("session_taken", caller.who, caller.address, session=self._log.id)
                self._turns.stop()
                return event

            return self._log.once(id, digest("take", operator=name), take, caller.user)

    def reply(self, text: str, caller: Caller, id: str | None = None) -> Event:
        """Say something in the agents' place, as the operator who has the session. Returns the event."""
        check_text(text)
        name = caller.name
        with self._turns.hold() as now:
            self._check_alive()

            def reply(command: Command | None) -> Event:
                self._check_has_taken(caller)
                draft = handover.reply_draft(text, name, UNNAMED, id or uuid4().hex, now.next)
                return self._turns.add_spoken_turn(draft, heard(text, operator=name), command)

            return self._log.once(id, reply_digest(clean(text), clean(name)), reply, caller.user)

    def hand_back(self, note: str, caller: Caller, id: str | None = None) -> Event:
        """Let the agents answer again, and tell them the note. Returns the event.

        While no operator has the session yet, any participant may call off the wait.
        """
        check_length(note)
        name = caller.name
        with self._turns.hold() as now:
            self._check_alive()

            def hand_back(command: Command | None) -> Event:
                is_taken = self._log.held is not None and self._log.held.state == handover.TAKEN
                if is_taken or self._log.held is None:
                    self._check_has_taken(caller)
                draft = handover.handoff_draft("returned", name, self._agent, note, now.next, caller.user)
                event = self._turns.add_spoken_turn(draft, handed_back(note, name if is_taken else ""), command)
                self._audit.write(
                    "session_handed_back", caller.who, caller.address, session=self._log.id, was_taken=is_taken
                )
                return event

            return self._log.once(id, digest("hand_back", note=note, operator=name), hand_back, caller.user)

    def _check_has_taken(self, caller: Caller) -> None:
        held = self._log.held
        if held is None or held.state != handover.TAKEN:
            raise ChatError("not_held")
        # Perhaps somebody took it while nobody had to log in, or nobody has to now.
        is_known = held.user and caller.user
        if held.user != caller.user if is_known else not caller.user and held.operator != clean(caller.name):
            raise ChatError("taken", name=held.operator)
