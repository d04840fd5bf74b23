"""Optional packages that are missing for what is configured."""

from __future__ import annotations

import importlib.util
import urllib.request
from collections.abc import Iterator, Sequence
from pathlib import Path

from agentchat.doctor.finding import OK, PROBLEM, WARNING, Finding, Setup
from agentchat.installation import install_command

PACKAGES = "packages"
TRACES = ("OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT")

Wanted = tuple[str, str, str]
"""The purpose, the module, and the command that installs it."""


def look(setup: Setup) -> Iterator[Finding]:
    """Yield a finding for each that is missing."""
    missing = [each for each in _wanted(setup) if not _is_there(each[1])]
    for purpose, module, command in missing:
        status = WARNING if module in {"pypdf", "opentelemetry"} else PROBLEM  # the server starts without them
        yield Finding(PACKAGES, status, f"The package {module} is missing, which {purpose} needs.", f"Run {command}.")
    if not missing:
        yield Finding(PACKAGES, OK, "All packages are there that are needed.")


def _wanted(setup: Setup) -> Iterator[Wanted]:
    chosen = setup.chosen
    if chosen.oidc_issuer:
        yield "--oidc-issuer", "joserfc", install_command("oidc")
    if chosen.mcp.is_file():
        yield f"{chosen.mcp} (--mcp)", "mcp", install_command("mcp")
    if getattr(chosen, "metrics", ""):
        yield "--metrics", "prometheus_client", install_command("metrics")
    if any(setup.environment.get(name, "").strip() for name in TRACES):
        yield "sending traces (OTEL_EXPORTER_OTLP_ENDPOINT)", "opentelemetry", install_command("otel")
    if any(value.strip().lower().startswith("socks") for value in urllib.request.getproxies().values()):
        yield "a SOCKS proxy", "socksio", "pip install 'httpx[socks]'"
    if not _is_there("pypdf") and _has_pdf(chosen.knowledge):
        yield "reading the PDF files of --knowledge", "pypdf", "pip install pypdf"


def _is_there(module: str) -> bool:
    return importlib.util.find_spec(module) is not None


def _has_pdf(sources: Sequence[Path]) -> bool:
    return any(each.suffix.lower() == ".pdf" for source in sources for each in (source, *source.glob("**/*.pdf")))
