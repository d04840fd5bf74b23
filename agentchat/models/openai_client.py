"""Our subclass of AG2's OpenAI client, and the only place that patches AG2's modules."""

from __future__ import annotations

import functools
from typing import Any
from uuid import uuid4

import autogen
import autogen.oai.client
from autogen import OpenAIWrapper
from autogen.agentchat import conversable_agent
from autogen.agentchat.group import guardrails
from autogen.oai.client import OpenAIClient
from openai.types.chat import ChatCompletion

from agentchat import replay as journal
from agentchat.models import stream_parser, transport
from agentchat.models.sanitize import is_json_object, sendable


def install() -> None:
    """Make AG2 build a `ModelWrapper` wherever it builds an OpenAIWrapper. Calling it again changes nothing.

    AG2 builds a wrapper with each agent, another at each tool registration and hand-off, and others for agents and
    guardrails of its own that nothing else can reach (those that choose the next speaker, say), always by this name.
    """
    for module in (autogen, autogen.oai, autogen.oai.client, conversable_agent, guardrails):
        module.OpenAIWrapper = ModelWrapper


class ModelWrapper(OpenAIWrapper):
    """AG2's list of clients, one per model entry, reporting the usage of every call to the running turn.

    AG2 keeps its own counters with each wrapper, so they are lost with every hand-off.
    """

    @functools.cached_property
    def openai_kwargs(self) -> set[str]:
        """The names of the arguments that openai's clients take.

        AG2 asks for them about twenty times per wrapper and inspects two signatures each time: 3.5 ms of CPU for a
        wrapper instead of 0.6, and a team builds a dozen of them.
        """
        return set(super().openai_kwargs)

    def _register_default_client(self, config: dict[str, Any], openai_config: dict[str, Any]) -> None:
        super()._register_default_client(config, openai_config)
        if type(self._clients[-1]) is OpenAIClient:
            self._clients[-1].__class__ = DirectClient  # building another would repeat its warnings about the key

    def _update_usage(self, actual_usage: Any, total_usage: Any) -> None:
        super()._update_usage(actual_usage, total_usage)
        calls = transport.current.get()
        if calls is not None and actual_usage:
            calls.on_usage(actual_usage)


class DirectClient(OpenAIClient):
    """AG2's client for the OpenAI protocol, with replayed answers and without the walk through the message list.

    The openai package walks through every message of every call looking for fields to rename, of which messages have
    none: 0.13 ms a message, 99 % of the CPU of a call at 1,000 messages. It leaves `extra_body` alone.
    """

    def create(self, params: dict[str, Any]) -> Any:
        turn = journal.current.get()
        recorded = turn.replay("model", str(params.get("model"))) if turn else None
        if recorded is not None:
            return ChatCompletion.model_validate(recorded["response"])
        response = self._call(params)
        _report_reasoning(response)
        _normalise(response)
        if turn is not None:
            turn.record("model", str(params.get("model")), response=functools.partial(_as_sent, response))
        return response

    def _call(self, params: dict[str, Any]) -> Any:
        messages = sendable(params.get("messages") or [])
        if messages:
            params = {**params, "messages": messages}
        if messages and params.get("stream") and "response_format" not in params:
            for message in messages:
                message.setdefault("role", "user")
            body = {"messages": messages} | ({"tools": params["tools"]} if params.get("tools") else {})
            stand_ins = {key: value[:1] for key, value in body.items()}
            params = params | stand_ins | {"extra_body": {**(params.get("extra_body") or {}), **body}}
        return super().create(params)


def _report_reasoning(response: Any) -> None:
    """Report the reasoning of an answer that came in one piece. That of streamed answers was shown as it came."""
    calls = transport.current.get()
    extra = getattr(response.choices[0].message, "model_extra", None) if response.choices else None
    if calls is not None and extra:
        calls.on_reasoning(stream_parser.reasoning_of(extra))


def _normalise(response: Any) -> None:
    """Turn pictures into Markdown, as in streamed answers, and tool calls into what AG2 can read."""
    for choice in response.choices or ():
        message = choice.message
        images = (message.model_extra or {}).pop("images", None)
        if images or isinstance(message.content, list):
            message.content = stream_parser.take_text({"content": message.content, "images": images})
        ids = set[str]()
        for call in message.tool_calls or ():
            if not call.id or call.id in ids:
                call.id = f"call_{uuid4().hex}"
            ids.add(call.id)
            if call.type == "function" and not is_json_object(call.function.arguments):
                call.function.arguments = _unusable(call.function.arguments)


def _unusable(arguments: str | None) -> str:
    """Return arguments that are not a JSON object in a form that AG2 reports to the model; on some it would raise."""
    return "{}" if not arguments or arguments == "null" else f"not an object: {arguments}"


def _as_sent(response: Any) -> dict[str, Any]:
    """Return the response as the model sent it, without what AG2 attaches to it."""
    plain: dict[str, Any] = response.model_dump(mode="json", include=set(ChatCompletion.model_fields))
    return plain
