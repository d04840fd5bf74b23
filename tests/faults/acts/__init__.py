"""All kinds of acting, by the names that `--only` takes."""

from __future__ import annotations

from tests.faults.acts.asking import Asking
from tests.faults.acts.building import Building
from tests.faults.acts.clocks import Clocks
from tests.faults.acts.deleting import Deleting
from tests.faults.acts.desk import Desk
from tests.faults.acts.expiry import Expiry
from tests.faults.acts.files import Files
from tests.faults.acts.groups import Groups
from tests.faults.acts.kind import Kind
from tests.faults.acts.mcp import Mcp
from tests.faults.acts.messages import Messages
from tests.faults.acts.notes import Notes
from tests.faults.acts.refusals import Refusals
from tests.faults.acts.repeats import Repeats
from tests.faults.acts.rest import Rest
from tests.faults.acts.sse import EventStreams
from tests.faults.acts.tasks import Tasks
from tests.faults.acts.timeouts import Timeouts
from tests.faults.acts.upgrades import Upgrades

KINDS: dict[str, type[Kind]] = {
    kind.name: kind
    for kind in (
        Messages,
        Rest,
        EventStreams,
        Deleting,
        Expiry,
        Files,
        Tasks,
        Notes,
        Desk,
        Groups,
        Mcp,
        Timeouts,
        Upgrades,
        Clocks,
        Refusals,
        Repeats,
        Building,
        Asking,
    )
}
