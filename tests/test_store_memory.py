"""The in-memory store, the reference for the others."""

from __future__ import annotations

import pytest

from agentchat.store import Store
from tests.memory_store import MemoryStore
from tests.store_contract import StoreContract


class TestMemoryStore(StoreContract):
    """The in-memory store fulfils the contract."""

    @pytest.fixture
    def store(self) -> Store:
        return MemoryStore()
