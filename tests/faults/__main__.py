"""`python -m tests.faults`: run schedules, print figures, and exit with 1 if anything was wrong."""

from __future__ import annotations

import argparse
import logging
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from pathlib import Path

from tests.faults import plan
from tests.faults.acts import KINDS
from tests.faults.schedule import Schedule
from tests.faults.servers import Zygote

ENOUGH = 100  # schedules, which must reach everything
PROGRESS = 25  # schedules between two progress lines


def play(
    zygote: Zygote, seeds: Sequence[int], jobs: int = 3, only: Sequence[str] = ()
) -> tuple[dict[int, list[str]], Counter[str]]:
    """Run the schedules and return the violations by seed, and the figures."""
    figures: Counter[str] = Counter()
    wrong: dict[int, list[str]] = {}
    began = time.monotonic()
    with ThreadPoolExecutor(jobs) as pool:

        def one(seed: int) -> tuple[int, list[str], Counter[str]]:
            own: Counter[str] = Counter(schedules=1)
            with tempfile.TemporaryDirectory(prefix="faults-") as folder:
                return seed, Schedule(seed, zygote, Path(folder), own, only).play(), own

        for done in as_completed([pool.submit(one, seed) for seed in seeds]):
            seed, found, own = done.result()
            figures.update(own)
            if found:
                wrong[seed] = found
                print(f"\nseed {seed} went wrong:\n" + "\n".join(found), flush=True)
            if figures["schedules"] % PROGRESS == 0:
                seconds = time.monotonic() - began
                print(f"{figures['schedules']} schedules, {seconds:.0f} s, {len(wrong)} went wrong", flush=True)
    figures["seconds"] = round(time.monotonic() - began)
    return wrong, figures


def not_reached(figures: Mapping[str, int], only: Sequence[str] = plan.OTHERS) -> list[str]:
    """Return the figures of these kinds of acting that are zero, though they must not be."""
    kinds = [KINDS[name] for name in (plan.ALWAYS, *only)]
    return [figure for kind in kinds for figure in kind.reaches if not figures.get(figure)]


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.faults", description=__doc__)
    parser.add_argument("--schedules", type=int, default=300)
    parser.add_argument("--seed", type=int, default=1, help="of the first schedule; each next one has the next")
    parser.add_argument("--jobs", type=int, default=3, help="schedules at the same time")
    parser.add_argument("--only", default="", help=f"kinds of acting, separated by commas: {', '.join(plan.OTHERS)}")
    options = parser.parse_args()
    only = [name for name in options.only.split(",") if name]
    if unknown := set(only) - {*plan.OTHERS, plan.ALWAYS}:
        parser.error(f"there is no kind of acting {', '.join(sorted(unknown))}")
    logging.getLogger("asyncio").setLevel(logging.ERROR)  # the model writes to killed servers
    with Zygote() as zygote:
        wrong, figures = play(zygote, range(options.seed, options.seed + options.schedules), options.jobs, only)
    width = max(map(len, figures))
    print("\n".join(f"{name:{width}}  {figures[name]:,}" for name in sorted(figures)))
    unreached = not_reached(figures, only or plan.OTHERS)
    print(f"not reached: {', '.join(unreached) or 'nothing'}")
    print(f"went wrong: {', '.join(map(str, sorted(wrong))) or 'none'}")
    return 1 if wrong or (unreached and options.schedules >= ENOUGH) else 0


if __name__ == "__main__":
    sys.exit(main())
