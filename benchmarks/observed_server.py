"""Our server, which says what it holds whenever a line arrives on standard input."""

from __future__ import annotations

import gc
import json
import os
import sys
import threading
import time
from collections import Counter
from pathlib import Path
from typing import Any

from agentchat import cli
from agentchat.collector import pauses

LOOK = 0.05  # seconds between looks at what is young
MODULES = ("agentchat.", "autogen.", "chat_agents.", "openai.", "websockets.")
"""Where the classes are defined whose objects are counted."""


def holdings() -> dict[str, Any]:
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


def observe() -> None:
    for _ in sys.stdin:
        print(json.dumps(holdings()), flush=True)


def collect() -> None:
    """Look at what is young from time to time, as Python does, to see how long that takes."""
    while True:
        time.sleep(LOOK)
        if gc.get_freeze_count():  # the server is ready
            pauses.collect(1)


def main() -> int:
    threading.Thread(target=observe, daemon=True).start()
    threading.Thread(target=collect, daemon=True).start()
    return cli.main(sys.argv[1:])


if __name__ == "__main__":
    sys.exit(main())
