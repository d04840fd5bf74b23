"""Models of the responses, for openapi.py to describe them. Nothing is validated against them."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, Field

from agentchat.protocol.tasks import TaskStatus

Status = Literal["queued", "running", "waiting", "completed", "stopped", "failed", "interrupted"]


class Anything(BaseModel):
    """An OpenAPI 3.1 document."""


class ErrorAbout(BaseModel):
    code: str
    message: str


class Error(BaseModel):
    """An error, in words a person can act on."""

    error: ErrorAbout


class LoginWays(BaseModel):
    """The ways to log in."""

    needed: bool = Field(description="False where nobody has to log in")
    password: bool
    openid: bool
    first: bool = Field(description="There is no account yet; the link to make the first was printed at start")


class Me(BaseModel):
    """You, as the server knows you."""

    id: str
    login: str
    name: str
    roles: list[Literal["operator", "admin"]]
    colour: str = Field(description="Such as #3366cc; empty if none was chosen")
    language: str = Field(description="Such as `de`; empty if none was chosen")
    created: str


class Quota(BaseModel):
    """An amount of a day."""

    turns: int | None
    tokens: int | None
    cost: float | None = Field(description="US dollars")


class UsageToday(BaseModel):
    """Your usage of the day, which begins at midnight UTC."""

    day: str
    used: Quota
    limit: Quota = Field(description="null where there is no limit")
    left: Quota = Field(description="null where there is no limit")


class Profile(Me):
    """You, and your usage of the day."""

    has_password: bool = Field(description="False for somebody who logs in another way")
    can_log_out: bool = Field(description="False where a proxy says who you are, for a token, and where nobody logs in")
    usage: UsageToday


class LoginAbout(BaseModel):
    """A browser in which you have logged in."""

    id: str
    created: str
    last_seen: str
    address: str
    browser: str = Field(description="Its `User-Agent`")
    current: bool = Field(description="The login of this request")


class LoginList(BaseModel):
    """Your logins, the one used last first."""

    logins: list[LoginAbout]


class TokenAbout(BaseModel):
    id: str
    name: str
    scope: Literal["read", "write", "operator"]
    created: str
    expires: str = Field(description="Empty for never")
    last_used: str = Field(description="Empty if it was never used")


class TokenList(BaseModel):
    """Your tokens, oldest first."""

    tokens: list[TokenAbout]


class NewToken(TokenAbout):
    """A new token, which is never shown again."""

    token: str


class Metrics(BaseModel):
    """Metrics in Prometheus' text format."""


class Archive(BaseModel):
    """A zip file."""


class Ticket(BaseModel):
    ticket: str = Field(description="Empty where nobody has to log in")


class Person(BaseModel):
    """A user, as others see them."""

    id: str
    name: str = Field(description="Empty if the account was removed")
    colour: str = Field(description="Such as #3366cc; empty if none was chosen")


class MemberAbout(Person):
    role: Literal["member", "viewer"]
    invitation: str = Field(description="The invitation by which they came in; empty unless the session is yours")
    since: str
    expires: str = Field(description="The time at which that ends; empty for never")


class InvitationAbout(BaseModel):
    id: str
    role: Literal["member", "viewer"]
    created: str
    expires: str = Field(description="The time at which it, and what it gave, ends; empty for never")


class Members(BaseModel):
    """The people who may see a session, and the invitations to it."""

    you: str = Field(description="Your own id")
    owner: Person
    members: list[MemberAbout]
    invitations: list[InvitationAbout] = Field(description="Empty unless the session is yours")


class InvitationMade(InvitationAbout):
    """An invitation with its secret, which cannot be shown again."""

    secret: str
    link: str = Field(description="The path of the page that accepts it; no server sees what stands behind the #")


class Joined(BaseModel):
    """The session that an invitation let you into."""

    session_id: str
    role: Literal["owner", "member", "viewer"] = Field(description="Your role there")


class SomebodyAbout(BaseModel):
    """A user, or somebody whom a name makes known where nobody logs in."""

    id: str = Field(description="`you` for somebody who is not known")
    login: str = Field(description="Empty for somebody without an account")
    name: str


class ConnectionAbout(BaseModel):
    """A connection that lasts."""

    user: SomebodyAbout
    address: str
    kind: Literal["websocket", "stream", "request"]
    session: str | None
    since: str


class TurnAbout(BaseModel):
    """A turn that runs, waits for an answer, or waits to begin."""

    session: str
    title: str | None = Field(description="Null if you may not read the conversation")
    turn: int
    status: Literal["running", "queued", "waiting"]
    agent: str
    user: SomebodyAbout
    since: str


class UsedAbout(BaseModel):
    user: SomebodyAbout
    agent: str
    turns: int
    tokens: int
    cost: float = Field(description="In US dollars, as far as prices are known")


class Overview(BaseModel):
    """The connections, turns and usage of all people, and the newest entries of the audit log."""

    connected: list[ConnectionAbout]
    connected_in_all: int = Field(description="The list has the newest 500")
    running: list[TurnAbout]
    running_in_all: int = Field(description="The list has 500 of them")
    usage: list[UsedAbout]
    usage_since: str = Field(description="A day, such as 2026-11-20")
    audit: list[dict[str, Any]]


class UsedInDay(BaseModel):
    """The usage of an agent on a day."""

    day: str = Field(description="In UTC, such as 2026-11-20")
    agent: str
    turns: int
    tokens: int
    cost: float = Field(description="In US dollars, as far as prices are known")


class StatusFigures(BaseModel):
    """Figures of the last hour, and usage by day."""

    version: str
    started: str
    step: float = Field(description="Seconds between two numbers of a series")
    series: dict[str, list[float | None]] = Field(description="By name, oldest first; null where there is none")
    usage: list[UsedInDay] = Field(description="The oldest first")
    usage_since: str = Field(description="A day, such as 2026-11-20")


class AuditLog(BaseModel):
    entries: list[dict[str, Any]] = Field(description="The newest first")


class SseMessage(BaseModel):
    """A message of an event stream."""

    id: str | None = Field(default=None, description="The event's `seq`, if it is in the log")
    data: str = Field(description="A frame as JSON, on one line")


class Waiting(BaseModel):
    """A message waiting for its turn."""

    id: str
    text: str
    cut: bool = Field(False, description="The text goes on; the `user_message` event has all of it")
    name: str
    turn: int
    seq: int
    attachments: list[dict[str, Any]] = Field([], description="The files that go with it, if there are any")


class Participant(BaseModel):
    name: str
    role: Literal["member", "viewer", "operator"]
    connections: int


class Found(BaseModel):
    """A match of a search; `seq` is 0 for the title."""

    seq: int
    text: str


class Summary(BaseModel):
    """A session in a list."""

    id: str
    session_id: str = Field(description="The same as `id`, for older clients")
    agent: str
    title: str
    created: str
    updated: str
    last_seq: int
    status: Literal["idle", "running", "waiting"]
    messages: int
    held: Literal["waiting", "taken"] | None = Field(description="The session waits for a human, or a human has it")


class Listed(Summary):
    """A session in a list, or a result of a search."""

    role: Literal["owner", "member", "viewer"] = Field(
        default="owner", description="Your role in it; not there where nobody logs in"
    )
    found: list[Found] = []


class SessionList(BaseModel):
    sessions: list[Listed]
    next: str | None = Field(description="The next page's `before`")


class HeldAbout(BaseModel):
    """The human who has a session, or is wanted for it."""

    state: Literal["waiting", "taken"]
    operator: str
    reason: str
    since: str


class HeldNow(HeldAbout):
    operators: int = Field(description="Number of operators at the desk")


class Progress(BaseModel):
    """The progress of a running tool."""

    turn: int
    id: str
    tool: str
    done: float
    total: float | None
    text: str


class SessionAnswer(Summary):
    """A session."""

    open_requests: list[dict[str, Any]]
    ahead: int | None
    queue: list[Waiting]
    participants: list[Participant]
    held: HeldNow | None  # type: ignore[assignment]  # with more detail than in lists
    progress: list[Progress]
    epoch: str


class DeskEntry(HeldAbout):
    state: Literal["waiting", "taken", "asks"]  # type: ignore[assignment]  # more than a handover
    id: str
    title: str
    agent: str
    person: str = Field(description="The last person who wrote")
    last: str = Field(description="Their last message")


class Desk(BaseModel):
    """The sessions that wait for a human or that a human has, and the operators at the desk."""

    operators: list[str]
    conversations: list[DeskEntry]


class TaskAnswer(BaseModel):
    id: int
    title: str
    details: str
    depends_on: list[int]
    status: TaskStatus
    by: str


class TaskList(BaseModel):
    tasks: list[TaskAnswer]


class NoteAnswer(BaseModel):
    key: str
    value: str
    updated: str


class Memory(BaseModel):
    user: str
    notes: list[NoteAnswer]


class Change(BaseModel):
    """A file that the turn changed."""

    path: str
    kind: Literal["created", "modified", "deleted"]
    diff: str


class Cost(BaseModel):
    """Tokens, and US dollars if the price is known; null if the model server has not told."""

    prompt_tokens: int | None
    completion_tokens: int | None
    cost: float | None
    estimated: bool = False


class UsageAbout(Cost):
    agents: dict[str, Cost]


class Accepted(BaseModel):
    """A message that is in the log."""

    seq: int
    id: str
    session_id: str
    turn: int
    status: Status


class EventFrame(BaseModel):
    """An event of the log. The types are in docs/protocol.md."""

    seq: int
    ts: str
    turn: int
    type: str
    content: dict[str, Any]


class TurnError(ErrorAbout):
    retryable: bool


class Finished(Accepted):
    """A turn that has ended."""

    summary: str
    notice: str | None = Field(description="What people should know about the answer, or about there being none")
    usage: UsageAbout
    code_changes: list[Change]
    duration_ms: int
    error: TurnError | None
    events: list[EventFrame]


class Answered(BaseModel):
    seq: int


class Stopping(BaseModel):
    turn: int | None


class EventList(BaseModel):
    events: list[EventFrame]
    last_seq: int
    epoch: str
    recovered: bool


class Export(BaseModel):
    session: SessionAnswer
    events: list[EventFrame]


class FileAbout(BaseModel):
    path: str
    size: int
    modified: str


class FileList(BaseModel):
    """The files of a session, by path."""

    files: list[FileAbout]


class FileVersion(BaseModel):
    version: str = Field(description="Its SHA-256 digest; empty for a deletion, and for a file that is too large")
    kind: Literal["created", "modified", "deleted"]
    size: int
    ts: str
    by: str
    turn: int
    is_kept: bool = Field(description="Whether its content can be read")


class FileVersions(BaseModel):
    """The versions that a file has had, newest first."""

    versions: list[FileVersion]


class FileDiff(BaseModel):
    diff: str = Field(description="Unified; empty if nothing differs, and for what is not text or too large")


class FileWritten(BaseModel):
    """A file that was created or replaced."""

    path: str
    kind: Literal["created", "modified"]
    size: int
    sha256: str


class FileContent(BaseModel):
    """The content of the file."""


class DocumentAbout(BaseModel):
    """A document in the knowledge base."""

    id: str
    title: str
    type: str = Field(description="`markdown`, `text`, `html` or `pdf`; empty for a folder that cannot be listed")
    size: int
    problem: str = Field(description="Why it cannot be searched; empty if it can")
    link: str


class DocumentList(BaseModel):
    sources: list[DocumentAbout]


class DocumentContent(BaseModel):
    """The content of the document."""


class ChatMessage(BaseModel):
    id: str
    session_id: str
    role: Literal["assistant"]
    content: str
    agent_name: str
    created_at: str
    notice: str | None = Field(
        default=None, description="What people should know about the answer, or about there being none"
    )


class Complete(BaseModel):
    """The answer to one message."""

    session_id: str
    message: ChatMessage
    code_changes: list[Change]
    replaced: str | None = Field(default=None, description="The unknown id that the session replaces")


class Alive(BaseModel):
    status: Literal["alive"]


class Health(BaseModel):
    status: Literal["ok"]


class Ready(BaseModel):
    status: Literal["ready"]


class ModelAbout(BaseModel):
    name: str
    demo: bool


class AgentAbout(BaseModel):
    name: str
    description: str
    suggestions: list[str]
    icon: str | None = Field(description="An emoji, one or two letters, or the name of a drawing that the page has")
    color: str | None = Field(description="`#rrggbb`")
    available: bool
    reason: str | None


class Limits(BaseModel):
    message_chars: int


class BlockAbout(BaseModel):
    """A top-level block of a text: a paragraph, a list, a table."""

    html: str
    lines: int = Field(description="Number of the text's lines up to the end of this block")


class RenderedText(BaseModel):
    blocks: list[BlockAbout]


class Rendered(BaseModel):
    """Texts as HTML, in the order of the request."""

    texts: list[RenderedText]


class LocalServerAbout(BaseModel):
    """A model server found on the same machine, and the command that starts the chat server with it."""

    name: str
    models: list[str]
    command: str


class Config(BaseModel):
    """Everything that clients need to start."""

    version: str
    login: bool = Field(description="People log in, so that sessions belong to them and can be shared")
    ws_port: int
    model: ModelAbout
    local_servers: list[LocalServerAbout]
    default_agent: str | None
    agents: list[AgentAbout]
    limits: Limits
    me: Profile
