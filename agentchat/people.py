"""Changes of accounts and members, by people, the command line or time, and their consequences for what runs."""

from __future__ import annotations

import contextlib
import logging
import threading
from collections.abc import Callable, Iterator

from agentchat.auth.accounts import Accounts
from agentchat.auth.live import Live
from agentchat.protocol.errors import ChatError
from agentchat.protocol.events import now
from agentchat.protocol.identity import OPERATOR, Caller
from agentchat.store.sharing import Sharing

log = logging.getLogger(__name__)

LOOK = 1.0  # seconds between looks for changes by other processes, and for what has ended


class People:
    """Ends what people may no longer have, and gives the first account what was kept before there were any."""

    def __init__(
        self,
        accounts: Accounts,
        sharing: Sharing,
        live: Live,
        is_open: Callable[[], bool],
        hand_back: Callable[[str, Caller], None],
    ) -> None:
        """While access `is_open`, nobody takes over what was kept. `hand_back` gives a session back to its agents."""
        self._accounts = accounts
        self._sharing = sharing
        self._live = live
        self._is_open = is_open
        self._hand_back = hand_back
        self._woken = threading.Event()
        self._lock = threading.Lock()  # guards what follows, and lets one thread look at a time
        self._seen = -1
        self._looked = now()

    @contextlib.contextmanager
    def watched(self) -> Iterator[None]:
        """Look now, and from time to time until the context ends."""
        ended = threading.Event()

        def watch() -> None:
            while not ended.is_set():
                is_woken = self._woken.wait(LOOK)
                self._woken.clear()
                try:
                    self.look(must_recheck=is_woken)
                except Exception:  # whatever it was, nobody may keep what was taken from them
                    log.exception("Changes of accounts are looked for again in a second")
                    self._woken.set()
                    ended.wait(LOOK)

        self.look()
        thread = threading.Thread(target=watch, name="people", daemon=True)
        thread.start()
        try:
            yield
        finally:
            ended.set()
            self.wake()
            thread.join()

    def wake(self) -> None:
        """Have another thread end what people may no longer have: a session left the desk. Never blocks."""
        self._woken.set()

    def look(self, must_recheck: bool = False) -> None:
        """Let changes of accounts, and what has ended by itself, take effect at once. Raises StoreError."""
        with self._lock:
            version, time = self._accounts.version, now()
            has_ended = self._sharing.has_ended(self._looked, time) or self._accounts.has_ended(self._looked, time)
            if version == self._seen and not (has_ended or must_recheck):
                self._looked = time
                return
            first = self._accounts.first()
            if first is not None and not self._is_open() and (adopted := self._sharing.adopt(first.id)):
                log.info("%d conversations from before there were accounts belong to %s now", adopted, first.login)
            self._live.recheck()
            if not self._is_open():
                self._give_back()
            self._seen, self._looked = version, time

    def _give_back(self) -> None:
        """Give the agents back what is held by people who are no operators any more, and could not do it."""
        for session_id, holder in self._sharing.taken():
            user = self._accounts.user(holder)
            if user is not None and OPERATOR not in user.roles:
                caller = Caller(user.id, name=user.name, credential=f"user:{user.id}", login=user.login)
                try:
                    self._hand_back(session_id, caller)
                except ChatError as error:
                    log.warning("Conversation %s stays with %s for now: %s", session_id, user.login, error)

    def members_changed(self) -> None:
        """Let a change of members take effect at once. Raises StoreError, and then it is tried again in a second."""
        with self._lock:
            self._seen = -1
        self.look()
