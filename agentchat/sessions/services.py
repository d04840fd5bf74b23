"""Everything that the sessions of a server share."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from agentchat.ag2.conversation import Outcome
from agentchat.audit import Audit
from agentchat.cancellation import StopToken
from agentchat.chat import Chat, SessionView
from agentchat.measures import Measures
from agentchat.protocol.identity import ROLES
from agentchat.sessions.deadlines import Deadlines
from agentchat.sessions.live_questions import LiveQuestions
from agentchat.sessions.presence import Desk
from agentchat.sessions.quotas import Quotas
from agentchat.sessions.rates import Rates
from agentchat.sessions.rules import SessionRules
from agentchat.sessions.turn import Turn
from agentchat.sessions.turn_slots import TurnSlots
from agentchat.sessions.waiting_messages import WaitingMessages
from agentchat.store import Store
from agentchat.store.sharing import Sharing
from agentchat.store.usage import Usage
from agentchat.workspace.folders import Folders

RATE_BURST = 10.0  # seconds over which the rate of messages counts
NEW_SESSIONS_BURST = 600.0  # seconds over which the rate of new sessions counts


class Agents(Protocol):
    """The agents of one session, with what they remember."""

    def run(self, text: str, turn: Turn, token: StopToken, history: str | None) -> Outcome:
        """Answer `text`; with a `history`, go on from the question where the turn stopped. Never raises."""

    def close(self) -> None:
        """Let them leave memory at once. They are not used any more."""


BuildAgents = Callable[[str, Chat, Iterable[str]], Agents]
NewChat = Callable[[str, SessionView], Chat]


@dataclass
class Services:
    """Everything that the sessions of a server share."""

    store: Store
    build_agents: BuildAgents
    """Builds an agent by its name, for a chat, with the histories of the turns that it should remember."""
    new_chat: NewChat
    keys: Callable[[], frozenset[str]]
    """Returns the keys of the models, which no session may hold."""
    folders: Folders
    """The files of all sessions."""
    model: Callable[[], Mapping[str, Any]]
    """Returns the model as clients see it: `name`, `demo`, and whether it has `vision`, if that is known."""
    audit: Audit
    rules: SessionRules = field(default_factory=SessionRules)
    desk: Desk = field(default_factory=Desk)
    deadlines: Deadlines = field(default_factory=Deadlines)
    roles: Callable[[str], frozenset[str]] = lambda user: frozenset(ROLES)
    """Returns the roles of a user; everybody has all where nobody logs in."""
    sharing: Sharing | None = None
    """Whose the sessions are; None where that makes no difference."""
    usage: Usage | None = None
    """The usage of each person; None where it is not counted."""
    measures: Measures = field(default_factory=Measures)
    is_draining: threading.Event = field(default_factory=threading.Event)
    """Set once no further turn begins, because the server is about to end; those that run may have a while."""
    is_closing: threading.Event = field(default_factory=threading.Event)
    """Set once nothing more is accepted, and the turns that still run are interrupted."""

    def __post_init__(self) -> None:
        self.live_questions = LiveQuestions(self.rules.live_questions)
        self.turn_slots = TurnSlots(self.rules.turns, self.rules.turns_per_person)
        self.waiting_messages = WaitingMessages(self.rules)
        rules = self.rules
        self.quotas = Quotas(self.usage, rules)
        self.rates = Rates(rules.messages_per_second, rules.messages_per_second_in_all, RATE_BURST)
        self.new_sessions = Rates(
            rules.new_sessions_per_minute / 60, rules.new_sessions_per_minute_in_all / 60, NEW_SESSIONS_BURST
        )
