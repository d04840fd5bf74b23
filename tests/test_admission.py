"""Admission: limits for each address and for all, and the room that a process has."""

from __future__ import annotations

import threading

import pytest

from agentchat.net.admission import Admission, within


def test_an_address_has_a_limit_of_its_own() -> None:
    """An address over its limit is refused, others are not, and what was given back can be had again."""
    admission = Admission(in_all=5, per_address=2)
    assert [admission.enter("10.0.0.1") for _ in range(3)] == [True, True, False]
    assert [admission.enter("10.0.0.2") for _ in range(3)] == [True, True, False]
    assert [admission.enter("10.0.0.3") for _ in range(3)] == [True, False, False]
    admission.leave("10.0.0.1")
    assert [admission.enter("10.0.0.3"), admission.enter("10.0.0.4")] == [True, False]
    assert (admission.total, admission.held("10.0.0.1"), admission.held("10.0.0.4")) == (5, 1, 0)


def test_amounts() -> None:
    """Bytes can be counted, and come back in parts; a refusal counts nothing."""
    admission = Admission(in_all=100, per_address=60)
    assert admission.enter("a", 50)
    assert not admission.enter("a", 20)
    assert admission.enter("b", 50)
    assert not admission.enter("c", 1)
    admission.leave("a", 20)
    assert (admission.total, admission.held("a")) == (80, 30)
    admission.leave("a", 30)
    admission.leave("b", 50)
    assert (admission.total, admission._held) == (0, {})


def test_no_limits() -> None:
    admission = Admission(in_all=0)
    assert all(admission.enter("::1") for _ in range(1000))


@pytest.mark.parametrize(
    ("one", "other", "is_same"),
    [
        ("2001:db8::1", "2001:db8::2:1", True),
        ("2001:db8::1", "2001:db8:0:1::1", False),
        ("::ffff:10.0.0.1", "10.0.0.1", True),
        ("::ffff:10.0.0.1", "::ffff:10.0.0.2", False),
        ("fe80::1%eth0", "fe80::2%eth0", True),
        ("10.0.0.1", "10.0.0.2", False),
    ],
)
def test_addresses_of_one_machine(one: str, other: str, is_same: bool) -> None:
    """A network of 64 bits is one address; an IPv4 address in IPv6's clothes is itself."""
    admission = Admission(in_all=0, per_address=1)
    assert admission.enter(one)
    assert admission.enter(other) is not is_same


@pytest.mark.parametrize(
    ("room", "in_all", "per_address", "expected"),
    [
        (1000, 100, 50, (100, 50)),
        (1000, 100, 0, (100, 0)),
        (40, 100, 50, (40, 30)),
        (40, 100, 10, (40, 10)),
        (40, 0, 0, (40, 30)),
        (1, 100, 50, (1, 1)),
    ],
)
def test_limits_within_the_room(room: int, in_all: int, per_address: int, expected: tuple[int, int]) -> None:
    """Limits are lowered to what the process can have, of which one address never gets all."""
    admission = within(room, in_all, per_address)
    assert (admission.in_all, admission.per_address) == expected


def test_many_threads() -> None:
    """Threads that come and go at once never exceed the limit, and leave nothing behind."""
    admission, highest = Admission(in_all=3), []

    def visit() -> None:
        for _ in range(2000):
            if admission.enter("::1"):
                highest.append(admission.total)
                admission.leave("::1")

    threads = [threading.Thread(target=visit) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert max(highest) <= 3
    assert (admission.total, admission._held) == (0, {})
