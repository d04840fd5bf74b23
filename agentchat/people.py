"""Changes of accounts, by this server or the command line, and their consequences for what runs."""

from __future__ import annotations

import contextlib
import logging
import threading
from collections.abc import Iterator

from agentchat.auth.accounts import Accounts
from agentchat.auth.live import Live
from agentchat.protocol.errors import StoreError
from agentchat.store.sharing import Sharing

log = logging.getLogger(__name__)

LOOK = 1.0  # seconds between looks for changes by other processes


class People:
    """Ends what people may no longer have, and gives the first account what was kept before there were any."""

    def __init__(self, accounts: Accounts, sharing: Sharing, live: Live) -> None:
        self._accounts = accounts
        self._sharing = sharing
        self._live = live
        self._seen = -1
        self._lock = threading.Lock()  # guards `_seen`, and lets one thread look at a time

    @contextlib.contextmanager
    def watched(self) -> Iterator[None]:
        """Look now, and from time to time until the context ends."""
        ended = threading.Event()

        def watch() -> None:
            while not ended.wait(LOOK):
                try:
                    self.look()
                except StoreError:
                    log.exception("Changes of accounts are looked for again in a second")

        self.look()
        thread = threading.Thread(target=watch, name="people", daemon=True)
        thread.start()
        try:
            yield
        finally:
            ended.set()
            thread.join()

    def look(self) -> None:
        """Let changes of accounts take effect at once. Raises StoreError."""
        with self._lock:
            version = self._accounts.version
            if version == self._seen:
                return
            first = self._accounts.first()
            if first is not None and (adopted := self._sharing.adopt(first.id)):
                log.info("%d conversations from before there were accounts belong to %s now", adopted, first.login)
            self._live.recheck()
            self._seen = version
