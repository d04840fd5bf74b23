"""Our subclass of AG2's OpenAI client, and the only place that patches AG2's modules."""

from __future__ import annotations

import contextlib
import functools
import json
from collections.abc import Mapping
from typing import Any, ClassVar

import autogen
import autogen.oai.client
import httpx
import openai
from autogen import OpenAIWrapper
from autogen.agentchat import conversable_agent
from autogen.agentchat.group import guardrails
from autogen.oai.client import OpenAIClient
from autogen.oai.openai_responses import OpenAIResponsesClient
from autogen.oai.openai_utils import OAI_PRICE1K
from openai._base_client import make_request_options
from openai._types import RequestOptions
from openai.types.chat import ChatCompletion

from agentchat import cancellation, journal
from agentchat.models import failures, measured, normalize, responses_api, transport, vision, window_sizes
from agentchat.models.context_window import MIN_ROOM, fit, trim
from agentchat.models.failures import ModelFailure
from agentchat.models.normalize import BYTES_PER_TOKEN, Answer, TooMuch
from agentchat.models.sanitize import alternating, optional_fields, sendable, without
from agentchat.models.stream_parser import EventStreamParser, answer_of

Json = dict[str, Any]

OPENAI_PROTOCOL = frozenset({"openai", "azure", "deepseek", "responses"})
"""The api_types whose calls go through our client; AG2 has clients for the others, with time-outs of their own."""

WANT_THOUGHTS = ("deepseek", "kimi", "moonshot")
"""Words in the names of models or servers that want their thoughts back with their tool calls; others refuse them."""

TRIMMED = "The conversation is too long for the model, so its oldest messages were not sent, and long ones were cut."
ALTERNATION, SHORTER = "alternation", "shorter"  # what servers ask for, beside leaving out fields
DEFAULT_TIMEOUT = 120.0  # seconds between two bytes, for an agent's own configuration
MIN_SECRET_LENGTH = 8  # shorter "keys" are placeholders like "none", which occur in ordinary text
DEFAULT_RETRIES = 2  # as in the openai package


def install(timeout: float = DEFAULT_TIMEOUT) -> None:
    """Make AG2 build a `ModelWrapper` wherever it builds an OpenAIWrapper. Calling it again changes the time-out only.

    AG2 builds a wrapper with each agent, another at each tool registration and hand-off, and others for agents and
    guardrails of its own that nothing else can reach (those that choose the next speaker, say), always by this name.
    `timeout` is that of models which agent files configure themselves, in seconds between two bytes.
    """
    ModelWrapper.timeout = timeout
    for module in (autogen, autogen.oai, autogen.oai.client, conversable_agent, guardrails):
        module.OpenAIWrapper = ModelWrapper
    autogen.oai.client.log_cache_seed_value = _log_nothing


def _log_nothing(*arguments: object, **named: object) -> None:
    """Do nothing, in the place of a function that keeps the newest 128 clients so as to log nothing twice."""


class ModelWrapper(OpenAIWrapper):
    """AG2's list of clients, one per model entry, reporting the usage of every call to the running turn.

    AG2 keeps its own counters with each wrapper, so they are lost with every hand-off. Entries of an agent's own
    configuration get what ours have: the shared connections, time-outs, streaming.
    """

    extra_kwargs = OpenAIWrapper.extra_kwargs | {"vision"}  # which is ours, and no server's
    timeout = DEFAULT_TIMEOUT
    keys: ClassVar[frozenset[str]] = frozenset()
    """The API keys of all entries of this process, which must never leave it. Replaced, never changed."""

    @functools.cached_property
    def openai_kwargs(self) -> set[str]:
        """The names of the arguments that openai's clients take.

        AG2 asks for them about twenty times per wrapper and inspects two signatures each time: 3.5 ms of CPU for a
        wrapper instead of 0.6, and a team builds a dozen of them.
        """
        return set(super().openai_kwargs)

    def _register_default_client(self, config: Json, openai_config: Json) -> None:
        is_ours = isinstance(config.get("http_client") or openai_config.get("http_client"), transport.ModelClient)
        if not is_ours and config.get("api_type", "openai") in OPENAI_PROTOCOL and not config.get("model_client_cls"):
            retries = config.get("max_retries", DEFAULT_RETRIES)
            retrying = transport.RetryingTransport(transport.pool(), retries)
            client = transport.ModelClient(retrying, config.get("timeout") or self.timeout)
            config = {**config, "http_client": client, "max_retries": 0}
            if config.get("base_url"):
                config.setdefault("api_key", "none")
        super()._register_default_client(config, openai_config)
        client = self._clients[-1]
        key = str(config.get("api_key") or "")
        if type(client) in {OpenAIClient, OpenAIResponsesClient}:
            client.__class__ = DirectClient  # building another would repeat its warnings about the key
            client.begin(
                is_responses=config.get("api_type") == "responses", streams=config.get("stream") or not is_ours
            )
            key = client.key  # perhaps from the environment
            client.declare(str(config.get("model")), config.get("vision"))
        if len(key) >= MIN_SECRET_LENGTH and key not in self.keys:
            ModelWrapper.keys |= {key}

    def create(self, **config: Any) -> Any:
        """Return the answer of the first client that has one."""
        calls = transport.current.get()
        with calls.answering() if calls is not None else contextlib.nullcontext():
            return self._create(**config)

    def _create(self, **config: Any) -> Any:
        """Return the answer, also of clients of AG2's or an agent file's own.

        They can't be interrupted, so a stopped turn leaves the thread of their call behind.
        """
        if all(isinstance(client, DirectClient) for client in self._clients):
            return super().create(**config)
        is_left_out = False
        if "messages" in config:
            sees = all(entry.get("vision") is True for entry in self._config_list)
            config["messages"], is_left_out = vision.seen(fit(config["messages"]), sees)
        calls = transport.current.get()
        if calls is not None and is_left_out:
            calls.on_notice(vision.UNSEEN)
        if calls is not None and not isinstance(self._clients[0], DirectClient):
            calls.begin_call()
        measured.measure_others(self._clients, self._config_list, DirectClient)
        return cancellation.call(functools.partial(super().create, **config), "model-call")

    def _update_usage(self, actual_usage: Any, total_usage: Any) -> None:
        super()._update_usage(actual_usage, total_usage)
        measured.paid(actual_usage or {})
        calls = transport.current.get()
        if calls is not None and actual_usage:
            calls.on_usage(actual_usage)


class DirectClient(OpenAIClient):
    """AG2's client for the OpenAI protocol, with replayed answers, both of OpenAI's APIs and any server's dialect.

    AG2's class corrects the history for certain models (DeepSeek's alternating roles, Mistral's system role), and then
    calls `chat.completions.create`, which is `Completions` here. AG2 itself asks for no stream: the transport shows the
    text of a streamed answer as it comes, and what arrives here is the whole answer.
    """

    def begin(self, is_responses: bool, streams: bool) -> None:
        """Take over from the client that AG2 has made."""
        self.key = str(self._oai_client.api_key)
        self._streams = streams
        self._completions = Completions(self._oai_client, is_responses)
        self.__dict__["_oai_client"] = self._completions

    def declare(self, model: str, sees: object) -> None:
        """Take over what the model's entry says of its sight."""
        vision.declare(self._completions.origin(model), sees)

    def create(self, params: Json) -> Any:
        turn = journal.current.get()
        recorded = turn.replay("model", str(params.get("model"))) if turn else None
        if recorded is not None:
            return ChatCompletion.model_validate(recorded["response"])
        with measured.call(str(params.get("model")), self._completions.server, params) as call:
            response = self._call(dict(params))
            measured.answered(call, self, response)
        if turn is not None:
            turn.record("model", str(params.get("model")), response=functools.partial(_as_sent, response))
        return response

    def _call(self, params: Json) -> Any:
        model = str(params.get("model"))
        messages = sendable(params.get("messages") or [], self._completions.origin(model))
        params["messages"] = fit(messages, params.get("tools") or (), self._completions.window(model))
        calls = transport.current.get()
        if calls is not None and messages and params["messages"][-1] != messages[-1]:  # what was just said is cut
            calls.on_notice(TRIMMED)
        params.pop("stream", None)
        is_structured = self.response_format is not None or "response_format" in params
        if self._streams and not is_structured and not model.startswith("o1"):  # AG2 streams neither
            streaming = {"stream": True, "stream_options": {"include_usage": True}}
            params["extra_body"] = {**(params.get("extra_body") or {}), **streaming}
        return super().create(params)

    def cost(self, response: Any) -> float:
        """Return the price of an answer in US dollars; 0 if it is unknown, without the warning that AG2 logs."""
        return super().cost(response) if response.model in OAI_PRICE1K else 0.0

    @staticmethod
    def get_usage(response: Any) -> Json:
        usage: Json = OpenAIClient.get_usage(response)
        return usage | ({"estimated": True} if getattr(response.usage, "estimated", False) else {})


class Completions:
    """Stands in for the openai client of which AG2 calls `chat.completions.create`.

    The openai package would walk through every message of every call looking for fields to rename, of which messages
    have none: 0.13 ms a message, 99 % of the CPU of a call at 1,000 messages. It is used for the request alone.
    """

    def __init__(self, client: openai.OpenAI, is_responses: bool) -> None:
        self._client = client
        self._is_responses = is_responses
        self._refused: set[str] = set()  # fields that this server does not know, and ALTERNATION

    def __getattr__(self, name: str) -> Any:
        return getattr(self._client, name)

    @property
    def chat(self) -> Completions:
        """This object itself, and so are its `completions`."""
        return self

    completions = chat

    def origin(self, model: str) -> str:
        """Return the name under which answers of this model and server are known."""
        return origin(model, self._client.base_url)

    @property
    def server(self) -> str:
        """The host and port of the model server."""
        return transport.server_name(self._client.base_url)

    def window(self, model: str) -> window_sizes.Size:
        """Return the context window of the model, as far as its server tells."""
        return window_sizes.of(self._client, model)

    def create(
        self,
        *,
        extra_headers: Mapping[str, str] | None = None,
        extra_query: Mapping[str, object] | None = None,
        extra_body: Mapping[str, Any] | None = None,
        timeout: float | None = None,
        **params: Any,
    ) -> Any:
        """Return the answer to a request. Raises openai.APIError."""
        body = {key: value for key, value in params.items() if value is not None} | dict(extra_body or {})
        options = make_request_options(
            extra_headers=extra_headers,
            extra_query=extra_query,
            timeout=openai.not_given if timeout is None else timeout,
        )
        answer, response = self._ask(body, options)
        return self._completion(answer, response, str(body.get("model")))

    def _ask(self, body: Json, options: RequestOptions) -> tuple[Answer, httpx.Response]:
        """Return the answer to a request, changed as long as the server asks for something new."""
        learned = set[str]()
        sight = vision.Sight(self.origin(str(body.get("model"))))
        while True:
            try:
                answer = self._send(body, options, sight)
                sight.answered()
                if (calls := transport.current.get()) is not None and sight.notice:
                    calls.on_notice(sight.notice)
                return answer
            except ModelFailure as failure:
                if sight.refused(failure):
                    continue
                unwanted = self._unwanted(body, failure)
                shorter = None if unwanted or SHORTER in learned else self._shortened(body, failure)
                if unwanted is None and shorter is None:
                    self._refused -= learned  # it was something else
                    raise
            learned.add(unwanted or SHORTER)
            if unwanted:
                self._refused.add(unwanted)
            body = shorter or body

    def _unwanted(self, body: Json, failure: ModelFailure) -> str | None:
        """Return what the server refuses in a request that can do without: a field, or roles that do not alternate."""
        optional = {"stream_options"} & body.keys() | optional_fields(body["messages"])
        if field := failures.refused_field(failure, sorted(optional - self._refused)):
            return field
        is_new = ALTERNATION not in self._refused and failures.wants_alternation(failure)
        return ALTERNATION if is_new else None

    def _shortened(self, body: Json, failure: ModelFailure) -> Json | None:
        """Return a request without the oldest messages if the server says that this one is too long, else None."""
        if failure.context is None:
            return None
        shorter = trim(body["messages"], _room(body, *failure.context))
        if shorter == body["messages"]:
            return None
        if (calls := transport.current.get()) is not None:
            calls.on_notice(TRIMMED)
        return {**body, "messages": shorter}

    def _send(self, body: Json, options: RequestOptions, sight: vision.Sight) -> tuple[Answer, httpx.Response]:
        if self._refused:
            messages = alternating(body["messages"]) if ALTERNATION in self._refused else body["messages"]
            body = {**body, "messages": without(messages, self._refused)}
            body = {key: value for key, value in body.items() if key not in self._refused}
        body = {**body, "messages": sight.shown(body["messages"])}
        path = "/chat/completions"
        if self._is_responses:
            path, body = "/responses", responses_api.request_of(body)
        try:
            response: httpx.Response = self._client.post(path, cast_to=httpx.Response, body=body, options=options)
            calls = transport.current.get()
            answer = _answer(response, calls.answer_chars if calls is not None else 0)
            failures.check(answer, response)
        except openai.APIError as error:
            failure = failures.failed(error)
            if isinstance(failure, ModelFailure):
                failure.model, failure.server = str(body.get("model")), self.server
            raise failure from error
        return answer, response

    def _completion(self, answer: Answer, response: httpx.Response, model: str) -> ChatCompletion:
        if (calls := transport.current.get()) is not None:
            calls.on_reasoning("".join(answer.thoughts))
            calls.on_notice(failures.ending_of(answer), is_cut_off=answer.finish_reason == "length")
        origin = self.origin(model)
        completion = normalize.completion(answer, origin, any(w in origin.lower() for w in WANT_THOUGHTS), model)
        completion["usage"] = normalize.estimated(completion["usage"], response.request.content)
        choice = completion["choices"][0]
        if calls is not None:
            for call in choice["message"].get("tool_calls") or ():
                call["id"] = calls.own_call_id(call["id"])
        if choice["finish_reason"] in {"error", "limit"}:  # of which OpenAI knows nothing
            choice["finish_reason"] = "stop"
        return ChatCompletion.model_validate(completion)


def origin(model: str, base_url: object) -> str:
    """Return the name under which a model of a server is known."""
    return f"{model}@{transport.server_name(base_url)}"


def _room(body: Json, limit: int, size: int) -> int:
    """Return the tokens, as `trim` counts them, that messages may have where the model takes `limit` in all.

    `size` is how many the request had, 0 if the server has not told; an eighth is left for the answer.
    """
    counted = len(json.dumps(body["messages"], ensure_ascii=False).encode("utf-8", "replace")) // BYTES_PER_TOKEN
    others = len(json.dumps(body.get("tools") or [])) // BYTES_PER_TOKEN
    scale = (counted + others) / size if size else 1.0
    return max(int((limit or (counted + others) // 2) * scale * 7 / 8) - others, MIN_ROOM)


def _answer(response: httpx.Response, characters: int) -> Answer:
    """Return the answer of a body: of the line that the transport makes of a stream, or of the server's own JSON.

    That is cut off after so many characters; 0 for no limit.
    """
    try:
        body = json.loads(response.content)
    except (ValueError, RecursionError):
        # A stream under another name; a page of a proxy, which holds nothing that looks like an event, fails.
        parser = EventStreamParser(lambda text, is_reasoning: None)
        return normalize.shortened(answer_of(parser.feed(response.content) or parser.flush()), characters)
    if not isinstance(body, dict):
        return Answer(error=normalize.error_of(body))
    is_line = "texts" in body and "fault" in body
    try:
        return answer_of(response.content) if is_line else normalize.shortened(normalize.whole(body), characters)
    except TooMuch as error:
        raise ModelFailure("model_too_much", response.request, "", problem=str(error)) from error


def _as_sent(response: Any) -> Json:
    """Return the response as the model sent it, without what AG2 attaches to it."""
    plain: Json = response.model_dump(mode="json", include=set(ChatCompletion.model_fields))
    return plain
