"""A conversation with the agents of one file, which can be stopped and restored.

`Conversation.run` is called once per turn, in the turn's own thread; iostream.py takes what AG2 writes meanwhile. The
file's agents talk in a thread of their own, because a stop can't end everything that a program may do: what goes on is
left behind, and can no longer write, ask or call a model.
"""

from __future__ import annotations

import contextlib
import functools
import logging
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from autogen.io.base import IOStream

from agentchat import cancellation, inheritance, journal
from agentchat.ag2 import console, named_pictures, scope, stored_history
from agentchat.ag2 import iostream as streams
from agentchat.ag2.history import TurnHistory
from agentchat.ag2.iostream import TurnStream
from agentchat.ag2.limits import Limits
from agentchat.ag2.programs import RunningProgram
from agentchat.ag2.scope import Scope
from agentchat.ag2.shapes import Program, Team
from agentchat.ag2.teams import RunningTeam
from agentchat.ag2.turn_output import TurnOutput
from agentchat.ag2.usage import Usage
from agentchat.cancellation import Stopped, StopToken
from agentchat.chat import Chat
from agentchat.journal import Journal
from agentchat.models import context_window, transport, vision
from agentchat.protocol.errors import ChatError
from agentchat.protocol.events import clean
from agentchat.workspace import attaching

log = logging.getLogger(__name__)

GRACE = 0.5  # seconds that agents have to end after a stop before they are left behind


@dataclass(frozen=True)
class Outcome:
    """The end of a turn. `history` is what the agents keep of it."""

    status: str
    summary: str
    usage: Mapping[str, Any]
    history: str | None
    error: ChatError | None = None
    code_changes: Sequence[Mapping[str, str]] = ()
    refused: Sequence[ChatError] = ()
    """Values that the agents can't keep, or that couldn't be restored; reported even if the turn completed."""
    is_left_behind: bool = False
    """True if the agents go on with something that could not be stopped, so that others must be built."""


class Conversation:
    """The agents of one file, which talk to one person turn by turn."""

    def __init__(
        self,
        built: Team | Program,
        chat: Chat,
        histories: Iterable[str],
        explain: Callable[[Exception], ChatError],
        has_price: bool,
        approve: str = "marked",
        limits: Limits | None = None,
    ) -> None:
        """Prepare the agents and restore what they knew.

        `histories` are those of the turns that count, oldest first. `explain` puts the error of a model call into
        words. `approve` is the setting of that name.
        """
        self._chat = chat
        self._explain = explain
        self._has_price = has_price
        self._approve = approve
        self._limits = limits or Limits()
        self._agents = RunningTeam(built, chat.state) if isinstance(built, Team) else RunningProgram(built, chat)
        self._agents.history.restore([stored_history.read(history) for history in histories])
        calls = (call for message in self._agents.history.messages for call in message.get("tool_calls") or ())
        self._call_ids = {str(call.get("id")) for call in calls}

    def run(self, text: str, turn: TurnOutput, token: StopToken, history: str | None = None) -> Outcome:
        """Let the agents answer `text`. Never raises: whatever happens becomes the outcome.

        With the `history` of a turn that was left waiting for an answer, they resume that turn.
        """
        text = clean(text)
        memory = self._agents.history
        replay = Journal(stored_history.read(history)["journal"] if history else None)
        usage = Usage(self._has_price)
        self._agents.begin()
        stream = TurnStream(
            turn,
            token,
            self._agents.person,
            text,
            TurnHistory(memory),
            replay,
            usage,
            self._agents.name,
            self._limits,
            self._approve,
            self._call_ids,
        )
        left_behind = [False]
        self._begin_changes(is_resumed=history is not None)
        status, failure = "completed", None
        try:
            with self._in_force(stream, token, text):

                def talk() -> None:
                    answer = self._agents.talk(text, stream)
                    replay.check_end()
                    stream.conclude(answer, self._agents.name)

                def leave_behind() -> None:
                    left_behind[0] = True

                cancellation.call(talk, "agents", grace=GRACE, on_abandon=leave_behind)
        except Stopped as stopped:
            status, failure = stopped.reason, stopped.error
        except BaseException as error:  # noqa: BLE001 - AG2, the model and the agent file may raise anything
            status, failure = "failed", self._explained(error, stream)
        finally:
            stream.close()
        if status == "suspended":  # the next server resumes from what was stored with the question
            return Outcome(status, "", usage.content, None, is_left_behind=left_behind[0])
        if history is not None and replay.is_replaying and status != "completed":  # these agents know a part of it
            ended = stored_history.broken_off(history, status)
            return Outcome(status, "", usage.content, ended, failure, self._changes(), (), True)
        if status != "completed" or memory.has_open_calls:
            stream.history.close(text, stream.keep_partial(), status)
        self._agents.end(text, stream.summary)
        ended = stream.history.ended()
        return Outcome(
            status,
            stream.summary,
            usage.content,
            ended,
            failure,
            self._changes(),
            stream.history.refused,
            left_behind[0],
        )

    def close(self) -> None:
        """Let the agents leave memory at once, without Python's collector. They are not used any more."""
        self._agents.close()

    def _begin_changes(self, is_resumed: bool) -> None:
        try:
            self._chat.changes.begin(is_resumed)
        except OSError:
            log.exception("The changes of this turn to the workspace may be reported wrongly")

    def _changes(self) -> Sequence[Mapping[str, str]]:
        try:
            return self._chat.changes.take()
        except (OSError, ChatError):
            log.exception("The changes of the turn to the workspace cannot be reported")
            return ()

    def _explained(self, error: BaseException, stream: TurnStream) -> ChatError:
        ours = error if isinstance(error, ChatError) else error.__cause__  # the openai package wraps what it meets
        if isinstance(ours, ChatError):
            return ours
        if stream.model_output.is_calling and isinstance(error, Exception):
            explained = self._explain(error)
            log.warning("A model call failed: %s", explained.message)
            log.debug("The failed model call", exc_info=True)
            return explained
        log.exception("The agent failed")
        return ChatError("agent_failed", error=type(error).__name__)

    @contextlib.contextmanager
    def _in_force(self, stream: TurnStream, token: StopToken, text: str) -> Iterator[None]:
        """Set the context variables by which AG2, tools and models find the turn, its stop token and its journal."""
        console.install(streams.current.get)
        variables: list[tuple[Any, Any]] = [
            (streams.current, stream),
            (scope.current, Scope()),
            (cancellation.current, token),
            (inheritance.inherits, True),
            (transport.current, stream.model_output),
            (journal.current, stream.journal),
            (vision.read, functools.partial(attaching.content, self._chat.files)),
            (context_window.setting, self._limits.context_tokens),
        ]
        with contextlib.ExitStack() as stack:
            for variable, value in variables:
                stack.callback(variable.reset, variable.set(value))
            with IOStream.set_default(stream), self._chat.in_turn(stream), named_pictures.named_in(text):
                yield
