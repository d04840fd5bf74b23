"""Try agents offline and say what will not work: `agentchat check`."""

from __future__ import annotations

import contextlib
import json
import logging
import os
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

from agentchat import settings
from agentchat.settings import Settings

if TYPE_CHECKING:
    from agentchat.ag2.agent_file import AgentFile
    from agentchat.app import Running
    from agentchat.cli.findings import Finding
    from agentchat.cli.offline import Offline

SLOW = 3.0  # seconds for importing and building
TURN_TIMEOUT = 60.0  # seconds for one message, which the demo model answers at once
MANY_CALLS = 10
QUESTION = "Hello! What can you do?"


def check(arguments: Sequence[str]) -> int:
    """Check the agents and print one line for each finding. Returns 1 if one of them will not work, else 0."""
    chosen = settings.load(arguments, os.environ)
    output, works, is_empty = sys.stdout, True, True
    for name, findings in examined(chosen):
        is_empty = False
        fails = any(finding.level == "error" for finding in findings)
        works = works and not fails
        print(f"{name}: {'does not work' if fails else 'works'}", file=output)
        for finding in findings:
            print(f"{name}: {finding.level}: {finding.text}", file=output, flush=True)
    if is_empty:
        print(f"No agents were found in {chosen.served or chosen.agents}.", file=output)
    return 0 if works else 1


def examined(chosen: Settings, talks: bool = True) -> Iterator[tuple[str, list[Finding]]]:
    """Yield each agent and what there is to say about it; unless it `talks`, it is only built. Raises SettingsError."""
    with tempfile.TemporaryDirectory(prefix="agentchat-check-") as folder, _failures() as failures:
        yield from _examined(chosen, Path(folder), failures, talks)


class _Failures(logging.Handler):
    """Collects the exceptions that are logged."""

    def __init__(self) -> None:
        super().__init__()
        self.errors: list[BaseException] = []

    def emit(self, record: logging.LogRecord) -> None:
        if record.exc_info and record.exc_info[1]:
            self.errors.append(record.exc_info[1])


@contextlib.contextmanager
def _failures() -> Iterator[list[BaseException]]:
    """Keep the log off the terminal, and collect the exceptions in it."""
    handler = _Failures()
    logging.getLogger().addHandler(handler)
    logging.disable(logging.WARNING)
    try:
        yield handler.errors
    finally:
        logging.disable(logging.NOTSET)
        logging.getLogger().removeHandler(handler)


def _examined(
    chosen: Settings, folder: Path, failures: list[BaseException], talks: bool
) -> Iterator[tuple[str, list[Finding]]]:
    from agentchat import app  # imports AG2, which takes seconds
    from agentchat.ag2 import places
    from agentchat.cli import offline

    files = places.place(chosen.served, chosen.agents)()
    watched = offline.Offline()
    trial, environment = _trial(chosen, folder)
    with watched(), app.serving(trial, environment) as running:
        for name, file in files.items():
            findings = list(_findings(file, running, watched, failures, chosen.approve, talks))
            if findings or name in {info.name for info in running.catalogue.agents()}:  # else code that files share
                yield name, findings


def _trial(chosen: Settings, folder: Path) -> tuple[Settings, Mapping[str, str]]:
    """Return the settings and the environment of a server that is offline: every model is the demo model.

    The configured models keep their names, which agent files may ask for.
    """
    from agentchat.cli.offline import ENTRY
    from agentchat.models import entries, local_servers
    from agentchat.models.openai_client import OPENAI_PROTOCOL

    trial = replace(
        chosen,
        port=0,
        ws_port=0,
        host="127.0.0.1",
        data_dir=folder,
        demo=False,
        embedding_model="",
        local_servers="none",
        metrics="",
        tls_cert="",
        tls_key="",
        approve="all",
        input_timeout=0.0,
        turn_timeout=TURN_TIMEOUT,
    )
    choice = entries.Choice(
        chosen.model, chosen.base_url, chosen.api_key_env, local_servers.ports(chosen.local_servers)
    )
    found = None if chosen.demo else entries.find(os.environ, Path.cwd(), choice)
    if found and all(entry.get("api_type", "openai") in OPENAI_PROTOCOL for entry in found):
        return trial, os.environ
    return replace(trial, model="", base_url="", api_key_env=""), {entries.CONFIG_LIST: json.dumps([ENTRY])}


def _findings(
    file: AgentFile, running: Running, watched: Offline, failures: list[BaseException], approve: str, talks: bool
) -> Iterator[Finding]:
    """Build the agents and, if it `talks`, talk to them; yield what there is to say."""
    from agentchat.ag2.catalogue import reason
    from agentchat.ag2.shapes import Team
    from agentchat.cli import findings
    from agentchat.cli.findings import ERROR, NOTE, Finding

    watched.take()
    begun = time.monotonic()
    try:
        built = running.catalogue.try_out(file)
    except (Exception, SystemExit) as error:  # noqa: BLE001 - the file may raise anything
        yield from findings.of_watching(watched.take(), 0.0, SLOW)
        yield findings.of_error(error, reason(error, file.path))
        return
    yield from findings.of_watching(watched.take(), time.monotonic() - begun, SLOW)
    if built is None:
        return
    if isinstance(built, Team):
        found = list(findings.of_team(built, approve))
        yield from found
        if any(finding.level == ERROR for finding in found):
            return
    info = next((each for each in running.catalogue.agents() if each.name == file.name), None)
    if info is None or not info.available:
        yield Finding(ERROR, info.reason or "it cannot be built again" if info else "it is not listed")
        return
    for problem in info.problems:
        yield Finding(NOTE, problem)
    if talks:
        question = (info.suggestions or [QUESTION])[0]
        yield from _of_turn(running.websocket, file.name, question, watched, failures)


def _of_turn(address: str, name: str, text: str, watched: Offline, failures: list[BaseException]) -> Iterator[Finding]:
    """Say something, deny whatever needs a yes, and yield what went wrong."""
    from websockets.sync.client import connect

    from agentchat.cli import findings
    from agentchat.cli.findings import NOTE, Finding

    failures.clear()
    asked: list[str] = []
    problem = ""
    end: Mapping[str, Any] = {}
    with connect(f"{address}?{urlencode({'agent': name})}", proxy=None, max_size=None) as client:
        client.send(json.dumps({"type": "message", "content": {"text": text}}))
        while not end:
            frame = json.loads(client.recv())
            content = frame["content"]
            if frame["type"] == "input_request":
                if content["tool"] is None:
                    asked.append(content["prompt"])
                reply = {"request_id": content["request_id"], "text": _reply(content)}
                client.send(json.dumps({"type": "input_response", "content": reply}))
            elif frame["type"] == "error":
                problem = content["message"]
            elif frame["type"] == "turn_completed":
                end = content
    seen = watched.take()
    for prompt in dict.fromkeys(asked):
        yield Finding(NOTE, f"it asks the person: {' '.join(prompt.split())[:200]}")
    if seen.hosts:
        yield Finding(NOTE, f"it connects to {', '.join(sorted(seen.hosts))}, which was not tried")
    if end["status"] != "completed" and not seen.hosts:
        yield findings.of_failure(failures[-1] if failures else None, problem or f"its turn was {end['status']}")
    elif end["status"] == "completed" and not end["summary"].strip():
        yield Finding(NOTE, "it said nothing to the first message")
    if seen.model_calls > MANY_CALLS:
        yield Finding(NOTE, f"one message took {seen.model_calls} calls of the model")


def _reply(question: Mapping[str, Any]) -> str:
    if question["tool"] is not None:
        return "deny"  # tools may do something to the world outside
    return str((question["choices"] or ["yes"])[0])
