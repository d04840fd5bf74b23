"""Deleting everything that is a person's: their account last, so that whatever is interrupted can be done again."""

from __future__ import annotations

import logging
from collections.abc import Callable
from functools import partial

from agentchat.access import Access
from agentchat.auth.accounts import Accounts, User
from agentchat.auth.live import Live
from agentchat.protocol.errors import StoreError
from agentchat.protocol.identity import Caller
from agentchat.sessions.registry import Sessions
from agentchat.store.sqlite import SqliteStore

log = logging.getLogger(__name__)


class Erasure:
    """Deletes people with all that is theirs."""

    def __init__(
        self,
        accounts: Accounts,
        sessions: Sessions,
        store: SqliteStore,
        access: Access,
        live: Live,
        changed: Callable[[], None],
    ) -> None:
        """`changed` lets changes of accounts take effect."""
        self._accounts = accounts
        self._sessions = sessions
        self._store = store
        self._access = access
        self._live = live
        self._changed = changed

    def erase(self, user: User, caller: Caller) -> int:
        """Delete a user, who is the caller, with all that is theirs. Returns how many sessions that were.

        What they said in the sessions of others stays, without their id. Every step may be done again, also by the next
        server. Raises ChatError.
        """
        traces, count = self._store.traces, 0
        with self._access.without(user.id):  # nothing else of theirs can come up meanwhile
            self._live.recheck()
            for session_id in self._sessions.owned_by(user.id):
                count += self._sessions.remove(session_id, caller)
            for session_id in traces.held_by(user.id):
                self._sessions.hand_back(session_id, caller)
            for session_id in traces.sessions(user.id):
                self._sessions.take_out(session_id, user.id, partial(traces.take_out, session_id, user.id))
            traces.forget(user.id)
            self._accounts.remove(user.id)
            self._changed()
        try:
            traces.merge_words()
            self._store.wipe()
            self._accounts.wipe()
        except StoreError as error:
            log.warning("Deleted words may be on the disk for a while, where nobody finds them: %s", error)
        return count

    def exists(self, person: str) -> bool:
        """Return False for a user who is gone, or about to be."""
        return not person.startswith("u-") or (
            not self._access.is_without(person) and self._accounts.user(person) is not None
        )
