"""A function `on_message`, as a conversation runs it: with each message, like a program in a terminal."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import inspect
import json
from collections.abc import Iterator, Mapping, MutableMapping, Sequence
from typing import Any

from autogen.agentchat import ChatResult
from autogen.io.run_response import AsyncRunIterResponse, AsyncRunResponse, RunIterResponse, RunResponse
from pydantic import BaseModel

from agentchat import cancellation
from agentchat.ag2.history import NOTES, Memory, Message, PartialMessage
from agentchat.ag2.iostream import TurnStream
from agentchat.ag2.model_output import StreamingMessage
from agentchat.ag2.shapes import Program
from agentchat.chat import Chat
from agentchat.protocol.errors import ChatError


class ProgramHistory(Memory):
    """The messages of a program's turns: those of the person, and the program's answers."""

    def __init__(self, name: str, state: MutableMapping[str, Any]) -> None:
        self._name = name
        self._messages: list[Message] = []
        super().__init__(state)

    @property
    def messages(self) -> list[Message]:
        return self._messages

    def restore(self, turns: Sequence[Mapping[str, Any]]) -> None:
        """Fill the messages and the state from stored turns."""
        self._messages[:] = [message for turn in turns for message in turn["messages"]]
        self.bring_back_newest(turns)

    def hear(self, text: str) -> None:
        self.add("user", text)

    def close(self, partial: PartialMessage, status: str) -> None:
        """Note that the turn broke off, with the part of an answer that was shown."""
        self.add("assistant", f"{partial.text}\n\n{NOTES[status]}".strip())

    def add(self, role: str, content: str) -> None:
        """Add a message."""
        self.messages.append(
            {"role": role, "content": content, **({"name": self._name} if role == "assistant" else {})}
        )


class RunningProgram:
    """A function that answers one person, turn by turn."""

    person = ""

    def __init__(self, program: Program, chat: Chat) -> None:
        self._on_message = program.on_message
        self._chat = chat
        self.name = program.name
        self.history = ProgramHistory(program.name, chat.state)

    def begin(self) -> None:
        """Prepare for a turn: show the program the turns before it."""
        self._chat.history = [{"role": m["role"], "content": m["content"]} for m in self.history.messages]

    def talk(self, text: str, stream: TurnStream) -> str | None:
        """Call the function. Return its answer."""
        self.history.hear(text)
        with _event_loop():
            try:
                return self._answer(text, stream)
            except SystemExit as end:
                if end.code not in {None, 0}:
                    raise ChatError("agent_failed", error=f"SystemExit: {end.code}") from end
                return None  # the program has ended, as in a terminal

    def _answer(self, text: str, stream: TurnStream) -> str | None:
        returned = self._on_message(text, self._chat)
        if inspect.iscoroutine(returned) or inspect.isasyncgen(returned):
            try:
                return cancellation.run_async(self._finish_async(returned, stream))
            finally:
                if inspect.iscoroutine(returned):
                    returned.close()  # a stop may have come before it began
        return self._finish(returned, stream)

    def close(self) -> None:
        """Do nothing: a program's agents are its own."""

    def end(self, text: str, summary: str) -> None:
        """Keep the answer as what was said in the turn."""
        if self.history.messages[-1]["role"] == "user":
            self.history.add("assistant", summary)

    def _finish(self, returned: Any, stream: TurnStream) -> str | None:
        """Return the text of what the function has returned, after it is finished."""
        if inspect.isgenerator(returned):
            message = stream.streamed(self.name)

            def shown() -> Iterator[Any]:
                last.append((yield from returned))

            last: list[Any] = []
            for piece in shown():
                self._show(piece, message, stream)
            said = self._said(message, stream)
            return said if last[0] is None else self._finish(last[0], stream)
        if isinstance(returned, RunResponse):
            returned.process()
            return text_of_result(returned.summary)
        if isinstance(returned, list) and returned and all(isinstance(each, RunResponse) for each in returned):
            for each in returned:
                each.process()
            return text_of_result(returned[-1].summary)
        if isinstance(returned, RunIterResponse):
            for _ in returned:
                continue
            return text_of_result(returned.summary)
        return text_of_result(returned)

    async def _finish_async(self, returned: Any, stream: TurnStream) -> str | None:
        """Return the text of what the coroutine returns, in its own event loop."""
        if inspect.isasyncgen(returned):
            message = stream.streamed(self.name)
            async for piece in returned:
                self._show(piece, message, stream)
            return self._said(message, stream)
        value = await returned
        if inspect.isasyncgen(value) or inspect.isawaitable(value):
            return await self._finish_async(value, stream)
        if isinstance(value, AsyncRunResponse):
            await value.process()
            return text_of_result(await value.summary)
        if isinstance(value, AsyncRunIterResponse):
            async for _ in value:
                continue
            return text_of_result(value.summary)
        if isinstance(value, list) and value and all(isinstance(each, AsyncRunResponse) for each in value):
            for each in value:
                await each.process()
            return text_of_result(await value[-1].summary)
        return self._finish(value, stream)

    def _show(self, piece: Any, message: StreamingMessage, stream: TurnStream) -> None:
        text = piece if isinstance(piece, str) else text_of_result(piece)
        if text and (isinstance(piece, str) or text.strip() != stream.summary):  # else it was just said
            stream.show(message, text)

    def _said(self, message: StreamingMessage, stream: TurnStream) -> str | None:
        return stream.end_streamed(message) or None


@contextlib.contextmanager
def _event_loop() -> Iterator[None]:
    """Give the thread an event loop, as a program's main thread has one for `asyncio.get_event_loop()`."""
    loop = asyncio.new_event_loop()
    asyncio.set_event_loop(loop)
    try:
        yield
    finally:
        asyncio.set_event_loop(None)
        loop.close()


def text_of_result(value: Any) -> str | None:
    """Return the text of what a program may return: a text, a message, or the result of one of AG2's chats.

    Of several results the last one counts. Other values become JSON or their own text. Raises ChatError for objects
    without one.
    """
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, ChatResult):
        # One to which only its first message belongs was answered elsewhere, as in a group; AG2 sums up that message.
        return text_of_result(value.summary) if len(value.chat_history) > 1 else None
    if isinstance(value, (RunResponse, RunIterResponse)):
        return text_of_result(value.summary)
    if isinstance(value, tuple) and value and isinstance(value[0], ChatResult):  # of initiate_group_chat
        return text_of_result(value[0])
    if isinstance(value, dict) and value and all(isinstance(each, ChatResult) for each in value.values()):
        return text_of_result(list(value.values())[-1])
    if isinstance(value, list) and value and all(isinstance(each, (ChatResult, RunResponse)) for each in value):
        return text_of_result(value[-1])
    if isinstance(value, dict) and "content" in value:
        return text_of_result(value["content"])
    if isinstance(value, BaseModel):
        return value.model_dump_json(indent=2)
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        value = dataclasses.asdict(value)
    if isinstance(value, (list, tuple, dict)):
        return json.dumps(value, ensure_ascii=False, indent=2, default=str)
    if any(vars(kind).keys() & {"__str__", "__repr__"} for kind in type(value).__mro__[:-1]):
        return str(value)
    wrong = f"on_message returned a {type(value).__name__}; return text, a ChatResult or the response of a run"
    raise ChatError("agent_failed", error=f"a TypeError: {wrong}")
