"""Finding out what is wrong with a server, in words: one module for each kind of thing that is looked at.

`at_start` has what costs next to nothing; a server that starts logs it. `agentchat doctor` looks at everything.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator

from agentchat.doctor import addresses, clock, data_folder, limits, model, packages, proxies, tls
from agentchat.doctor.finding import OK, SKIPPED, Finding, Setup

log = logging.getLogger(__name__)

Look = Callable[[Setup], Iterator[Finding]]

AT_START: tuple[Look, ...] = (
    data_folder.look,
    clock.look,
    limits.look,
    proxies.look,
    addresses.look,
    tls.look,
    packages.look,
    model.look_without_asking,
)


def at_start(setup: Setup) -> list[Finding]:
    """Return what can be found without asking anybody else."""
    return [finding for look in AT_START for finding in look(setup)]


def warn(setup: Setup) -> None:
    """Log what may be wrong, in the words of `agentchat doctor`."""
    for finding in at_start(setup):
        if finding.status not in {OK, SKIPPED}:
            log.warning("%s %s", finding.message, finding.mend)
