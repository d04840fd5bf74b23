"""The description of the routes for programs: OpenAPI 3.1."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Any

from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from agentchat import __version__
from agentchat.http.responses import Error, SseMessage
from agentchat.http.routes import BYTES, EVENT_STREAM, JSON, ZIP, Route
from agentchat.protocol.errors import ERRORS

_COMMON_ERRORS = (
    "bad_request", "host_refused", "origin_refused", "internal", "store_failed", "store_locked", "store_damaged",
    "store_removed", "store_unusable", "too_many_connections",
    "too_many_requests", "server_full", "head_too_large", "request_timeout",
)  # fmt: skip
_BODY_ERRORS = ("length_required", "body_too_large", "type_unsupported")
_COMMAND_ERRORS = ("id_reused",)
_REF = "#/components/schemas/{model}"


def describe(routes: Sequence[Route]) -> dict[str, Any]:
    """Return the OpenAPI document."""
    paths: dict[str, dict[str, Any]] = {}
    for route in routes:
        paths.setdefault(route.path, {})[route.method.lower()] = _operation(route)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "agentchat",
            "version": __version__,
            "summary": "A chat server for AG2 agents.",
            "description": "Words, events and errors are explained in docs/protocol.md and docs/rest.md.",
        },
        "servers": [{"url": ".."}],
        "paths": paths,
        "components": {"schemas": _schemas(routes)},
    }


def _schemas(routes: Sequence[Route]) -> Any:
    models: set[type[BaseModel]] = {Error, SseMessage}
    for route in routes:
        used = (route.body, *route.answers.values())
        models |= {model for model in used if model is not None and issubclass(model, BaseModel)}
    by_name = sorted(models, key=lambda model: model.__name__)
    return models_json_schema([(model, "validation") for model in by_name], ref_template=_REF)[1]["$defs"]


def _operation(route: Route) -> dict[str, Any]:
    operation: dict[str, Any] = {
        "operationId": route.operation_id,
        "summary": route.summary,
        "parameters": [
            *({"name": name, "in": "path", "required": True, "schema": {"type": "string", "minLength": 1}}
              for name in re.findall(r"\{(\w+)\}", route.path)),
            *_parameters(route.query, "query"),
            *_parameters(route.headers, "header"),
        ],
        "responses": {**_answers(route), **_errors(route)},
    }  # fmt: skip
    if route.body is not None:
        operation["requestBody"] = {"required": route.needs_body, **_body(route)}
    return operation


def _parameters(model: type[BaseModel] | None, location: str) -> Iterator[dict[str, Any]]:
    schema = model.model_json_schema() if model is not None else {"properties": {}}
    for name, about in schema["properties"].items():
        about = {key: value for key, value in about.items() if key != "title"}
        parameter = {"name": name, "in": location, "required": name in schema.get("required", ())}
        if "description" in about:
            parameter["description"] = about.pop("description")
        if "anyOf" in about:  # null stands for a parameter that is left out
            [about] = [choice for choice in about["anyOf"] if choice != {"type": "null"}]
        yield {**parameter, "schema": about}


def _body(route: Route) -> dict[str, Any]:
    if route.body is None or not issubclass(route.body, BaseModel):
        return {"description": f"At most {route.max_body:,} bytes of any Content-Type", "content": {"*/*": {}}}
    return {"content": {JSON: {"schema": _ref(route.body)}}}


def _answers(route: Route) -> dict[str, Any]:
    answers: dict[str, Any] = {}
    for status, model in route.answers.items():
        answer: dict[str, Any] = {"description": (model.__doc__ or route.summary) if model else "Done."}
        if model is not None:
            answer["content"] = {type: {"schema": _schema(type, model)} for type in route.types}
        if route.sent_headers:
            answer["headers"] = {
                name: {"description": description, "required": True, "schema": {"type": "string"}}
                for name, description in route.sent_headers.items()
            }
        answers[str(status)] = answer
    return answers


def _schema(type: str, model: type[BaseModel]) -> dict[str, Any]:
    if type == JSON:
        return _ref(model)
    if type in {BYTES, ZIP}:
        return {}
    return _ref(SseMessage) if type == EVENT_STREAM else {"type": "string"}


def _errors(route: Route) -> dict[str, Any]:
    sentences: dict[str, list[str]] = {}
    of_command = (*(_COMMAND_ERRORS if route.is_command else ()), *(("too_fast",) if route.is_limited else ()))
    for code in (*_COMMON_ERRORS, *(_BODY_ERRORS if route.body else ()), *of_command, *route.errors):
        sentences.setdefault(str(ERRORS[code].status), []).append(f"`{code}`: {ERRORS[code].sentence}")
    content = {JSON: {"schema": _ref(Error)}}
    return {s: {"description": "\n\n".join(lines), "content": content} for s, lines in sorted(sentences.items())}


def _ref(model: type[BaseModel]) -> dict[str, str]:
    return {"$ref": _REF.format(model=model.__name__)}
