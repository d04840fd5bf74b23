"""The parts of a server that one talk needs: a store, a session and its turns, without any socket."""

from __future__ import annotations

import contextlib
import shutil
import tempfile
import threading
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from agentchat.ag2 import catalogue
from agentchat.ag2.conversation import Conversation, Outcome
from agentchat.audit import FILE, Audit
from agentchat.cancellation import StopToken
from agentchat.chat import AgentServices, Chat, SessionView
from agentchat.knowledge import Knowledge
from agentchat.models.config import Models
from agentchat.models.openai_client import ModelWrapper
from agentchat.protocol.errors import ChatError
from agentchat.sessions.registry import Session, Sessions
from agentchat.sessions.services import Services
from agentchat.sessions.turn import Turn
from agentchat.sessions.user_notes import UserNotes
from agentchat.store.sqlite import SqliteStore
from agentchat.testing import models
from agentchat.testing.models import Model
from agentchat.testing.sources import Source
from agentchat.workspace.folders import Folders

SHUTDOWN_TIMEOUT = 2.5  # seconds that a running turn has to end


@dataclass(frozen=True)
class Options:
    """The settings of a talk."""

    name: str
    context: Mapping[str, Any] = field(default_factory=dict)
    knowledge: Sequence[Path] = ()
    approve: str = "marked"
    run_code: bool = False


class Server:
    """A server with one session, which can be ended and begun again."""

    def __init__(self, agent: str, source: Source, model: Model, options: Options) -> None:
        self.build_error: BaseException | None = None
        self._agent = agent
        self._source = source
        self._model = model
        self._options = options
        self._folder = Path(tempfile.mkdtemp(prefix="agentchat-"))
        self._session_id = ""
        self._running = contextlib.ExitStack()
        self.session: Session
        try:
            self.begin()
        except BaseException:
            self.close()
            raise

    def begin(self) -> None:
        """Begin with what is stored."""
        with contextlib.ExitStack() as stack:
            opened = self._model.open()
            stack.callback(self._model.close, opened)
            store = SqliteStore(self._folder)
            stack.callback(store.close)
            self.notes = UserNotes(store)
            knowledge = None
            if self._options.knowledge:
                knowledge = Knowledge(self._options.knowledge, self._folder / "knowledge.db")
                stack.callback(knowledge.close)
            folders = Folders(self._folder)
            agent_services = AgentServices(
                self._folder,
                self.notes,
                knowledge,
                can_run_code=self._options.run_code,
                storage=folders.storage,
            )
            sessions = Sessions(self._services(store, opened, agent_services, folders))
            sessions.begin()
            stack.callback(sessions.close, SHUTDOWN_TIMEOUT)
            session = sessions.open(self._session_id) if self._session_id else sessions.create(self._agent)
            assert session is not None
            stack.callback(sessions.release, session)
            self.session, self._session_id = session, session.id
            self._running = stack.pop_all()

    def end(self) -> None:
        """End as a server does when it is stopped; what is stored stays."""
        self._running.close()

    def close(self) -> None:
        """End, and remove what is stored."""
        self.end()
        shutil.rmtree(self._folder, ignore_errors=True)

    def join(self, timeout: float) -> None:
        """Wait for the threads of the session to end."""
        deadline = time.monotonic() + timeout
        for thread in threading.enumerate():
            if thread.name == f"turn-{self._session_id}":
                thread.join(max(deadline - time.monotonic(), 0))

    @property
    def workspace(self) -> Path:
        """The folder of the conversation's files."""
        return Chat(self._session_id, AgentServices(self._folder)).folder

    def _services(
        self, store: SqliteStore, opened: Models, agent_services: AgentServices, folders: Folders
    ) -> Services:
        make, model = self._source(), self._model

        def new_conversation(agent: str, chat: Chat, histories: Iterable[str]) -> _Agents:
            chat.llm_config = opened.llm_config
            token = models.current.set(model)
            try:
                built = make(opened.llm_config, chat)
            except (Exception, SystemExit) as error:
                self.build_error = error
                raise ChatError("agent_unavailable", agent=agent, reason=catalogue.reason(error, Path())) from error
            finally:
                models.current.reset(token)
            explain, has_price = opened.explain, opened.has_price
            return _Agents(Conversation(built, chat, histories, explain, has_price, self._options.approve), model)

        def new_chat(session_id: str, session: SessionView) -> Chat:
            return Chat(session_id, services=agent_services, session=session)

        return Services(
            store,
            new_conversation,
            new_chat,
            keys=lambda: ModelWrapper.keys,
            folders=folders,
            model=lambda: {"name": opened.name, "demo": False, "vision": None},
            audit=Audit(self._folder / FILE),
        )


class _Agents:
    """The agents of the session, whose turns ask the model of the talk."""

    def __init__(self, conversation: Conversation, model: Model) -> None:
        self._conversation = conversation
        self._model = model

    def run(self, text: str, turn: Turn, token: StopToken, history: str | None) -> Outcome:
        """Answer `text`. See sessions.services.Agents."""
        asked = models.current.set(self._model)
        try:
            return self._conversation.run(text, turn, token, history)
        finally:
            models.current.reset(asked)

    def close(self) -> None:
        """Let the agents leave memory."""
        self._conversation.close()
