"""A function `on_message`, as a conversation runs it: with each message, like a program in a terminal."""

from __future__ import annotations

import inspect
import json
from collections.abc import Mapping, MutableMapping, Sequence
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
        self.history.add("user", text)
        returned = self._on_message(text, self._chat)
        if inspect.iscoroutine(returned) or inspect.isasyncgen(returned):
            try:
                return cancellation.run_async(self._finish_async(returned, stream))
            finally:
                if inspect.iscoroutine(returned):
                    returned.close()  # a stop may have come before it began
        return self._finish(returned, stream)

    def end(self, text: str, summary: str) -> None:
        """Keep the answer as what was said in the turn."""
        if self.history.messages[-1]["role"] == "user":
            self.history.add("assistant", summary)

    def _finish(self, returned: Any, stream: TurnStream) -> str | None:
        """Return the text of what the function has returned, after it is finished."""
        if inspect.isgenerator(returned):
            message = stream.streamed(self.name)
            for piece in returned:
                self._show(piece, message, stream)
            return self._said(message, stream)
        if isinstance(returned, RunResponse):
            returned.process()
            return text_of_result(returned.summary)
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
        return self._finish(value, stream)

    def _show(self, piece: Any, message: StreamingMessage, stream: TurnStream) -> None:
        text = piece if isinstance(piece, str) else text_of_result(piece)
        if text:
            stream.show(message, text)

    def _said(self, message: StreamingMessage, stream: TurnStream) -> str | None:
        return stream.end_streamed(message) or None


def text_of_result(value: Any) -> str | None:
    """Return the text of what a program may return: a text, a message, or the result of one of AG2's chats.

    Of several results the last one counts. Raises TypeError for anything else.
    """
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, ChatResult):
        return text_of_result(value.summary)
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
    if isinstance(value, (bool, int, float, list, dict)):
        return json.dumps(value, ensure_ascii=False, indent=2)
    raise TypeError(f"on_message returned a {type(value).__name__}; return text, a ChatResult or a run's response")
