"""The store in memory: the reference."""

from __future__ import annotations

import pytest

from agentchat.store import Store
from tests.memory_store import MemoryStore
from tests.store_contract import StoreContract


class TestMemoryStore(StoreContract):
    """Answers the contract."""

    @pytest.fixture
    def store(self) -> Store:
        return MemoryStore()
