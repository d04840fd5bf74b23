"""Say how a server with these settings is, and what to do about it: `agentchat doctor`."""

from __future__ import annotations

import argparse
import contextlib
import json
import logging
import os
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from agentchat import __version__, installation, settings
from agentchat.cli import environment
from agentchat.protocol.errors import SettingsError
from agentchat.settings import Settings

if TYPE_CHECKING:
    from agentchat.doctor.finding import Finding, Setup
    from agentchat.doctor.sources import Row

FINE, PROBLEMS, UNUSABLE = 0, 1, 2  # exit statuses

Redact = Callable[[str], str]


def doctor(arguments: Sequence[str]) -> int:
    """Print the settings and the findings. Returns 1 if there are problems, 2 if the settings cannot be used, else 0.

    The tables are all that goes to standard output.
    """
    given, others = _parser().parse_known_args(arguments)
    output = sys.stdout
    with contextlib.redirect_stdout(sys.stderr), _quiet():
        rows, findings, redact = _examined(others, given.offline)
    show = _show_json if given.json else _show_text
    print(show(rows, findings, redact), file=output, flush=True)
    if any(finding.is_refusal for finding in findings):
        return UNUSABLE
    return PROBLEMS if any(finding.status == "problem" for finding in findings) else FINE


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog=f"{installation.program()} doctor",
        description="Say how a server is that is started with these options, and what to do about it. Exit status: 0 "
        "if nothing is wrong, 1 if something is, 2 if the server would not start with these settings.",
        epilog=f"All options of the server can be given as well; `{installation.command('--help')}` lists them.",
        allow_abbrev=False,
    )
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.add_argument("--offline", action="store_true", help="ask no model")
    return parser


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Keep the log off the terminal: whatever is wrong is a finding."""
    logging.disable(logging.CRITICAL)
    try:
        yield
    finally:
        logging.disable(logging.NOTSET)


def _examined(arguments: Sequence[str], is_offline: bool) -> tuple[list[Row], list[Finding], Redact]:
    """Return the settings, the findings, and what takes keys out of texts."""
    try:
        chosen = settings.load(arguments, os.environ)
    except SettingsError as error:
        from agentchat.doctor.finding import of_error

        return [], [of_error("settings", error)], str
    from agentchat.doctor import sources  # imports AG2, which takes seconds

    rows = sources.rows(arguments, os.environ, environment.from_file)
    with _models(chosen) as (setup, findings):
        findings += _found(setup, is_offline)
        return rows, findings, setup.models.redact if setup.models is not None else str


@contextlib.contextmanager
def _models(chosen: Settings) -> Iterator[tuple[Setup, list[Finding]]]:
    """Yield the setup with the models as a server would make them, and a finding if it could not."""
    from agentchat.doctor.finding import Setup, of_error
    from agentchat.models import config, entries, local_servers, openai_client

    openai_client.install(chosen.model_timeout)
    try:
        ports = local_servers.ports(chosen.local_servers)
        choice = entries.Choice(chosen.model, chosen.base_url, chosen.api_key_env, ports)
        models = config.load(os.environ, Path.cwd(), chosen.model_timeout, chosen.demo, choice)
    except SettingsError as error:
        yield Setup(chosen, os.environ), [of_error("model-configuration", error)]
        return
    with contextlib.closing(models):
        yield Setup(chosen, os.environ, models), []


def _found(setup: Setup, is_offline: bool) -> Iterator[Finding]:
    from agentchat.doctor import at_start, configuration, databases, model, ports

    yield from configuration.look(setup)
    yield from ports.look(setup)
    yield from databases.look(setup)
    yield from at_start(setup)
    yield from _agents(setup.chosen)
    yield from model.look(setup, is_offline)


def _agents(chosen: Settings) -> Iterator[Finding]:
    """Yield a finding for each agent that cannot be built."""
    from agentchat.cli.check import examined
    from agentchat.doctor.finding import OK, PROBLEM, SKIPPED, WARNING, Finding, sentences

    built = 0
    try:
        for name, findings in examined(chosen, talks=False):
            errors = [finding.text for finding in findings if finding.level == "error"]
            built += not errors
            for text in errors:
                command = installation.command("check", str(chosen.served or chosen.agents))
                mend = f"Mend its file, and try it with `{command}`."
                yield Finding("agents", PROBLEM, f"The agent {name} cannot be used: {text.rstrip('.')}.", mend)
    except SettingsError as error:  # a finding already
        yield Finding("agents", SKIPPED, f"No agent was built: {sentences(str(error))[0]}")
        return
    if built:
        yield Finding("agents", OK, f"{built} agent{'s' if built > 1 else ''} can be built.")
    else:
        message = f"There is no agent that can be used in {chosen.served or chosen.agents}."
        yield Finding(
            "agents", WARNING, message, f"Write one with `{installation.command('new')}`, or name others with --agents."
        )


def _show_json(rows: Sequence[Row], findings: Sequence[Finding], redact: Redact) -> str:
    def shown(value: Any) -> Any:
        return redact(value) if isinstance(value, str) else value

    told = {
        "version": __version__,
        "settings": [{name: shown(value) for name, value in row.as_json().items()} for row in rows],
        "findings": [
            {name: redact(getattr(finding, name)) for name in ("name", "status", "message", "mend")}
            for finding in findings
        ],
    }
    return json.dumps(told, indent=2)


def _show_text(rows: Sequence[Row], findings: Sequence[Finding], redact: Redact) -> str:
    lines = [f"agentchat {__version__}"]
    if rows:
        cells = [(row.name, _cell(row.value), row.origin) for row in rows]
        widths = [max(len(cell[column]) for cell in cells) for column in (0, 2)]
        lines += [f"  {name:{widths[0]}}  {origin:{widths[1]}}  {value}".rstrip() for name, value, origin in cells]
    lines.append("")
    width = max(len(finding.name) for finding in findings)
    for finding in findings:
        lines.append(f"{finding.status:8} {finding.name:{width}}  {finding.message}")
        if finding.mend:
            lines.append(f"{'':8} {'':{width}}  -> {finding.mend}")
    counts = {status: sum(each.status == status for each in findings) for status in ("problem", "warning")}
    lines += ["", ", ".join(f"{number} {status}{'s' * (number != 1)}" for status, number in counts.items())]
    return "\n".join("".join(filter(str.isprintable, line)) for line in map(redact, lines))


def _cell(value: Any) -> str:
    return ("on" if value else "off") if isinstance(value, bool) else str(value)
