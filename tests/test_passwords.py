"""Hashing and comparing passwords."""

from __future__ import annotations

import threading
from typing import Any

import pytest

from agentchat.auth.passwords import AT_ONCE, MAXIMUM, MINIMUM, Passwords
from agentchat.protocol.errors import ChatError
from tests.accounts import PASSWORD, CountingHasher, cheap


def test_a_password_is_known_by_its_hash() -> None:
    """The hash is Argon2id with a salt, and only the password itself is right."""
    passwords = Passwords()
    hash = passwords.hash(PASSWORD)

    assert hash.startswith("$argon2id$")
    assert hash != passwords.hash(PASSWORD)
    assert passwords.is_right(PASSWORD, hash)
    assert not passwords.is_right(PASSWORD + " ", hash)
    assert not passwords.is_right(PASSWORD.upper(), hash)


def test_only_the_length_counts() -> None:
    """A password has a minimum length, and any characters; one that is absurdly long is refused."""
    passwords = cheap()

    for password in ("a" * MINIMUM, "пароль-пароль", "🔑" * MINIMUM, " " * MINIMUM, "\ud800" * MINIMUM, "x" * MAXIMUM):
        assert passwords.is_right(password, passwords.hash(password))
    with pytest.raises(ChatError, match=f"it has fewer than {MINIMUM} characters"):
        passwords.hash("a" * (MINIMUM - 1))
    with pytest.raises(ChatError, match=f"it has more than {MAXIMUM} characters"):
        passwords.hash("a" * (MAXIMUM + 1))
    assert not passwords.is_right("x" * (MAXIMUM + 1), passwords.hash("x" * MAXIMUM))


def test_keyboards_write_the_same_letter_in_two_ways() -> None:
    """A composed letter and a letter with a combining mark are the same."""
    passwords = cheap()
    assert passwords.is_right("cafe\u0301 au lait", passwords.hash("caf\u00e9 au lait"))


def test_without_a_hash_the_work_is_the_same() -> None:
    """The answer is no, after one hash as with a wrong password; the same for a hash that is none."""
    hasher = CountingHasher()
    passwords = Passwords(hasher)
    hash = passwords.hash(PASSWORD)
    hasher.computed = 0

    assert not passwords.is_right("wrong password", hash)
    assert hasher.computed == 1
    assert not passwords.is_right(PASSWORD, "")
    assert hasher.computed == 2
    assert not passwords.is_right(PASSWORD, "$argon2id$broken")


def test_other_parameters_make_a_hash_outdated() -> None:
    """A hash with the parameters in use is up to date, and right in either case."""
    old = cheap().hash(PASSWORD)
    assert not cheap().is_outdated(old)
    assert Passwords(CountingHasher(time_cost=2)).is_outdated(old)
    assert Passwords(CountingHasher(time_cost=2)).is_right(PASSWORD, old)


def test_only_a_few_hashes_are_computed_at_once() -> None:
    """Further ones wait, because each takes memory."""
    gate, entered, lock = threading.Event(), threading.Semaphore(0), threading.Lock()
    running: list[int] = [0, 0]  # now, and the most so far

    class SlowHasher(CountingHasher):
        def hash(self, *arguments: Any, **options: Any) -> str:
            with lock:
                running[0] += 1
                running[1] = max(running)
            entered.release()
            gate.wait(30)
            with lock:
                running[0] -= 1
            return super().hash(*arguments, **options)

    passwords = Passwords(SlowHasher())
    threads = [threading.Thread(target=passwords.is_right, args=(PASSWORD, "")) for _ in range(3 * AT_ONCE)]
    for thread in threads:
        thread.start()
    for _ in range(AT_ONCE):
        assert entered.acquire(timeout=30)
    assert not entered.acquire(timeout=0.1)
    gate.set()
    for thread in threads:
        thread.join(30)
    assert running == [0, AT_ONCE]
