"""Slowing down whoever guesses passwords."""

from __future__ import annotations

import threading

import pytest

from agentchat.auth import attempts as module
from agentchat.auth.attempts import (
    FORGOTTEN,
    FREE_PER_ACCOUNT,
    FREE_PER_ADDRESS,
    LONGEST_PER_ACCOUNT,
    LONGEST_PER_ADDRESS,
    Attempts,
)
from agentchat.protocol.errors import TooFast


class Guesses:
    """Attempts with a clock that stands still until it is moved."""

    def __init__(self) -> None:
        self.now = 1000.0
        self.attempts = Attempts(lambda: self.now)

    def wait(self, login: str = "ada", address: str = "192.0.2.1") -> int:
        """Try once; return the seconds to wait if that is refused, else 0."""
        try:
            self.attempts.begin(login, address)
        except TooFast as error:
            return error.retry_after or -1
        return 0

    def fail(self, count: int, login: str = "ada", address: str = "192.0.2.1") -> None:
        """Fail so often, and wait whenever that is necessary."""
        for _ in range(count):
            while seconds := self.wait(login, address):
                self.now += seconds


@pytest.fixture
def guesses() -> Guesses:
    return Guesses()


def addresses(count: int) -> list[str]:
    return [f"198.51.100.{number}" for number in range(count)]


def test_the_wait_of_an_account_doubles(guesses: Guesses) -> None:
    """The first few failures cost nothing, from wherever they come; then each costs twice as much, up to a limit."""
    waits = []
    for address in addresses(FREE_PER_ACCOUNT + 8):
        waits.append(seconds := guesses.wait(address=address))
        guesses.now += seconds
        if seconds:
            assert guesses.wait(address=address) == 0
    longest = int(LONGEST_PER_ACCOUNT)
    assert waits == [0] * FREE_PER_ACCOUNT + [1, 2, 4, 8, 16, 32, longest, longest]
    assert guesses.wait("bob", "192.0.2.9") == 0


def test_the_wait_of_an_address_doubles(guesses: Guesses) -> None:
    """Trying one account after another makes an address wait as well, and no other address."""
    for number in range(FREE_PER_ADDRESS):
        assert guesses.wait(f"user{number}") == 0
    assert guesses.wait("one more") == 1
    assert guesses.wait("one more", "192.0.2.2") == 0
    for number in range(20):
        guesses.fail(1, f"other{number}")
    assert guesses.wait("one more") == LONGEST_PER_ADDRESS


def test_a_refused_attempt_does_not_count(guesses: Guesses) -> None:
    """Impatience makes the wait no longer."""
    guesses.fail(FREE_PER_ACCOUNT + 3)
    with pytest.raises(TooFast, match="Wait 8 seconds and try again"):
        guesses.attempts.begin("ada", "192.0.2.1")
    assert [guesses.wait() for _ in range(10)] == [8] * 10
    guesses.now += 7.5
    assert guesses.wait() == 1
    guesses.now += 0.5
    assert guesses.wait() == 0


def test_attempts_at_once_are_no_way_around_the_wait(guesses: Guesses) -> None:
    """An attempt counts from its beginning, before the password is compared."""
    results: list[int] = []
    threads = [threading.Thread(target=lambda: results.append(guesses.wait())) for _ in range(30)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert results.count(0) == FREE_PER_ACCOUNT


def test_success_resets_the_account_only(guesses: Guesses) -> None:
    """An account of one's own does not free an address, nor does it count against it."""
    guesses.fail(FREE_PER_ACCOUNT - 1)
    assert guesses.wait() == 0
    guesses.attempts.succeeded("ADA", "192.0.2.1")
    assert [guesses.wait() for _ in range(FREE_PER_ACCOUNT)] == [0] * FREE_PER_ACCOUNT
    assert guesses.wait() == 1

    other = Guesses()
    for _ in range(3 * FREE_PER_ADDRESS):
        assert other.wait("eve") == 0
        other.attempts.succeeded("eve", "192.0.2.1")
    for number in range(FREE_PER_ADDRESS):
        assert other.wait(f"victim{number}") == 0
        if number < FREE_PER_ADDRESS - 1:
            assert other.wait("eve") == 0
            other.attempts.succeeded("eve", "192.0.2.1")
    assert other.wait("eve") == 1
    other.now += 1
    assert other.wait("eve") == 0
    other.attempts.succeeded("eve", "192.0.2.1")
    assert other.wait("victim") == 0
    assert other.wait("victim") == 2


def test_the_form_of_a_name_or_an_address_makes_no_difference(guesses: Guesses) -> None:
    """One account has many spellings, and one machine a whole network of IPv6."""
    for login in ("ada", "ADA", " Ada", "ａｄａ", "aDa"):
        assert guesses.wait(login, "192.0.2.77") == 0
    assert guesses.wait("adA", "192.0.2.78") == 1
    for number in range(FREE_PER_ADDRESS):
        assert guesses.wait(f"user{number}", f"2001:db8::{number:x}") == 0
    assert guesses.wait("user", "2001:db8::ffff") == 1
    assert guesses.wait("user", "2001:db8:0:1::1") == 0
    assert guesses.wait("\ud800" * 100_000, "") == 0


def test_failures_are_forgotten(guesses: Guesses) -> None:
    """After an hour without a failure an account and an address are as new."""
    guesses.fail(FREE_PER_ACCOUNT + 4)
    guesses.now += FORGOTTEN + 1
    assert [guesses.wait() for _ in range(FREE_PER_ACCOUNT)] == [0] * FREE_PER_ACCOUNT


def test_memory_is_bounded(guesses: Guesses, monkeypatch: pytest.MonkeyPatch) -> None:
    """Only the newest accounts and addresses are kept."""
    monkeypatch.setattr(module, "KEPT", 3)
    guesses.fail(FREE_PER_ACCOUNT)
    assert guesses.wait() == 1
    for number in range(3):
        guesses.wait(f"user{number}", f"192.0.2.{10 + number}")
    assert guesses.wait() == 0
