"""Limits on the turns that run at once, in all and for one person. The others wait in order, without a thread."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable

TOLD_EACH = 10  # places near the front of the line that are told each step; those behind it each tenth


class Slot:
    """The right to run, or a place in the line for it."""

    def __init__(self, slots: TurnSlots, person: str, begin: Callable[[], None], moved: Callable[[int], None]) -> None:
        self.person = person
        self.ahead = 0
        """The number of turns ahead in the line."""
        self.is_granted = False
        self.has_left = False
        self.begin = begin
        self.moved = moved
        self._slots = slots

    def leave(self) -> None:
        """Give up the right. May be called again."""
        self._slots._leave(self)

    def leave_line(self) -> bool:
        """Give up the place in the line. Returns False if the right was granted meanwhile."""
        return self._slots._leave_line(self)


class TurnSlots:
    """The turns of all sessions that run, and those that wait for their turn to run."""

    def __init__(self, in_all: int, per_person: int) -> None:
        """Allow `in_all` turns at once, `per_person` of them for one person; 0 means no limit."""
        self._in_all = in_all
        self._per_person = per_person
        self._lock = threading.Lock()  # guards what follows
        self._running: Counter[str] = Counter()  # by person
        self._line: list[Slot] = []

    @property
    def running(self) -> int:
        """The number of turns that run."""
        with self._lock:
            return self._running.total()

    @property
    def queued(self) -> int:
        """The number of turns that wait in the line."""
        return len(self._line)

    @property
    def has_line(self) -> bool:
        """True if somebody waits."""
        return bool(self._line)

    def enter(
        self, person: str, begin: Callable[[], None], moved: Callable[[int], None], waits_for_nobody: bool = False
    ) -> Slot:
        """Return a slot, which may be granted at once, and certainly is if it `waits_for_nobody`.

        If not, `moved` is called when the number of those ahead has changed, and `begin` when it is granted; both from
        any thread.
        """
        slot = Slot(self, person, begin, moved)
        with self._lock:
            is_behind = any(waiting.person == person for waiting in self._line)
            if waits_for_nobody or (self._has_room(person) and not is_behind):
                self._grant(slot)
            else:
                slot.ahead = len(self._line)
                self._line.append(slot)
        return slot

    def _leave(self, slot: Slot) -> None:
        with self._lock:
            if slot.has_left:
                return
            slot.has_left = True
            self._running[slot.person] -= 1
            if not self._running[slot.person]:
                del self._running[slot.person]
            granted, moved = self._advance()
        _tell(granted, moved)

    def _leave_line(self, slot: Slot) -> bool:
        with self._lock:
            if slot.is_granted:
                return False
            self._line.remove(slot)
            granted, moved = self._advance()
        _tell(granted, moved)
        return True

    def _advance(self) -> tuple[list[Slot], list[Slot]]:
        """Grant what there is room for. Returns the slots that were granted, and those to be told their place."""
        assert self._lock.locked()
        granted = []
        for slot in list(self._line):
            if self._in_all and self._running.total() >= self._in_all:
                break
            if self._has_room(slot.person):
                self._line.remove(slot)
                self._grant(slot)
                granted.append(slot)
        moved = []
        for ahead, slot in enumerate(self._line):
            if slot.ahead != ahead and (ahead < TOLD_EACH or ahead % TOLD_EACH == 0):
                slot.ahead = ahead
                moved.append(slot)
        return granted, moved

    def _has_room(self, person: str) -> bool:
        is_full = self._in_all and self._running.total() >= self._in_all
        return not is_full and not (self._per_person and self._running[person] >= self._per_person)

    def _grant(self, slot: Slot) -> None:
        slot.is_granted = True
        self._running[slot.person] += 1


def _tell(granted: list[Slot], moved: list[Slot]) -> None:
    for slot in granted:
        slot.begin()
    for slot in moved:
        slot.moved(slot.ahead)
