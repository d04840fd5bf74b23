"""Tells why a model call failed, in the words of its server, and what a person can do about it."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Iterator

import httpx
import openai

from agentchat.models.normalize import Answer, TooMuch, error_of
from agentchat.protocol.errors import ChatError

MAX_WORDS = 300  # characters of a server's reason that are passed on

ENDINGS = {
    "length": "The model reached its limit of tokens, so this answer is cut off.",
    "limit": "This answer reached the server's limit of characters (--answer-chars), so it is cut off.",
    "content_filter": "The model's content filter ended this answer.",
    "damaged": "A part of this answer could not be read.",
    "error": "The model server ended this answer with an error.",
    "empty": "The model gave an empty answer.",
}
"""The sentences that tell people how an answer ended, by its finish reason."""

_NO_QUOTA = re.compile(r"insufficient_quota|insufficient balance|exceeded your current quota|billing", re.IGNORECASE)
_NO_KEY = re.compile(r"api.?key (is )?(not valid|invalid)|API_KEY_INVALID|(invalid|incorrect) api.?key", re.IGNORECASE)
_TOO_FAST = re.compile(r"rate.?limit", re.IGNORECASE)
_TOO_LONG = re.compile(
    r"context_length_exceeded|exceed_context_size|context (length|window|size)|maximum (context|prompt)|"
    r"(prompt|input|conversation|request) is too (long|large)|too many (input )?tokens|reduce the length",
    re.IGNORECASE,
)
_LIMITS = tuple(
    re.compile(pattern, re.IGNORECASE)
    for pattern in (
        r"\bn_ctx\W{1,4}(\d+)",
        r"(?:maximum|max|available) (?:context |prompt |input |model )?(?:length|window|size|len)\D{0,30}?(\d{3,})",
        r"context (?:length|window|size)\D{0,30}?(\d{3,})",
        r"> (\d{3,}) maximum",
        r"(?:limit|up to|at most|maximum)\D{0,20}?(\d{3,})",
    )
)
_SIZES = tuple(
    re.compile(pattern, re.IGNORECASE)
    for pattern in (
        r"\bn_prompt_tokens\W{1,4}(\d+)",
        r"(?:resulted in|requested|(?:request|prompt|input) (?:is|has|contains))\D{0,20}?(\d{3,})",
        r"(\d{3,})(?: tokens)? (?:>|exceeds)",
    )
)
_IMAGES = re.compile(
    r"image|vision|visual|multi-?modal|picture|mmproj|content\b.{0,80}\b(string|text|str)\b", re.IGNORECASE | re.DOTALL
)
_TAG = re.compile(r"<(script|style)\b.*?</\1>|<[^>]*>", re.IGNORECASE | re.DOTALL)
_TITLE = re.compile(r"<title[^>]*>(.*?)</title>", re.IGNORECASE | re.DOTALL)


class ModelFailure(openai.APIError):
    """A failed call: a row of ERRORS and the server's words. AG2 goes on to the next entry of the list, if any."""

    def __init__(self, row: str, request: httpx.Request, body: object, **details: object) -> None:
        self.row = row
        self.details = details
        self.status = 0  # of HTTP, if it is that which failed
        self.model = self.server = ""
        self.words = words_of(body)
        self.text = body if isinstance(body, str) else json.dumps(body, ensure_ascii=False, default=str)
        super().__init__(self.words or row, request, body=body)

    @property
    def context(self) -> tuple[int, int] | None:
        """The tokens that the model takes and those that it got, each 0 if not told; None if it wasn't too long."""
        if self.row != "model_too_long":
            return None
        return _number(_LIMITS, self.text), _number(_SIZES, self.text)


def failed(error: openai.APIError) -> Exception:
    """Return the failure that the openai package reports as `error`, with the server's own words."""
    if isinstance(error, ModelFailure):
        return error
    if isinstance(error, openai.APIStatusError):
        return _refused(error)
    if isinstance(error, openai.APITimeoutError):
        return ModelFailure("model_timeout", error.request, "")
    ours = next((cause for cause in _causes(error) if isinstance(cause, (ChatError, TooMuch))), None)
    if isinstance(ours, ChatError):
        return ours
    if isinstance(ours, TooMuch):
        return ModelFailure("model_too_much", error.request, "", problem=str(ours))
    if any(isinstance(c, (httpx.ConnectError, httpx.ConnectTimeout, httpx.ProxyError)) for c in _causes(error)):
        return ModelFailure("model_unreachable", error.request, "")
    if any(isinstance(c, httpx.ReadTimeout) for c in _causes(error)):
        return ModelFailure("model_timeout", error.request, "")
    return ModelFailure("model_failed", error.request, "", status=" in the middle of its answer")


def check(answer: Answer, response: httpx.Response) -> None:
    """Raise ModelFailure unless the answer is one."""
    request = response.request
    if answer.error is not None:
        row = _row(0, json.dumps(answer.error, ensure_ascii=False, default=str))
        raise ModelFailure(row, request, answer.error, status=" in the middle of its answer" if answer.text else "")
    if answer.fault == "broken off":
        raise ModelFailure("model_failed", request, "", status=" in the middle of its answer")
    if answer.fault or not answer.has_choice:
        raise ModelFailure("model_malformed", request, "" if answer.fault == "nothing" else answer.fault)
    if answer.finish_reason == "error" and not answer.text:
        raise ModelFailure("model_failed", request, "", status="")


def ending_of(answer: Answer) -> str:
    """Return the sentence about the end of an answer; empty if it ended normally."""
    if told := ENDINGS.get("damaged" if answer.is_damaged else answer.finish_reason or ""):
        return told
    return "" if answer.text.strip() or answer.calls else ENDINGS["empty"]


def refused_field(failure: ModelFailure, fields: Iterable[str]) -> str | None:
    """Return the first of these optional fields that the server's error names."""
    if failure.status not in {400, 422}:
        return None
    return next((field for field in fields if re.search(rf"(?<![\w-]){re.escape(field)}(?![\w-])", failure.text)), None)


def refuses_images(failure: ModelFailure) -> bool:
    """Return True if the request may succeed without its images."""
    return failure.status in {400, 404, 415, 422, 500, 501} and is_about_images(failure.text)


def is_about_images(text: str) -> bool:
    """Return True if a server's error is about images, or about content that is not a text."""
    return bool(_IMAGES.search(text))


def wants_alternation(failure: ModelFailure) -> bool:
    """Return True if the server, or its model's template, takes only histories in which the roles alternate."""
    return failure.status in {400, 422, 500} and "alternat" in failure.text.lower()


def explain(error: Exception, model: str, servers: str, redact: Callable[[str], str]) -> ChatError:
    """Return a failed call as a person reads it. `model` and `servers` are the names of those that are configured."""
    name = f"The model {model}"
    if isinstance(error, ChatError):
        return error
    if isinstance(error, ModelFailure):
        model, servers = error.model or model, error.server or servers
        name = f"The model {model}"
        named = dict.fromkeys(("model_rate_limited", "model_malformed", "model_too_much", "model_timeout"), name)
        at = f"{model} at {servers}" if error.row == "model_unreachable" else named.get(error.row, model)
        said = f" It says: {shortened(redact(error.words)).rstrip('.')}." if error.words else ""
        hints = [said.strip(), _HINTS.get(error.status, "") if not said or error.status in _ADDRESS else ""]
        hint = " ".join(filter(None, hints)) or "Check its base_url."
        return ChatError(error.row, **{"model": at, "said": said, "hint": hint, "status": "", **error.details})
    if isinstance(error, (TimeoutError, openai.APITimeoutError, httpx.TimeoutException)):
        return ChatError("model_timeout", model=name)
    if isinstance(error, openai.APIError):
        return explain(failed(error), model, servers, redact)
    if isinstance(error, httpx.ConnectError):
        return ChatError("model_unreachable", model=f"{model} at {servers}")
    if isinstance(error, httpx.TransportError):
        return ChatError("model_failed", model=model, status=" in the middle of its answer", said="")
    return ChatError("model_malformed", model=name, said="")


def words_of(body: object) -> str:
    """Return the reason in a body of any shape, in one line."""
    return " ".join(_words(body).split())


def shortened(words: str) -> str:
    """Return at most MAX_WORDS characters; secrets must be out of them already, since this may cut one in two."""
    return words if len(words) <= MAX_WORDS else words[: MAX_WORDS - 1] + "…"


def _words(body: object) -> str:
    if isinstance(body, str):
        try:
            inner = json.loads(body)
        except (ValueError, RecursionError):
            title = _TITLE.search(body)
            return title[1] if title else _TAG.sub(" ", body)
        return _words(inner) if isinstance(inner, (dict, list)) else body
    if isinstance(body, list):
        return "; ".join(found for each in body[:3] if (found := _words(each)))
    if not isinstance(body, dict):
        return ""
    for name in ("error", "message", "detail", "msg", "error_description", "reason", "title", "code", "type"):
        if found := _words(body.get(name)):
            place = body.get("loc") or body.get("param")
            metadata = body.get("metadata")
            raw = _words(metadata.get("raw")) if isinstance(metadata, dict) else ""
            path = ".".join(map(str, place)) if isinstance(place, list) else ""
            return f"{path}: {found}" if path else f"{found} ({raw})" if raw else found
    return ""


def _refused(error: openai.APIStatusError) -> ModelFailure:
    status = error.status_code
    text = error.response.text
    try:
        body = error_of(json.loads(text)) or json.loads(text)
    except (ValueError, RecursionError):
        body = text
    row = _row(status, text)
    failure = ModelFailure(row, error.request, body, status=f" (HTTP {status})" if row == "model_failed" else status)
    failure.status = status
    failure.code = error.code
    return failure


def _row(status: int, text: str) -> str:
    """Return the kind of error that a status (0: none) and a body stand for."""
    if _TOO_LONG.search(text) and status in {0, 400, 413, 422, 500}:
        return "model_too_long"
    if status == 402 or (status in {0, 403, 429} and _NO_QUOTA.search(text)):
        return "model_quota"
    if status in {401, 403} or (status in {0, 400} and _NO_KEY.search(text)):
        return "model_auth"
    if status == 429 or (status == 0 and _TOO_FAST.search(text)):
        return "model_rate_limited"
    if status == 0 or status >= 500 or status in {408, 409}:
        return "model_failed"
    return "model_rejected"


_ADDRESS = frozenset({301, 302, 307, 308, 404, 405})
"""The statuses that often mean a wrong base_url, whatever the server says."""

_HINTS = {
    **dict.fromkeys((301, 302, 307, 308), "It sends us to another address: set that as the base_url."),
    405: "Check `base_url`; it usually ends in /v1.",
    400: "The conversation may be too long for it, or it may lack tools or streaming.",
    404: "Check `model` and `base_url`; a base_url usually ends in /v1.",
    413: "The conversation is too long for it.",
}


def _number(patterns: tuple[re.Pattern[str], ...], text: str) -> int:
    return next((int(found[1]) for pattern in patterns if (found := pattern.search(text.replace(",", "")))), 0)


def _causes(error: BaseException) -> Iterator[BaseException]:
    cause: BaseException | None = error
    while cause is not None:
        yield cause
        cause = cause.__cause__
