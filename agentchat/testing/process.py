"""Keeps the process of a test as it was: a talk needs the terminal and the network to itself, and gives them back."""

from __future__ import annotations

import builtins
import contextlib
import getpass
import sys
import threading
from collections.abc import Iterator

import httpx
from autogen.io.base import IOStream

from agentchat.ag2 import instrument
from agentchat.ag2.iostream import NullStream
from agentchat.models import openai_client, transport
from agentchat.models.openai_client import ModelWrapper
from agentchat.testing import models

_lock = threading.Lock()  # guards what follows
_users = 0
_giving_back = contextlib.ExitStack()


@contextlib.contextmanager
def talking() -> Iterator[None]:
    """Let programs write to and read from their turns while the context lasts, and models be asked in their talks."""
    global _users
    with _lock:
        if not _users:
            _take()
        _users += 1
    try:
        yield
    finally:
        with _lock:
            _users -= 1
            if not _users:
                _giving_back.close()


def _take() -> None:
    assert _lock.locked()
    _giving_back.callback(IOStream.set_global_default, IOStream.get_global_default())
    for owner, name in ((sys, "stdout"), (sys, "stdin"), (builtins, "input"), (getpass, "getpass")):
        _giving_back.callback(setattr, owner, name, getattr(owner, name))
    openai_client.install(ModelWrapper.timeout)
    instrument.install()
    IOStream.set_global_default(NullStream())
    _redirect()


def _redirect() -> None:
    """Pass what the agents of a talk ask servers of their own to the model of the talk."""
    pool = transport.pool()
    send = pool.handle_request

    def handle(request: httpx.Request) -> httpx.Response:
        model = models.current.get()
        return send(request) if model is None else model.handle(request, send)

    setattr(pool, "handle_request", handle)  # noqa: B010 - of this object alone
    _giving_back.callback(delattr, pool, "handle_request")
