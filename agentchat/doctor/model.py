"""The models that are configured, each tried with the smallest calls that show anything.

The first asks for a few words, the second for a call of a tool.
"""

from __future__ import annotations

import contextlib
import socket
import ssl
import threading
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import httpx

from agentchat import cancellation
from agentchat.cancellation import Stopped, StopToken
from agentchat.doctor import clock
from agentchat.doctor.finding import OK, PROBLEM, SKIPPED, WARNING, Finding, Setup, sentences
from agentchat.knowledge import EmbeddingError
from agentchat.models import transport
from agentchat.models.embeddings import Embeddings
from agentchat.models.openai_client import OPENAI_PROTOCOL, ModelWrapper
from agentchat.models.transport import ModelClient, server_name
from agentchat.protocol.errors import ChatError, SettingsError

MODEL, KEY, STREAMS, TOOLS, EMBEDDINGS = "model", "model-key", "model-streams", "model-tools", "embeddings"
REST = (KEY, STREAMS, TOOLS)
DEADLINE = 30.0  # seconds for a call, unless --model-timeout is less
OPENAI = "https://api.openai.com/v1"
HELLO = "Say hello in three words."
TOOL = "weather_forecast"
ASK_FOR_TOOL = f"What is the weather in Oslo? Call {TOOL} to find out."
TOOLS_OFFERED = [
    {
        "type": "function",
        "function": {
            "name": TOOL,
            "description": "Return the weather forecast for a city.",
            "parameters": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
        },
    }
]

_MENDS = {
    "model_auth": "Set the right key: api_key in OAI_CONFIG_LIST, OPENAI_API_KEY, or the variable of --api-key-env.",
    "model_unreachable": "Start it, or check its base_url (--base-url, OAI_CONFIG_LIST) and the network.",
    "model_proxy": "Check the proxy, or add the model server to NO_PROXY.",
    "model_network": "Check the network, the variables of proxies and those of certificates.",
    "model_timeout": "Try again, since a model may have to be loaded first; else look at its server.",
    "model_rejected": "Check the name of the model and its base_url, which usually ends in /v1.",
    "model_failed": "Look at the log of the model server, and try again.",
    "model_malformed": "Check its base_url, which usually ends in /v1.",
}
_SAID = "It says: "


def look(setup: Setup, is_offline: bool) -> Iterator[Finding]:
    """Yield what each model does; nothing is sent if this `is_offline`."""
    models = setup.models
    if models is None:
        yield from _skipped((MODEL, *REST), "The configuration of the model cannot be used.")
    elif models.is_demo:
        what = "The offline demo model answers: no real one is "
        what += "asked, because of `demo`." if setup.chosen.demo else "configured (OPENAI_API_KEY, OAI_CONFIG_LIST)."
        yield Finding(MODEL, OK, what)
        yield from _skipped(REST, "The demo model needs no server and no key, streams, and calls tools.")
    elif is_offline:
        yield from _skipped((MODEL, *REST), f"{models.name} at {models.servers} was not asked (--offline).")
    else:
        seconds = min(setup.chosen.model_timeout, DEADLINE)
        for place, entry in enumerate(models.llm_config.config_list):
            for finding in _Trial(setup, entry, seconds).findings():
                is_reserve = place > 0 and finding.status == PROBLEM  # others answer first
                yield Finding(finding.name, WARNING, finding.message, finding.mend) if is_reserve else finding
        if setup.chosen.embedding_model:
            yield _embeddings(setup)


def look_without_asking(setup: Setup) -> Iterator[Finding]:
    """Yield what is wrong with the models whatever they would say."""
    if setup.chosen.embedding_model and setup.models is not None and setup.models.is_demo:
        message = "The demo model has no embeddings: documents are searched by words alone."
        yield Finding(EMBEDDINGS, WARNING, message, "Configure a model, or leave --embedding-model out.")


class _Trial:
    """One entry of the models while it is tried."""

    def __init__(self, setup: Setup, entry: Any, seconds: float) -> None:
        assert setup.models is not None
        self._models = setup.models
        self._entry = entry
        self._seconds = seconds
        self._server = server_name(str(entry.base_url or OPENAI))
        self._name = f"{entry.model} at {self._server}"
        self._streams = bool(getattr(entry, "stream", False))
        self._date: tuple[str, float] | None = None  # the newest of the server, and when it came
        if isinstance(entry.http_client, ModelClient):
            entry.http_client.event_hooks = {"response": [self._note_date]}

    def findings(self) -> Iterator[Finding]:
        """Ask, and yield what comes of it."""
        yield from self._all()
        if self._date is not None and (told := clock.beside(*self._date, self._server)) is not None:
            yield told

    def _all(self) -> Iterator[Finding]:
        heard = _Heard()
        _, error = self._ask(heard, HELLO)
        refusal = None
        if error is not None and self._streams and error.code in {"model_rejected", "model_failed", "model_malformed"}:
            _, without = self._ask(_Heard(), HELLO, stream=False)
            if without is None:
                refusal, error = error, None
        if error is not None:
            yield from self._failed(error)
            return
        yield Finding(MODEL, OK, f"The model {self._name} answers.")
        yield Finding(KEY, OK, f"The server of {self._name} accepts the key, or needs none.")
        yield self._of_streams(heard, refusal)
        yield self._of_tools(stream=self._streams and refusal is None)

    def _failed(self, error: ChatError) -> Iterator[Finding]:
        if error.code in {"model_auth", "model_quota", "model_rate_limited"}:
            yield Finding(MODEL, OK, f"The server of {self._name} is reached.")
            status = WARNING if error.code == "model_rate_limited" else PROBLEM
            yield Finding(KEY, status, *self._told(error))
            yield from _skipped((STREAMS, TOOLS), f"{self._name} gave no answer.")
        else:
            yield Finding(MODEL, PROBLEM, *self._told(error))
            yield from _skipped(REST, f"{self._name} gave no answer.")

    def _of_streams(self, heard: _Heard, refusal: ChatError | None) -> Finding:
        mend = 'Set "stream": false in its entry of OAI_CONFIG_LIST, or use a server that streams.'
        if refusal is not None:
            return Finding(STREAMS, PROBLEM, f"{self._name} refuses to stream: {self._told(refusal)[0]}", mend)
        if self._entry.api_type not in OPENAI_PROTOCOL:
            return Finding(STREAMS, SKIPPED, f"{self._name} is called by AG2's own client.")
        if not self._streams:
            return Finding(STREAMS, SKIPPED, f"{self._name} is not to stream, as its entry says.")
        if heard.has_streamed:
            return Finding(STREAMS, OK, f"{self._name} streams its answers.")
        return Finding(STREAMS, PROBLEM, f"{self._name} was asked to stream, and answered in one piece.", mend)

    def _of_tools(self, stream: bool) -> Finding:
        message, error = self._ask(_Heard(), ASK_FOR_TOOL, tools=TOOLS_OFFERED, stream=stream)
        mend = "Use a model that calls tools, or only agents without any."
        if error is not None:
            told, other = self._told(error)
            is_of_tools = error.code == "model_rejected"
            return Finding(TOOLS, PROBLEM, f"With a tool, {told[0].lower() + told[1:]}", mend if is_of_tools else other)
        if not getattr(message, "tool_calls", None):
            return Finding(TOOLS, PROBLEM, f"{self._name} was asked to call a tool, and answered in words.", mend)
        return Finding(TOOLS, OK, f"{self._name} calls tools.")

    def _ask(
        self, heard: _Heard, text: str, tools: Sequence[Mapping[str, Any]] = (), stream: bool = True
    ) -> tuple[Any, ChatError | None]:
        """Return the model's message, or why there is none."""
        entry = self._entry if stream or not self._streams else self._entry.model_copy(update={"stream": False})
        token = StopToken()
        late = ChatError("model_timeout", model=f"The model {self._name}")
        timer = threading.Timer(self._seconds, token.stop, ("failed", late))
        timer.daemon = True
        outer, calls = cancellation.current.set(token), transport.current.set(heard)
        timer.start()
        try:
            config: dict[str, Any] = {"messages": [{"role": "user", "content": text}]}
            response = ModelWrapper(config_list=[entry]).create(**config, **({"tools": tools} if tools else {}))
            return response.choices[0].message, None
        except Stopped as stopped:
            return None, stopped.error or late
        except Exception as error:  # noqa: BLE001 - clients of AG2's raise whatever theirs do
            explained = self._models.explain(error)
            explained.__cause__ = error
            return None, explained
        finally:
            timer.cancel()
            heard.close()
            transport.current.reset(calls)
            cancellation.current.reset(outer)

    def _told(self, error: ChatError) -> tuple[str, str]:
        """Return what is wrong, and its mend."""
        if error.code == "model_timeout":
            return f"The model {self._name} did not answer within {self._seconds:g} seconds.", _MENDS[error.code]
        if error.code == "model_unreachable":
            reason, mend = _unreachable(error)
            return f"The server of {self._name} cannot be reached{reason}.", mend or _MENDS[error.code]
        whole, _, said = error.message.partition(_SAID)
        message, *rest = sentences(whole.strip()) or [""]
        said, *hints = sentences(said) if said else [""]
        mend = _MENDS.get(error.code) or " ".join((*rest, *hints)) or "Look at the log of the model server."
        if error.code == "model_rejected" and (rest or hints):
            mend = " ".join((*rest, *hints))
        if self._entry.model not in message:
            message = f"{self._name}: {message}"
        return " ".join(filter(None, (message, f"{_SAID}{said}" if said else ""))), mend

    def _note_date(self, response: httpx.Response) -> None:
        if date := response.headers.get("date"):
            self._date = date, clock.now()


def _unreachable(error: BaseException) -> tuple[str, str]:
    """Return why no connection was made and the mend, both "" if nothing is known."""
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, ssl.SSLCertVerificationError):
            mend = "Name the certificates to trust in SSL_CERT_FILE, or check the address and the clock."
            return f": its certificate is not accepted ({cause.verify_message})", mend
        if isinstance(cause, ssl.SSLError):
            return ": it does not speak TLS as expected", "Check whether its base_url begins with http or https."
        if isinstance(cause, socket.gaierror):
            return ": its name is not known here", "Check the name in its base_url, and DNS."
        cause = cause.__cause__ or cause.__context__
    return "", ""


class _Heard:
    """The parts of one answer, as a turn would be told of them."""

    answer_chars = 0

    def __init__(self) -> None:
        self.has_streamed = False
        self._streams: list[httpx.SyncByteStream] = []

    def close(self) -> None:
        for stream in self._streams:
            stream.close()

    @contextlib.contextmanager
    def answering(self) -> Iterator[None]:
        yield

    def answer_opened(self, stream: httpx.SyncByteStream) -> None:
        self._streams.append(stream)

    def on_text(self, text: str, is_reasoning: bool) -> None:
        self.has_streamed = True

    def own_call_id(self, id: str) -> str:
        return id

    def begin_call(self) -> None:
        """Nothing limits the calls."""

    def on_reasoning(self, text: str) -> None:
        """Nobody reads it."""

    def on_notice(self, text: str, is_cut_off: bool = False) -> None:
        """Nobody reads it."""

    def on_usage(self, usage: Mapping[str, Any]) -> None:
        """Nobody pays for it here."""


def _embeddings(setup: Setup) -> Finding:
    assert setup.models is not None
    name = setup.chosen.embedding_model
    mend = "Check --embedding-model, or leave it out: documents are searched by words then."
    try:
        Embeddings(setup.models.llm_config, name)(["hello"])
    except (EmbeddingError, SettingsError) as error:
        return Finding(EMBEDDINGS, PROBLEM, f"The embedding model {name} cannot be used: {error}", mend)
    return Finding(EMBEDDINGS, OK, f"The embedding model {name} answers.")


def _skipped(names: Sequence[str], why: str) -> Iterator[Finding]:
    for name in names:
        yield Finding(name, SKIPPED, why)
