"""ID tokens: whether a provider signed one, for us, just now.

Needs the optional package `joserfc`; only imported when OpenID Connect is configured.
"""

from __future__ import annotations

import base64
import hashlib
import json
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from joserfc import jws
from joserfc.errors import BadSignatureError, JoseError
from joserfc.jwk import JWKRegistry, Key
from joserfc.jws import JWSRegistry
from joserfc.jwt import JWTClaimsRegistry

from agentchat.auth.provider import Json, untrusted

LEEWAY = 60  # seconds that two clocks may differ
MAX_TOKEN = 64 * 2**10  # characters
MIN_RSA_BITS = 2048
YEAR_9999 = 253_402_300_800  # seconds since 1970

KEY_TYPES = {
    "RS256": "RSA", "RS384": "RSA", "RS512": "RSA",
    "PS256": "RSA", "PS384": "RSA", "PS512": "RSA",
    "ES256": "EC", "ES384": "EC", "ES512": "EC",
    "EdDSA": "OKP", "Ed25519": "OKP",
}  # fmt: skip
"""The algorithms that are believed, with the type of their keys: those that only the provider can sign with.

`none` proves nothing, and with HMAC whoever checks a signature can also make one.
"""


class KeyMissing(Exception):
    """None of the keys is the one that signed. A newer set of keys may have it."""


@dataclass(frozen=True)
class Expected:
    """The claims that a token must have."""

    issuer: str
    client_id: str
    nonce: str
    access_token: str


def algorithms(supported: object) -> list[str]:
    """Return those that a provider says it signs with and that can be believed. Raises ChatError if there are none."""
    named = [each for each in supported if isinstance(each, str)] if isinstance(supported, list) else ["RS256"]
    found = [each for each in named if each in KEY_TYPES]
    if not found:
        raise untrusted("it signs with none of " + ", ".join(KEY_TYPES))
    return found


def claims_of(token: object, keys: Sequence[Json], allowed: Sequence[str], expected: Expected) -> Json:
    """Return the claims of a token after every check. Raises ChatError, and KeyMissing if no key fits."""
    if not isinstance(token, str) or len(token) > MAX_TOKEN or token.count(".") != 2:
        raise untrusted("it sent no ID token that can be read")
    claims, algorithm = _signed(token, keys, allowed)
    _check(claims, expected)
    _check_hash(claims.get("at_hash"), algorithm, expected.access_token)
    return claims


def _signed(token: str, keys: Sequence[Json], allowed: Sequence[str]) -> tuple[Json, str]:
    """Return the claims and the algorithm of a token that one of the keys signed."""
    assert allowed, "without names, joserfc allows HMAC as well"
    registry = _Registry(algorithms=allowed, strict_check_header=False)
    try:
        header = jws.extract_compact(token.encode(), registry=registry).headers()
        algorithm = header.get("alg")
        if algorithm not in allowed:
            raise untrusted("its ID token is signed in a way that it does not announce, or that proves nothing")
        key = _key(keys, header.get("kid"), str(algorithm))
        payload = jws.deserialize_compact(token, key, registry=registry).payload
        claims = json.loads(payload or b"")
    except BadSignatureError as error:
        raise KeyMissing from error
    except (JoseError, ValueError, TypeError, LookupError, AttributeError, RecursionError) as error:
        # The library reads keys and headers of all kinds, and not all of its errors are its own.
        raise untrusted(f"its ID token cannot be read ({type(error).__name__})") from error
    if not isinstance(claims, dict):
        raise untrusted("its ID token holds no claims")
    return claims, str(algorithm)


class _Registry(JWSRegistry):
    max_header_length = 16 * 2**10  # some providers send their certificates along
    max_payload_length = MAX_TOKEN


def _key(keys: Iterable[Json], kid: object, algorithm: str) -> Key:
    """Return the only key that can have signed. Raises KeyMissing."""
    fitting = [
        key
        for key in keys
        if key.get("kty") == KEY_TYPES[algorithm]
        and key.get("use", "sig") == "sig"
        and key.get("alg", algorithm) == algorithm
        and (kid is None or key.get("kid") == kid)
    ]
    if len(fitting) != 1:  # two with one name, or a token that names none: nothing is guessed
        raise KeyMissing
    if fitting[0]["kty"] == "RSA" and _rsa_bits(fitting[0]) < MIN_RSA_BITS:
        raise untrusted(f"its key has fewer than {MIN_RSA_BITS} bits")
    return JWKRegistry.import_key(fitting[0])


def _rsa_bits(key: Json) -> int:
    modulus = str(key.get("n", ""))
    return len(base64.urlsafe_b64decode(modulus + "=" * (-len(modulus) % 4)).lstrip(b"\0")) * 8


def _check(claims: Json, expected: Expected) -> None:
    for name in ("exp", "iat", "nbf"):
        value = claims.get(name, 0)
        # Python reads NaN as well, which is never less than now.
        if isinstance(value, bool) or not isinstance(value, (int, float)) or not abs(value) < YEAR_9999:
            raise untrusted(f"the ID token is refused (its {name} is no time)")
    registry = JWTClaimsRegistry(
        now=int(time.time()),
        leeway=LEEWAY,
        iss={"essential": True, "value": expected.issuer},
        sub={"essential": True},
        aud={"essential": True, "value": expected.client_id},
        exp={"essential": True},
        iat={"essential": True},
    )
    try:
        registry.validate(claims)
    except JoseError as error:
        raise untrusted(f"the ID token is refused ({_reason(error)})") from error
    if claims.get("nonce") != expected.nonce:
        raise untrusted("the ID token was made for another login (nonce)")
    audience, party = claims["aud"], claims.get("azp")
    has_party = party is not None or (isinstance(audience, list) and len(audience) > 1)
    if has_party and party != expected.client_id:
        raise untrusted("the ID token was made for another program (azp)")
    if not 0 < len(claims["sub"]) <= 255 or not claims["sub"].isprintable():
        raise untrusted("the ID token names nobody (sub)")


def _reason(error: Any) -> str:
    return str(error.description or error.error)[:100]


def _check_hash(claimed: object, algorithm: str, access_token: str) -> None:
    """Check that the access token belongs to the ID token."""
    if claimed is None:
        return
    size = "512" if algorithm.startswith("Ed") else algorithm[2:]
    digest = hashlib.new(f"sha{size}", access_token.encode()).digest()
    if claimed != base64.urlsafe_b64encode(digest[: len(digest) // 2]).rstrip(b"=").decode():
        raise untrusted("its access token belongs to another ID token (at_hash)")
