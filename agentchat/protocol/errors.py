"""The table of errors, and the exceptions.

ChatError            a row of ERRORS: something that a person or a client can act on
├── StoreError       the log could not be written or read
└── TooFast          someone has to wait before they try again
DuplicateMessage     a message with this id is in the log already
DuplicateCommand     a command with this id was carried out already
SettingsError        the server cannot start: one sentence, exit status 2
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from agentchat.protocol.commands import Accepted
    from agentchat.protocol.events import Event


@dataclass(frozen=True)
class ErrorRow:
    """One kind of error."""

    status: int
    """The HTTP status."""
    sentence: str
    close: int | None = None
    """The WebSocket close code if the error ends the connection."""
    retryable: bool = False
    """True if trying again may help."""


ERRORS: dict[str, ErrorRow] = {
    # The client's request
    "bad_frame": ErrorRow(400, "This frame cannot be used: {problem}."),
    "bad_query": ErrorRow(400, "This address cannot be used: {problem}.", close=1008),
    "message_empty": ErrorRow(400, "The message is empty. Write something and send it again."),
    "message_too_long": ErrorRow(413, "The message has {length} characters; the limit is {limit}. Send less."),
    "unsupported": ErrorRow(
        501, "There is no command '{type}'. If it is meant as text, send it in a message. There are: {types}."
    ),
    "agent_unknown": ErrorRow(404, "There is no agent '{agent}'. There are: {agents}.", close=1008),
    "origin_refused": ErrorRow(
        403, "Pages from {origin} may not talk to this server. See AGENTCHAT_PUBLIC_URL and AGENTCHAT_ORIGINS."
    ),
    "host_refused": ErrorRow(
        403, "This server is not known as {host}. See AGENTCHAT_PUBLIC_URL and AGENTCHAT_ORIGINS."
    ),
    "read_only": ErrorRow(403, "You may read this conversation, but not take part in it."),
    "login_needed": ErrorRow(401, "Log in, or send a token, to use this server.", close=1008),
    "login_refused": ErrorRow(401, "This login name and password do not belong together."),
    "access_ended": ErrorRow(403, "You can no longer see this: you were logged out, or put out.", close=1008),
    "not_allowed": ErrorRow(403, "You may not do this: {problem}."),
    "request_foreign": ErrorRow(403, "This request does not say that it comes from this server's own page."),
    "session_unknown": ErrorRow(404, "There is no conversation '{id}'."),
    "session_deleted": ErrorRow(410, "This conversation was deleted.", close=1008),
    "nobody_to_invite": ErrorRow(
        409,
        "There is nobody to invite: people do not log in here, and everybody can open every conversation.",
    ),
    "invitation_unknown": ErrorRow(404, "This invitation does not exist, or has ended. Ask for another one."),
    "too_many_invitations": ErrorRow(409, "This conversation has {limit} invitations, the limit. Revoke some first."),
    "member_unknown": ErrorRow(404, "There is no member '{member}' in this conversation."),
    "session_full": ErrorRow(409, "This conversation has reached its limit of {limit} messages. Start a new one."),
    "too_fast": ErrorRow(429, "This is too much at once. Wait {seconds} seconds and try again.", None, True),
    "queue_full": ErrorRow(
        429, "Too much is waiting for the agents: the limit is {limit}. Wait until they have answered some.", None, True
    ),
    "quota_used": ErrorRow(
        429, "You have used up your {quota} for today. Left: {left}. The next day begins at midnight UTC."
    ),
    "too_many_sessions": ErrorRow(429, "No other conversation can begin now: {problem}.", None, True),
    "message_unknown": ErrorRow(409, "Event {seq} is not a message that counts, so it cannot be edited."),
    "answer_unknown": ErrorRow(404, "Event {seq} is not an answer of an agent."),
    "nothing_to_retry": ErrorRow(409, "There is no answer to try again yet."),
    "held": ErrorRow(409, "A human has this conversation. It has to be handed back to the agents first."),
    "not_held": ErrorRow(409, "You have not taken this conversation over. Do that first."),
    "taken": ErrorRow(409, "{name} has this conversation already."),
    "task_unknown": ErrorRow(404, "There is no task {id}. There are: {tasks}."),
    "task_unusable": ErrorRow(400, "The plan cannot be changed like this: {problem}."),
    "note_unusable": ErrorRow(400, "This cannot be remembered: {problem}."),
    "file_unknown": ErrorRow(404, "There is no file '{path}'."),
    "version_unknown": ErrorRow(404, "This version of the file '{path}' is not kept any more, or never was."),
    "file_refused": ErrorRow(400, "The path '{path}' cannot be used: {problem}."),
    "file_too_large": ErrorRow(413, "The file '{path}' is too large: the limit is {limit} bytes."),
    "files_full": ErrorRow(409, "There is no room for more files: {problem}. Delete what is no longer needed."),
    "attachment_changed": ErrorRow(409, "The file '{path}' has changed since it was uploaded. Attach it again."),
    "file_failed": ErrorRow(503, "The file '{path}' cannot be read or written: {problem}.", None, True),
    "busy": ErrorRow(409, "The agents are at work. Wait for them, or stop them first.", None, True),
    "request_unknown": ErrorRow(409, "There is no question with this id."),
    "request_closed": ErrorRow(409, "This question is no longer open: its turn has ended."),
    "id_reused": ErrorRow(409, "This id was used before, for something else. Choose another one."),
    "already_answered": ErrorRow(409, "{name} has answered this question already."),
    "answer_unusable": ErrorRow(400, "This does not answer the question: {problem}."),
    "not_found": ErrorRow(404, "There is nothing at this address."),
    "upgrade_needed": ErrorRow(
        426,
        "This is the address of a WebSocket, and the request does not ask for one. A proxy in front of the server must "
        "pass the headers Upgrade and Connection on, over HTTP/1.1.",
    ),
    "metrics_missing": ErrorRow(
        404, "There are no metrics: prometheus-client is not installed. Run pip install prometheus-client."
    ),
    "method_not_allowed": ErrorRow(405, "This address only answers {methods}."),
    "bad_request": ErrorRow(400, "This request cannot be used: {problem}."),
    "length_required": ErrorRow(411, "This request needs a body and its Content-Length."),
    "body_too_large": ErrorRow(413, "The body of this request is larger than {limit} bytes. Send less."),
    "head_too_large": ErrorRow(431, "The address and the headers of this request are larger than {limit} bytes."),
    "request_timeout": ErrorRow(
        408, "This request took longer than {seconds} seconds to arrive. Send it again.", None, True
    ),
    "type_unsupported": ErrorRow(415, "This address takes application/json, not {type}."),
    "input_needed": ErrorRow(409, "The agents are waiting for your answer: {prompt}"),
    "turn_stopped": ErrorRow(409, "Somebody stopped the agents."),
    "turn_interrupted": ErrorRow(503, "The server went down while the agents were at work. Ask again.", None, True),
    # Accounts and tokens
    "account_unusable": ErrorRow(400, "This account cannot be made or changed: {problem}."),
    "login_taken": ErrorRow(409, "The login name '{login}' is taken. Choose another one."),
    "password_unusable": ErrorRow(400, "This password cannot be used: {problem}. Choose another one."),
    "too_many_attempts": ErrorRow(
        429, "There were too many attempts. Wait {seconds} seconds and try again.", None, True
    ),
    "token_unusable": ErrorRow(400, "This token cannot be made: {problem}."),
    "user_unknown": ErrorRow(404, "There is no user '{user}'."),
    # Logging in with OpenID Connect
    "oidc_state": ErrorRow(
        400, "This login was not begun in this browser, or more than {minutes} minutes ago. Log in again."
    ),
    "oidc_refused": ErrorRow(403, "The login provider did not let you in: {said}."),
    "oidc_unreachable": ErrorRow(
        502,
        "The login provider {issuer} cannot be used now: {problem}. Try again; if it stays like this, tell whoever "
        "runs the server.",
        None,
        True,
    ),
    "oidc_untrusted": ErrorRow(
        502, "The login provider's answer is not accepted: {problem}. Tell whoever runs the server."
    ),
    # The agent
    "agent_unavailable": ErrorRow(503, "The agent '{agent}' cannot start: {reason}"),
    "agents_unreadable": ErrorRow(
        503, "The agent files cannot be read ({problem}). Try again in a moment.", None, True
    ),
    "agent_failed": ErrorRow(500, "The agent failed with {error}. The server's log has the details.", None, True),
    "agent_asked": ErrorRow(500, "The agent asked a person for input outside a turn, where nobody can answer."),
    "outside_turn": ErrorRow(500, "The agent used something that exists only while it answers a message."),
    "input_timeout": ErrorRow(504, "Nobody answered within {seconds} seconds, so the turn was ended."),
    "turn_timeout": ErrorRow(504, "The agents worked for {seconds} seconds, the limit, so the turn was ended."),
    "not_resumed": ErrorRow(
        500, "After a restart of the server the agent did not get back to its question.", None, True
    ),
    "not_kept": ErrorRow(
        500, "{what} holds {value}, which cannot be kept: {reason}. When the agents are built again, it is missing."
    ),
    "not_restored": ErrorRow(500, "{what} could not be brought back: {reason}. The agents go on without it."),
    "handoff_circle": ErrorRow(500, "The agents hand over in circles ({agents}), so the turn was ended."),
    # The model
    "model_auth": ErrorRow(502, "The model server refused the API key. Check the key of {model}.{said}"),
    "model_rate_limited": ErrorRow(502, "{model} is rate limited. Wait a moment and try again.{said}", None, True),
    "model_quota": ErrorRow(502, "The account behind {model} has nothing left. Check its plan and billing.{said}"),
    "model_unreachable": ErrorRow(502, "The server of {model} cannot be reached. Is it running?", None, True),
    "model_proxy": ErrorRow(
        502, "{server} cannot be reached through the proxy {proxy} of {variable}: {reason}.", None, True
    ),
    "model_network": ErrorRow(502, "{server} cannot be reached: {problem}."),
    "model_timeout": ErrorRow(
        504, "{model} did not answer in time. Try again, or raise AGENTCHAT_MODEL_TIMEOUT.", None, True
    ),
    "model_rejected": ErrorRow(502, "The server of {model} rejected the request (HTTP {status}). {hint}"),
    "model_too_long": ErrorRow(502, "The conversation is too long for {model}. Start a new one.{said}"),
    "model_failed": ErrorRow(502, "The server of {model} failed{status}. Try again.{said}", None, True),
    "model_malformed": ErrorRow(
        502, "{model} sent an answer that makes no sense. Is its base_url right?{said}", None, True
    ),
    "model_too_much": ErrorRow(502, "{model} sent an answer that is too large: {problem}.", None, True),
    "model_calls": ErrorRow(500, "The agents called the model {limit} times for one message, so the turn was ended."),
    # The server
    "store_failed": ErrorRow(503, "The conversation could not be saved. Is the disk full?", None, True),
    "store_locked": ErrorRow(503, "Another program keeps the database locked. Try again in a moment.", None, True),
    "store_damaged": ErrorRow(
        503,
        "The database is damaged, and a part of it cannot be used. Whoever runs the server should restore a backup, "
        "or what sqlite3's .recover can save.",
    ),
    "store_removed": ErrorRow(
        503,
        "The database was removed or replaced while the server was running, so nothing can be saved. Whoever runs the "
        "server should put it back, or stop the server and start it again.",
    ),
    "store_unusable": ErrorRow(
        503, "The database cannot be read or written ({problem}). Look at the server's disk.", None, True
    ),
    "search_timeout": ErrorRow(
        503, "The search took longer than {seconds} seconds. Search for longer or rarer words.", None, True
    ),
    "websocket_down": ErrorRow(503, "The WebSocket port does not answer.", None, True),
    "too_many_connections": ErrorRow(503, "The server has too many connections. Try again later.", None, True),
    "too_many_requests": ErrorRow(
        429, "Your address has too many {what} at once; the limit is {limit}. Wait until some have ended.", None, True
    ),
    "server_full": ErrorRow(503, "The server has too many {what} at once. Try again in a moment.", None, True),
    "closing": ErrorRow(503, "The server is going away. Reconnect in a moment.", close=1001, retryable=True),
    "internal": ErrorRow(500, "Something went wrong in the server; its log says what.", close=1011, retryable=True),
}


class ChatError(Exception):
    """A row of ERRORS with its sentence filled in."""

    retry_after: int | None = None
    """Seconds after which it is worth trying again, if that is known."""

    def __init__(self, code: str, **details: object) -> None:
        self.code = code
        self.row = ERRORS[code]
        self.message = self.row.sentence.format(**details)
        super().__init__(self.message)


class StoreError(ChatError):
    """The log could not be written or read."""

    def __init__(self, code: str = "store_failed", **details: object) -> None:
        super().__init__(code, **details)


class TooFast(ChatError):
    """Someone has to wait before they try again."""

    def __init__(self, code: str, seconds: int, **details: object) -> None:
        super().__init__(code, seconds=seconds, **details)
        self.retry_after = seconds


class DuplicateMessage(Exception):
    """The log has a message with this id already, as `event`."""

    def __init__(self, event: Event) -> None:
        self.event = event
        super().__init__(f"message {event.seq} has this id already")


class DuplicateCommand(Exception):
    """A command with this id was carried out already, as `accepted` says."""

    def __init__(self, accepted: Accepted) -> None:
        self.accepted = accepted
        super().__init__("a command with this id was carried out already")


class SettingsError(Exception):
    """The server cannot start. The sentence says why and what to do."""
