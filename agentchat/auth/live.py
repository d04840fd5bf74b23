"""Connections that last: each ends as soon as its caller may no longer have it."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterator

from agentchat.protocol.errors import ChatError, StoreError

Check = Callable[[], None]
"""Raises ChatError if a connection may not go on."""
End = Callable[[ChatError], None]


class Live:
    """The connections of callers who are known. Any thread may use it."""

    def __init__(self) -> None:
        self._lock = threading.Lock()  # guards `_held`
        self._held: dict[int, tuple[Check, End]] = {}
        self._last = 0

    def hold(self, check: Check, end: End) -> Callable[[], None]:
        """Call `end` with the error of `check` once it raises one. Returns the function that stops this.

        Raises ChatError if the connection may not go on already; what ended while it began would be missed otherwise.
        """
        with self._lock:
            self._last += 1
            number = self._last
            self._held[number] = check, end

        def leave() -> None:
            with self._lock:
                self._held.pop(number, None)

        try:
            check()
        except ChatError as error:
            leave()
            raise _ended(error) from error
        return leave

    @contextlib.contextmanager
    def holding(self, check: Check, end: End) -> Iterator[None]:
        """Do the same as `hold` for the duration of the context."""
        leave = self.hold(check, end)
        try:
            yield
        finally:
            leave()

    def recheck(self) -> None:
        """End those that may not go on: somebody logged out, was put out, or lost a role. Raises StoreError."""
        with self._lock:
            held = list(self._held.values())
        failed: StoreError | None = None
        for check, end in held:
            try:
                check()
            except StoreError as error:
                failed = error
            except ChatError as error:
                end(_ended(error))
        if failed is not None:
            raise failed


def _ended(error: ChatError) -> ChatError:
    """Return the error that a connection ends with: not the reason, which is no longer any business of its caller."""
    return error if isinstance(error, StoreError) or error.code == "login_needed" else ChatError("access_ended")
