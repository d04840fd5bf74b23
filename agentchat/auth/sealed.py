"""Values that a browser keeps for us and cannot change."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import secrets
import time

MAX_SEALED = 4096  # characters; browsers keep no longer cookies


class Seal:
    """Signs values with a key that exists as long as the process. They can be read, so they hold no secret of ours."""

    def __init__(self, lifetime: float) -> None:
        """`lifetime`: the seconds after which a value is no longer accepted."""
        self.lifetime = lifetime
        self._key = secrets.token_bytes(32)

    def close(self, values: dict[str, str]) -> str:
        """Return the values as text that can stand in a cookie."""
        content = _encoded(json.dumps([time.monotonic() + self.lifetime, values]).encode())
        return f"{content}.{self._signature(content)}"

    def open(self, text: str) -> dict[str, str] | None:
        """Return the values; None if the text isn't ours or has become too old."""
        content, _, signature = text[:MAX_SEALED].partition(".")
        if not hmac.compare_digest(signature.encode(), self._signature(content).encode()):
            return None
        end, values = json.loads(base64.urlsafe_b64decode(content + "=" * (-len(content) % 4)))
        assert isinstance(values, dict)
        return values if time.monotonic() < end else None

    def _signature(self, content: str) -> str:
        return _encoded(hmac.digest(self._key, content.encode("utf-8", "replace"), hashlib.sha256))


def _encoded(value: bytes) -> str:
    return base64.urlsafe_b64encode(value).rstrip(b"=").decode()
