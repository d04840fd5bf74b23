"""Our server, which says what it holds whenever a line arrives on standard input."""

from __future__ import annotations

import gc
import json
import os
import sys
import threading
from collections import Counter
from pathlib import Path
from typing import Any

from agentchat import cli
from agentchat.collector import Pauses

MODULES = ("agentchat.", "autogen.", "chat_agents.", "openai.", "websockets.")
"""Where the classes are defined whose objects are counted."""


class PausesOnceStarted(Pauses):
    """The longest pause since the server is ready: from then on, what there was is frozen."""

    def __call__(self, phase: str, info: dict[str, Any]) -> None:
        if gc.get_freeze_count():
            super().__call__(phase, info)


def holdings(pauses: Pauses) -> dict[str, Any]:
    """Return the server's threads, descriptors, memory, objects by class, and its longest pause to collect garbage."""
    longest = pauses.longest
    gc.collect()
    pauses.longest = longest  # without the collection above
    classes = Counter(f"{type(each).__module__}.{type(each).__qualname__}" for each in gc.get_objects())
    return {
        "threads": threading.active_count(),
        "descriptors": len(os.listdir("/proc/self/fd")),
        "memory": int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") // 1024,
        "pause": longest * 1000,
        "total": sum(classes.values()),
        "objects": {name: count for name, count in classes.items() if name.startswith(MODULES)},
    }


def observe(pauses: Pauses) -> None:
    for _ in sys.stdin:
        print(json.dumps(holdings(pauses)), flush=True)


def main() -> int:
    pauses = PausesOnceStarted()
    threading.Thread(target=observe, args=(pauses,), daemon=True).start()
    gc.callbacks.append(pauses)
    return cli.main(sys.argv[1:])


if __name__ == "__main__":
    sys.exit(main())
