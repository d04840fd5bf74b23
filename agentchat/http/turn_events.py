"""The events of one turn, read while it runs."""

from __future__ import annotations

from agentchat.protocol.errors import ChatError
from agentchat.protocol.events import Event
from agentchat.sessions.log import Log


class TurnEvents:
    """The events of the turn that answers a message, from the message to `turn_completed`."""

    def __init__(self, log: Log, message: Event) -> None:
        self.events: list[Event] = []
        """The events read so far."""
        self._log = log
        self._turn = message.turn
        self._seq = message.seq - 1

    def read(self) -> list[Event]:
        """Return the events since the last call. Raises ChatError if there are none because the session was deleted."""
        known = len(self.events)
        while not self.has_ended and self._seq < self._log.view.last_seq:
            page = self._log.read(self._seq)
            if not page:
                break  # deleted meanwhile
            for event, _ in page:
                if event.turn == self._turn and not self.has_ended:
                    self.events.append(event)
            self._seq = page[-1][0].seq
        new = self.events[known:]
        if not new and self._log.is_deleted:
            raise ChatError("session_deleted")
        return new

    @property
    def end(self) -> Event | None:
        """The `turn_completed`, once there is one. Nothing behind it is read, such as a rewind of the turn."""
        return self.events[-1] if self.events and self.events[-1].type == "turn_completed" else None

    @property
    def has_ended(self) -> bool:
        return self.end is not None

    @property
    def notice(self) -> str | None:
        """The sentence for people about the last answer, or about there being none."""
        for event in reversed(self.events):
            notice: str | None = event.content.get("notice")
            if event.is_answer or (event.type == "turn_completed" and notice is not None):
                return notice
        return None

    @property
    def open_questions(self) -> list[Event]:
        """The questions that have not been answered."""
        answered = {event.content["request_id"] for event in self.events if event.type == "input_response"}
        asked = [event for event in self.events if event.type == "input_request"]
        return [event for event in asked if event.content["request_id"] not in answered]
