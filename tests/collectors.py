"""A collector of OpenTelemetry's traces, as far as tests need one: OTLP over HTTP, in protobuf."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest


@dataclass(frozen=True)
class CollectedSpan:
    """A span as it arrived."""

    name: str
    kind: int
    id: bytes
    parent: bytes
    trace: bytes
    attributes: Mapping[str, Any]
    is_error: bool
    resource: Mapping[str, Any]


class Collector:
    """Collects what is sent to `endpoint`; with `answers=False` it takes requests and never answers them."""

    def __init__(self, answers: bool = True) -> None:
        self.bodies: list[bytes] = []
        self.has_been_asked = threading.Event()
        self._let_go = threading.Event()
        if answers:
            self._let_go.set()
        collector = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                assert self.path == "/v1/traces"
                assert self.headers["Content-Type"] == "application/x-protobuf"
                body = self.rfile.read(int(self.headers["Content-Length"]))
                collector.has_been_asked.set()
                collector._let_go.wait()
                collector.bodies.append(body)
                self.send_response(200)
                self.end_headers()

            def log_message(self, format: str, *args: Any) -> None:
                """Log nothing."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,), name="collector", daemon=True)

    def __enter__(self) -> Collector:
        self._thread.start()
        return self

    def __exit__(self, *exception: object) -> None:
        self._let_go.set()
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    @property
    def endpoint(self) -> str:
        return f"http://127.0.0.1:{self._server.server_port}"

    @property
    def spans(self) -> list[CollectedSpan]:
        """The spans that have arrived, in the order of their beginnings."""
        found = []
        for body in self.bodies:
            for of_resource in ExportTraceServiceRequest.FromString(body).resource_spans:
                resource = _values(of_resource.resource.attributes)
                for span in (span for scope in of_resource.scope_spans for span in scope.spans):
                    about = (span.span_id, span.parent_span_id, span.trace_id, _values(span.attributes))
                    is_error = span.status.code == span.status.STATUS_CODE_ERROR
                    collected = CollectedSpan(span.name, span.kind, *about, is_error, resource)
                    found.append((span.start_time_unix_nano, collected))
        return [span for _, span in sorted(found, key=lambda each: each[0])]


def _values(attributes: Any) -> dict[str, Any]:
    return {each.key: _value(each.value) for each in attributes}


def _value(value: Any) -> Any:
    kind = value.WhichOneof("value")
    return [_value(each) for each in value.array_value.values] if kind == "array_value" else getattr(value, kind)
