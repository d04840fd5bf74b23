"""Wrong wall clocks: three days ahead or an hour back, at a restart or in the middle of a turn."""

from __future__ import annotations

from typing import Any

from tests.faults.acts.kind import Kind, Stage

OFFSETS = (0, 3 * 86_400, -3_600)  # seconds


class Clocks(Kind):
    """The check is that nothing else goes wrong: nothing expires, no question is given up, every server ends."""

    name = "clocks"
    reaches = ("clocks set",)

    def __init__(self, stage: Stage) -> None:
        super().__init__(stage)
        self._clock = stage.folder / "clock"

    def prepare(self) -> None:
        self._set(0)

    def inside(self) -> dict[str, Any]:
        return {"clock": str(self._clock)}

    def server_ended(self) -> None:
        self.breaks("clock")

    def breaks(self, what: str) -> None:
        if what == "clock":
            self._set(self._chance.choice(OFFSETS))
            self._figures["clocks set"] += 1

    def _set(self, offset: int) -> None:
        draft = self._clock.with_suffix(".draft")
        draft.write_text(str(offset))
        draft.replace(self._clock)  # servers read it at any moment
