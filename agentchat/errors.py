"""Everything that can go wrong, as one table, and the exceptions that carry a row of it.

ChatError                a row of ERRORS: something a person or a client can act on
├── StoreError           the log could not be written or read
└── DuplicateMessage     a message with this id is in the log already
SettingsError            a start-up that cannot go on: one sentence, exit status 2
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from agentchat.events import Event


@dataclass(frozen=True)
class ErrorRow:
    """One kind of error: its HTTP status, the WebSocket close code if it ends the connection, its sentence."""

    status: int
    sentence: str
    close: int | None = None
    retryable: bool = False


ERRORS: dict[str, ErrorRow] = {
    # What a client sent
    "bad_frame": ErrorRow(400, "This frame cannot be used: {problem}."),
    "message_empty": ErrorRow(400, "The message is empty. Write something and send it again."),
    "message_too_long": ErrorRow(413, "The message has {length} characters; the limit is {limit}. Send less."),
    "unsupported": ErrorRow(501, "This server does not handle '{type}' yet."),
    "agent_unknown": ErrorRow(404, "There is no agent '{agent}'. There are: {agents}.", close=1008),
    "origin_refused": ErrorRow(403, "Pages from {origin} may not talk to this server. See AGENTCHAT_ORIGINS."),
    "host_refused": ErrorRow(403, "This server is not known as {host}. See AGENTCHAT_ORIGINS."),
    "not_found": ErrorRow(404, "There is nothing at this address."),
    "method_not_allowed": ErrorRow(405, "This address answers GET only."),
    # The agent
    "agent_unavailable": ErrorRow(503, "The agent '{agent}' cannot start: {reason}"),
    "agent_failed": ErrorRow(500, "The agent failed with {error}. The server's log has the details.", None, True),
    "agent_asked": ErrorRow(
        501,
        "The agent asked a person for input, which this server cannot pass on yet. "
        "Give every agent human_input_mode='NEVER'.",
    ),
    # The model
    "model_auth": ErrorRow(502, "The model server refused the API key. Check the key of {model}."),
    "model_rate_limited": ErrorRow(502, "{model} is rate limited. Wait a moment and try again.", None, True),
    "model_unreachable": ErrorRow(502, "The server of {model} cannot be reached. Is it running?", None, True),
    "model_timeout": ErrorRow(
        504, "{model} did not answer in time. Try again, or raise AGENTCHAT_MODEL_TIMEOUT.", None, True
    ),
    "model_rejected": ErrorRow(502, "The server of {model} rejected the request (HTTP {status}). {hint}"),
    "model_failed": ErrorRow(502, "The server of {model} failed{status}. Try again.", None, True),
    "model_malformed": ErrorRow(502, "{model} sent an answer that makes no sense. Is its base_url right?", None, True),
    "model_calls": ErrorRow(500, "The agents called the model {limit} times for one message, so the turn was ended."),
    # The server
    "store_failed": ErrorRow(503, "The conversation could not be saved. Is the disk full?", None, True),
    "too_many_connections": ErrorRow(503, "The server has too many connections. Try again later.", None, True),
    "closing": ErrorRow(503, "The server is going away. Reconnect in a moment.", close=1001, retryable=True),
    "internal": ErrorRow(500, "Something went wrong in the server; its log says what.", close=1011, retryable=True),
}


class ChatError(Exception):
    """A row of ERRORS with its sentence filled in."""

    def __init__(self, code: str, **details: object) -> None:
        self.code = code
        self.row = ERRORS[code]
        self.message = self.row.sentence.format(**details)
        super().__init__(self.message)


class StoreError(ChatError):
    """The log could not be written or read."""

    def __init__(self) -> None:
        super().__init__("store_failed")


class DuplicateMessage(Exception):
    """A message with this id is in the log already, as `event`."""

    def __init__(self, event: Event) -> None:
        self.event = event
        super().__init__(f"message {event.seq} has this id already")


class SettingsError(Exception):
    """The server cannot start; the sentence says why and what to do."""
