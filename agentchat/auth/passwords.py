"""Passwords: hashed with Argon2id, and compared in the same time whether or not there is anything to compare with."""

from __future__ import annotations

import threading
import unicodedata

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from agentchat.protocol.errors import ChatError

MINIMUM = 10  # characters
MAXIMUM = 1000
AT_ONCE = 2  # hashes that are computed at once: each takes 64 MiB and four threads


class Passwords:
    """Hashes and compares passwords, a few at once; others wait. It can be used from any thread."""

    def __init__(self, hasher: PasswordHasher | None = None) -> None:
        self._hasher = hasher or PasswordHasher()  # with the parameters of RFC 9106 for little memory
        self._slots = threading.BoundedSemaphore(AT_ONCE)

    def hash(self, password: str) -> str:
        """Return the hash of a new password. Raises ChatError if it is too short, or too long to be one."""
        if len(password) < MINIMUM:
            raise ChatError("password_unusable", problem=f"it has fewer than {MINIMUM} characters")
        if len(password) > MAXIMUM:
            raise ChatError("password_unusable", problem=f"it has more than {MAXIMUM} characters")
        with self._slots:
            return self._hasher.hash(_encoded(password))

    def is_right(self, password: str, hash: str) -> bool:
        """Return True if the password has that hash. Without a hash, "", the work is the same and the answer is no."""
        encoded = _encoded(password[: MAXIMUM + 1])
        with self._slots:
            if not hash:
                self._hasher.hash(encoded)
                return False
            try:
                return self._hasher.verify(hash, encoded)
            except (VerificationError, InvalidHashError):
                return False

    def is_outdated(self, hash: str) -> bool:
        """Return True if passwords are hashed with other parameters by now."""
        return self._hasher.check_needs_rehash(hash)


def _encoded(password: str) -> bytes:
    """Return the bytes to hash: keyboards differ in how they write the same letter."""
    return unicodedata.normalize("NFC", password).encode("utf-8", "surrogatepass")
