"""The description of the routes for programs: OpenAPI 3.1."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Any

from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from agentchat import __version__
from agentchat.http.responses import Error, SseMessage
from agentchat.http.routes import BYTES, EVENT_STREAM, JSON, Route
from agentchat.protocol.errors import ERRORS

PATH = "/api/openapi.json"
ANYWHERE = ("bad_request", "host_refused", "origin_refused", "internal", "store_failed", "too_many_connections")
WITH_BODY = ("length_required", "body_too_large", "type_unsupported")

_REF = "#/components/schemas/{model}"


def describe(routes: Sequence[Route]) -> dict[str, Any]:
    """The whole description."""
    models: set[type[BaseModel]] = {Error, SseMessage}
    for route in routes:
        models |= {model for model in (route.body, *route.answers.values()) if model is not None}
    by_name = sorted(models, key=lambda model: model.__name__)
    _, schemas = models_json_schema([(model, "validation") for model in by_name], ref_template=_REF)
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
        "servers": [{"url": "/"}],
        "paths": paths,
        "components": {"schemas": schemas["$defs"]},
    }


def _operation(route: Route) -> dict[str, Any]:
    operation: dict[str, Any] = {
        "operationId": route.name,
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
        operation["requestBody"] = {"required": route.needs_body, "content": {JSON: {"schema": _ref(route.body)}}}
    elif route.most:
        about = f"Bytes of any kind and any Content-Type, at most {route.most:,}"
        operation["requestBody"] = {"required": True, "description": about, "content": {"*/*": {}}}
    return operation


def _parameters(model: type[BaseModel], place: str) -> Iterator[dict[str, Any]]:
    schema = model.model_json_schema()
    for name, about in schema["properties"].items() if "properties" in schema else ():
        about = {key: value for key, value in about.items() if key != "title"}
        parameter = {"name": name, "in": place, "required": name in schema.get("required", ())}
        if "description" in about:
            parameter["description"] = about.pop("description")
        if "anyOf" in about:  # None stands for a parameter that is not there
            [about] = [choice for choice in about["anyOf"] if choice != {"type": "null"}]
        yield {**parameter, "schema": about}


def _answers(route: Route) -> dict[str, Any]:
    answers: dict[str, Any] = {}
    for status, model in route.answers.items():
        answer: dict[str, Any] = {"description": (model.__doc__ or route.summary) if model else "Done."}
        if model is not None:
            answer["content"] = {type: {"schema": _schema(type, model)} for type in route.types}
        if route.sends:
            answer["headers"] = {
                name: {"description": meaning, "required": True, "schema": {"type": "string"}}
                for name, meaning in route.sends.items()
            }
        answers[str(status)] = answer
    return answers


def _schema(type: str, model: type[BaseModel]) -> dict[str, Any]:
    if type == JSON:
        return _ref(model)
    if type == BYTES:
        return {}
    return _ref(SseMessage) if type == EVENT_STREAM else {"type": "string"}


def _errors(route: Route) -> dict[str, Any]:
    """By status, what may go wrong."""
    sentences: dict[str, list[str]] = {}
    for code in (*ANYWHERE, *(WITH_BODY if route.body or route.most else ()), *route.errors):
        sentences.setdefault(str(ERRORS[code].status), []).append(f"`{code}`: {ERRORS[code].sentence}")
    content = {JSON: {"schema": _ref(Error)}}
    return {s: {"description": "\n\n".join(lines), "content": content} for s, lines in sorted(sentences.items())}


def _ref(model: type[BaseModel]) -> dict[str, str]:
    return {"$ref": _REF.format(model=model.__name__)}
