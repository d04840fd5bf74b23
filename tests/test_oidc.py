"""Logins by OpenID Connect, with a provider from PyPI and with one of our own that lies."""

from __future__ import annotations

import gzip
import logging
import os
import re
import shutil
import ssl
import subprocess
import sys
import time
import warnings
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

import httpx
import pytest
import trustme
from joserfc.jwk import ECKey, OKPKey, RSAKey

from agentchat import settings
from agentchat.auth import oidc, provider
from agentchat.auth.oidc import Identity, OpenId
from agentchat.auth.paths import safe_path
from agentchat.protocol.errors import ChatError, SettingsError
from tests.lying_provider import CLIENT_ID, CLIENT_SECRET, LyingProvider
from tests.processes import ROOT

REDIRECT = "http://127.0.0.1:8001/api/agent-chat/oidc/callback"
ROLES = {"admin": ["chat-admins"], "operator": ["desk", "chat-admins"]}
Lie = Callable[[LyingProvider], Any]


@pytest.fixture(scope="module")
def running() -> Iterator[LyingProvider]:
    with LyingProvider() as running:
        yield running


@pytest.fixture
def liar(running: LyingProvider) -> LyingProvider:
    running.tell_the_truth()
    return running


def client(issuer: str, **options: Any) -> OpenId:
    return OpenId(issuer, CLIENT_ID, **{"client_secret": CLIENT_SECRET, "redirect_uri": REDIRECT, **options})


def log_in(openid: OpenId, provider: LyingProvider, back: str = "/") -> tuple[Identity, str]:
    url, kept = openid.begin(back)
    return openid.finish(provider.log_in(url), kept)


def refusal(openid: OpenId, provider: LyingProvider) -> ChatError:
    with pytest.raises(ChatError) as error:
        log_in(openid, provider)
    return error.value


# The provider from PyPI


@pytest.fixture(scope="module")
def real() -> Iterator[str]:
    """The issuer of a provider that runs as a process of its own."""
    command = [sys.executable, "-m", "oidc_provider_mock", "--port", "0", "--require-nonce"]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True, env={**os.environ, "NO_COLOR": "1"})
    try:
        assert process.stderr is not None
        port = next(filter(None, (re.search(r"http://127\.0\.0\.1:(\d+)", line) for line in process.stderr)))[1]
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        process.communicate()


def test_a_real_provider(real: str) -> None:
    """A person logs in at a provider that nobody here wrote, and is known by what it tells about them."""
    groups = {"groups": ["staff", "desk"], "preferred_username": "maria", "name": "María"}
    httpx.put(f"{real}/users/m-1", json=groups).raise_for_status()
    registration = {"redirect_uris": [REDIRECT], "token_endpoint_auth_method": "client_secret_basic"}
    ours = httpx.post(f"{real}/oauth2/clients", json=registration).raise_for_status().json()
    openid = OpenId(real, ours["client_id"], ours["client_secret"], REDIRECT, roles=ROLES)
    url, kept = openid.begin("/desk?x=1")
    returned = httpx.post(url, data={"sub": "m-1"})
    assert returned.headers["Location"].startswith(REDIRECT)
    query = urlsplit(returned.headers["Location"]).query
    assert openid.finish(query, kept) == (Identity("m-1", "maria", "María", frozenset({"operator"})), "/desk?x=1")
    with pytest.raises(ChatError, match=re.escape("answers with HTTP 400 (invalid_grant)")):
        openid.finish(query, kept)


def test_a_real_provider_that_is_told_no(real: str) -> None:
    """Someone who does not let the provider tell who they are is told so."""
    openid = client(real)
    url, kept = openid.begin()
    query = urlsplit(httpx.post(url, data={"action": "deny"}).headers["Location"]).query
    state = parse_qs(urlsplit(url).query)["state"][0]
    with pytest.raises(ChatError, match="did not let you in: access_denied") as error:
        openid.finish(f"{query}&{urlencode({'state': state})}" if "state=" not in query else query, kept)
    assert error.value.code == "oidc_refused"


@pytest.fixture(scope="module")
def strict() -> Iterator[str]:
    """The issuer of a provider from npm, which insists on every detail."""
    node, npm = shutil.which("node"), shutil.which("npm")
    if node is None or npm is None:
        pytest.skip("Node.js and npm are missing: a provider from npm needs them")
    folder = ROOT / ".venv-npm"
    if not (folder / "node_modules" / "oidc-provider").is_dir():
        command = [npm, "install", "--silent", "--no-audit", "--no-fund", "--prefix", str(folder), "oidc-provider@9"]
        try:
            subprocess.run(command, check=True, capture_output=True, timeout=60)
        except (subprocess.CalledProcessError, subprocess.TimeoutExpired):
            pytest.skip("npm cannot install oidc-provider: it needs its registry")
    command = [node, str(ROOT / "tests" / "oidc_provider.mjs"), str(folder), CLIENT_ID, CLIENT_SECRET, REDIRECT]
    pipes: dict[str, Any] = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.DEVNULL}
    with subprocess.Popen(command, text=True, **pipes) as process:
        assert process.stdout is not None
        yield process.stdout.readline().strip()
        process.communicate()


def test_a_strict_provider(strict: str) -> None:
    """A person logs in at a provider that checks PKCE and the client's secret, and says who it is (RFC 9207)."""
    openid = client(strict, scopes=["profile", "groups"], roles=ROLES)
    url, kept = openid.begin("/desk")
    with httpx.Client(follow_redirects=False, trust_env=False) as browser:
        response = browser.get(url)
        while not (response.is_redirect and response.headers["Location"].startswith(REDIRECT)):
            if response.is_redirect:
                response = browser.get(response.next_request.url)  # type: ignore[union-attr]
                continue
            assert response.is_success, response.text
            prompt = re.search(r'name="prompt" value="(\w+)"', response.text)
            assert prompt is not None, response.text
            form = {"prompt": prompt[1], "login": "maria", "password": "any"}
            response = browser.post(str(response.url), data=form)
    query = urlsplit(response.headers["Location"]).query
    assert openid.finish(query, kept) == (Identity("maria", "maria", "María", frozenset({"operator"})), "/desk")
    with pytest.raises(ChatError, match="invalid_grant"):
        openid.finish(query, kept)


# The truth


def test_who_logged_in(liar: LyingProvider) -> None:
    """The provider that lies can also tell the truth, which all tests of lies rest upon."""
    liar.person["groups"] = ["chat-admins", "other"]
    identity, back = log_in(client(liar.issuer, roles=ROLES), liar, "/#invitation=x")
    assert identity == Identity("1f-7", "maria", "María Söder", frozenset({"admin", "operator"}))
    assert back == "/#invitation=x"


def test_description_and_keys_are_kept(liar: LyingProvider) -> None:
    """A login costs the provider two requests, not four."""
    openid = client(liar.issuer)
    log_in(openid, liar)
    liar.asked.clear()
    log_in(openid, liar)
    assert liar.asked == ["/authorize", "/token", "/userinfo"]


@pytest.mark.parametrize("key", [ECKey.generate_key("P-256"), OKPKey.generate_key("Ed25519")], ids=["EC", "OKP"])
def test_other_kinds_of_keys(key: ECKey | OKPKey) -> None:
    """Providers sign with elliptic curves as well, and their access tokens are checked with the hash that fits."""
    with LyingProvider(key) as provider:
        assert log_in(client(provider.issuer), provider)[0].login == "maria"
        provider.tokens["access_token"] = "another"
        assert "at_hash" in refusal(client(provider.issuer), provider).message


TRUTHS: dict[str, Lie] = {
    "several audiences": lambda liar: liar.claims.update(aud=["other", CLIENT_ID], azp=CLIENT_ID),
    "no at_hash": lambda liar: liar.claims.update(at_hash=None),
    "a clock that is a bit ahead": lambda liar: liar.claims.update(iat=int(time.time()) + 30),
    "a clock that is a bit behind": lambda liar: liar.claims.update(exp=int(time.time()) - 30),
    "no userinfo": lambda liar: (liar.description.pop("userinfo_endpoint"), liar.claims.update(liar.person)),
    "a secret in the form": lambda liar: liar.description.update(
        token_endpoint_auth_methods_supported=["client_secret_post"]
    ),
    "no word about iss": lambda liar: (
        liar.description.pop("authorization_response_iss_parameter_supported"),
        liar.back.update(iss=None),
    ),
    "nothing, in so many words": lambda liar: (
        liar.description.update(userinfo_endpoint=None, token_endpoint_auth_methods_supported=None),
        liar.claims.update(liar.person),
    ),
    "no name of the key": lambda liar: setattr(liar, "kid", None),
    "a long header": lambda liar: liar.header.update(x5c=["x" * 3000]),
    "keys of other kinds": lambda liar: liar.keys.extend(
        [{"kty": "AKP", "kid": "1"}, {"kty": "RSA", "use": "enc", "kid": "1"}, {"kty": "oct", "k": "eA", "kid": "1"}]
    ),
}


@pytest.mark.parametrize("truth", TRUTHS.values(), ids=TRUTHS)
def test_what_providers_may_do(liar: LyingProvider, truth: Lie) -> None:
    """Not all providers say everything, and they say it in different ways."""
    truth(liar)
    assert log_in(client(liar.issuer), liar)[0].login == "maria"


NOBODY = {"preferred_username": None, "email": None, "nickname": None, "name": None}


@pytest.mark.parametrize(
    ("told", "login", "name"),
    [
        ({"email": "m@example.com"}, "m@example.com", "m@example.com"),
        ({"nickname": "mia", "name": "  Mia \u202e\n\x1b[31m M. "}, "mia", "Mia [31m M."),
        ({"preferred_username": " ", "email": ["x"], "name": 7}, "1f-7", "1f-7"),
        ({"preferred_username": "x" * 9999, "name": "y" * 9999}, "x" * 64, "y" * 100),
    ],
)
def test_names(liar: LyingProvider, told: dict[str, Any], login: str, name: str) -> None:
    """A person has a login and a name of bounded length in one line, whatever the provider knows of them."""
    liar.person = {**liar.person, **NOBODY, **told}
    identity, _ = log_in(client(liar.issuer), liar)
    assert (identity.login, identity.name) == (login, name)


@pytest.mark.parametrize(
    ("claim", "told", "roles"),
    [
        ("groups", {"groups": ["desk"]}, {"operator"}),
        ("groups", {"groups": "chat-admins"}, {"admin", "operator"}),
        ("groups", {"groups": {"desk": True}}, set()),
        ("groups", {"groups": [["desk"], 7, "Desk"]}, set()),
        ("groups", {}, set()),
        ("realm_access.roles", {"realm_access": {"roles": ["desk"]}}, {"operator"}),
        ("realm_access.roles", {"realm_access": ["desk"]}, set()),
        ("https://a.example/groups", {"https://a.example/groups": ["desk"]}, {"operator"}),
    ],
)
def test_roles(liar: LyingProvider, claim: str, told: dict[str, Any], roles: set[str]) -> None:
    """Groups become roles, wherever the provider puts them; what is no list of names gives none."""
    liar.person.update(told)
    assert log_in(client(liar.issuer, groups_claim=claim, roles=ROLES), liar)[0].roles == roles


def test_new_keys(liar: LyingProvider) -> None:
    """Keys that change are fetched again, but not for each token that none of them signed."""
    openid = client(liar.issuer)
    log_in(openid, liar)
    old, new = liar.key, RSAKey.generate_key(2048)
    liar.signing_key, liar.kid, liar.keys = new, "2", [{**new.as_dict(private=False), "kid": "2"}]
    log_in(openid, liar)
    assert liar.asked.count("/keys") == 2
    liar.signing_key, liar.kid = old, "1"
    for _ in range(provider.NEWER_KEYS + 2):
        assert "not signed with one of its keys" in refusal(openid, liar).message
    assert liar.asked.count("/keys") == 1 + provider.NEWER_KEYS
    liar.signing_key, liar.kid = new, "2"
    log_in(openid, liar)


def test_new_key_with_the_same_name(liar: LyingProvider) -> None:
    """A provider that gives its new key the name of the old one is understood as well."""
    openid = client(liar.issuer)
    log_in(openid, liar)
    liar.signing_key = new = RSAKey.generate_key(2048)
    liar.keys = [{**new.as_dict(private=False), "kid": "1"}]
    log_in(openid, liar)


# Lies


def _sign_with_another_key(liar: LyingProvider) -> None:
    liar.signing_key = RSAKey.generate_key(2048)


def _sign_with_none(liar: LyingProvider) -> None:
    liar.header["alg"] = "none"


def _announce(*algorithms: str) -> Lie:
    return lambda liar: liar.description.update(id_token_signing_alg_values_supported=list(algorithms))


def _short_key(liar: LyingProvider) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the library warns as well
        short = RSAKey.generate_key(1024)
    liar.signing_key, liar.keys = short, [{**short.as_dict(private=False), "kid": "1"}]


def _unknown_curve(liar: LyingProvider) -> None:
    liar.header["alg"] = "ES256"
    liar.signing_key = ECKey.generate_key("P-256")
    liar.keys[0].update(kty="EC", crv="P-999", x="AA", y="AA")
    _announce("ES256")(liar)


def _claims(**claims: Any) -> Lie:
    return lambda liar: liar.claims.update(claims)


def _both(*lies: Lie) -> Lie:
    return lambda liar: [lie(liar) for lie in lies]


def _hmac(liar: LyingProvider) -> None:
    liar.header["alg"] = "HS256"


LIES: dict[str, tuple[Lie, str]] = {
    "issuer of the token": (_claims(iss="https://login.example.com"), "iss"),
    "no issuer": (_claims(iss=None), "iss"),
    "audience": (_claims(aud="another-program"), "aud"),
    "audiences": (_claims(aud=["a", "b"]), "aud"),
    "no audience": (_claims(aud=None), "aud"),
    "audience that is no name": (_claims(aud={CLIENT_ID: 1}), "aud"),
    "audiences without azp": (_claims(aud=["a", CLIENT_ID]), "azp"),
    "azp": (_claims(azp="another-program"), "azp"),
    "nonce": (_claims(nonce="another"), "nonce"),
    "no nonce": (_claims(nonce=None), "nonce"),
    "expired": (_claims(exp=int(time.time()) - 3600), "expired"),
    "no expiry": (_claims(exp=None), "exp"),
    "expiry that is no number": (_claims(exp="never"), "exp"),
    "expiry that is not a number": (_claims(exp=float("nan")), "exp"),
    "expiry that never comes": (_claims(exp=float("inf")), "exp"),
    "expiry after all times": (_claims(exp=10**400), "exp"),
    "expiry that is true": (_claims(exp=True), "exp"),
    "made tomorrow": (_claims(iat=int(time.time()) + 86400), "future"),
    "no time": (_claims(iat=None), "iat"),
    "no subject": (_claims(sub=None), "sub"),
    "empty subject": (_claims(sub=""), "sub"),
    "subject that is no text": (_claims(sub=7), "sub"),
    "endless subject": (_claims(sub="x" * 256), "sub"),
    "at_hash": (_claims(at_hash="AAAAAAAAAAAAAAAAAAAAAA"), "at_hash"),
    "at_hash that is no text": (_claims(at_hash=[1]), "at_hash"),
    "signature": (_sign_with_another_key, "not signed with one of its keys"),
    "none": (_sign_with_none, "signed in a way that it does not announce"),
    "none, announced": (_both(_sign_with_none, _announce("none", "RS256")), "does not announce"),
    "only none": (_both(_sign_with_none, _announce("none")), "it signs with none of RS256"),
    "HMAC with the public key": (_hmac, "does not announce"),
    "HMAC with the public key, announced": (_both(_hmac, _announce("HS256", "RS256")), "does not announce"),
    "only HMAC": (_both(_hmac, _announce("HS256")), "it signs with none of RS256"),
    "an algorithm that is not announced": (_announce("ES256"), "does not announce"),
    "short key": (_short_key, "fewer than 2048 bits"),
    "critical header": (lambda liar: liar.header.update(crit=["x"], x=1), "cannot be read"),
    "no ID token": (lambda liar: liar.tokens.update(id_token=None), "no ID token"),
    "ID token that is no text": (lambda liar: liar.tokens.update(id_token={"sub": "1"}), "no ID token"),
    "ID token of nothing": (lambda liar: liar.tokens.update(id_token=".."), "cannot be read"),
    "encrypted ID token": (lambda liar: liar.tokens.update(id_token="a.b.c.d.e"), "no ID token"),
    "huge ID token": (lambda liar: liar.tokens.update(id_token="a." + "b" * 99_999 + ".c"), "no ID token"),
    "no access token": (lambda liar: liar.tokens.update(access_token=None), "no access token"),
    "access token that fits no header": (_both(
        _claims(at_hash=None), lambda liar: liar.tokens.update(access_token="a\r\nb: \ud800")), "no access token"),
    "other type of token": (lambda liar: liar.tokens.update(token_type="mac"), "no access token"),
    "userinfo of somebody else": (_claims(sub="somebody-else"), "somebody else"),
    "userinfo of nobody": (_both(_claims(sub="1f-7"), lambda liar: liar.answers.update(
        {"/userinfo": liar.say(200, {"groups": ["chat-admins"]})})), "somebody else"),
    "sender": (lambda liar: liar.back.update(iss="https://login.example.com"), "another provider"),
    "no sender": (lambda liar: liar.back.update(iss=None), "another provider"),
    "no code": (lambda liar: liar.back.update(code=None), "without a code"),
    "name": (lambda liar: liar.description.update(issuer="https://login.example.com"), "--oidc-issuer"),
    "name, but for a slash": (lambda liar: liar.description.update(issuer=f"{liar.issuer}/"), "letter by letter"),
    "name that is code": (lambda liar: liar.description.update(issuer="<script>\x1b"), "calls itself script, not"),
    "addresses elsewhere": (
        lambda liar: liar.description.update(token_endpoint="http://10.0.0.1/"), "token_endpoint"),
    "address of a script": (
        lambda liar: liar.description.update(authorization_endpoint="javascript:alert(1)"), "authorization_endpoint"),
    "no addresses": (lambda liar: liar.description.pop("jwks_uri"), "jwks_uri"),
    "no PKCE": (lambda liar: liar.description.update(code_challenge_methods_supported=["plain"]), "PKCE"),
    "no keys": (lambda liar: liar.answers.update({"/keys": liar.say(200, {"keys": 7})}), "no keys"),
    "keys that are none": (lambda liar: liar.keys.clear(), "one of its keys"),
    "keys that are anything": (lambda liar: liar.keys.__setitem__(slice(None), [7, {}, {"kid": "1"}]), "of its keys"),
    "a key that cannot be read": (lambda liar: liar.keys[0].update(n="_" * 400, e=3), "cannot be read"),
    "a curve that does not exist": (_unknown_curve, "cannot be read"),
    "huge description": (
        lambda liar: liar.description.update(padding="x" * provider.MAX_ANSWER), "larger than 524,288 bytes"),
    "compressed description": (
        lambda liar: liar.answers.update({"/.well-known/openid-configuration": liar.say(
            200, gzip.compress(b" " * 2**25), **{"Content-Encoding": "gzip"})}), "compresses"),
    "description that is no object": (
        lambda liar: liar.answers.update({"/.well-known/openid-configuration": liar.say(200, [])}), "JSON object"),
    "description of nested lists": (
        lambda liar: liar.answers.update(
            {"/.well-known/openid-configuration": liar.say(200, b"[" * 100_000)}), "JSON object"),
}  # fmt: skip


@pytest.mark.parametrize(("lie", "sentence"), LIES.values(), ids=LIES)
def test_lies(liar: LyingProvider, lie: Lie, sentence: str) -> None:
    """Nobody gets in by a lie, and the sentence says which one it was."""
    lie(liar)
    error = refusal(client(liar.issuer), liar)
    assert sentence in error.message
    assert error.code == "oidc_untrusted"


FAILURES: dict[str, tuple[Lie, str]] = {
    "redirected": (
        lambda liar: liar.answers.update(
            {"/.well-known/openid-configuration": liar.say(302, {}, Location=f"{liar.issuer}/elsewhere")}
        ),
        "HTTP 302, a redirect",
    ),
    "redirected with the code": (
        lambda liar: liar.answers.update({"/token": liar.say(307, {}, Location="https://login.example.com")}),
        "HTTP 307, a redirect",
    ),
    "another secret": (
        lambda liar: liar.answers.update({"/token": liar.say(401, {"error": "invalid_client"})}),
        "/token answers with HTTP 401 (invalid_client)",
    ),
    "broken": (
        lambda liar: liar.answers.update({"/userinfo": liar.say(500, b"<h1>")}),
        "/userinfo answers with HTTP 5",
    ),
    "slow headers": (
        lambda liar: liar.answers.update({"/.well-known/openid-configuration": liar.drip}),
        "does not answer in time",
    ),
    "slow body": (lambda liar: liar.answers.update({"/keys": liar.drip_body}), "does not answer in time"),
    "silent": (lambda liar: liar.answers.update({"/token": liar.stay_silent}), "does not answer in time"),
}


@pytest.mark.parametrize(("failure", "sentence"), FAILURES.values(), ids=FAILURES)
def test_failures(liar: LyingProvider, monkeypatch: pytest.MonkeyPatch, failure: Lie, sentence: str) -> None:
    """A provider that is slow, broken or elsewhere is told as such, soon."""
    monkeypatch.setattr(provider, "TIMEOUT", 0.4)
    monkeypatch.setattr(provider, "READ_TIMEOUT", 0.3)
    failure(liar)
    error = refusal(client(liar.issuer), liar)
    assert sentence in error.message
    assert error.code == "oidc_unreachable"
    assert error.row.retryable
    assert "/elsewhere" not in liar.asked


def test_a_provider_that_is_away(monkeypatch: pytest.MonkeyPatch) -> None:
    """A provider that cannot be reached is not asked again at once; when it is back, logins go on."""
    with LyingProvider() as liar:
        openid = client(liar.issuer)
        liar.answers["/.well-known/openid-configuration"] = liar.say(503, {})
        for _ in range(3):
            with pytest.raises(ChatError, match="HTTP 503"):
                openid.begin()
        assert len(liar.asked) == 1
        monkeypatch.setattr(provider, "FAILURE_KEPT", 0.0)
        liar.answers.clear()
        log_in(openid, liar)
    with pytest.raises(ChatError, match=r"cannot be used now: .*refused"):
        client(liar.issuer).begin()


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> tuple[trustme.CA, str]:
    """Someone who vouches for servers, and the file with their certificate."""
    authority, file = trustme.CA(), tmp_path_factory.mktemp("authority") / "ca.pem"
    authority.cert_pem.write_to_path(file)
    return authority, str(file)


@pytest.fixture
def over_tls(authority: tuple[trustme.CA, str]) -> Iterator[LyingProvider]:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority[0].issue_cert("127.0.0.1").configure_cert(context)
    with LyingProvider(ECKey.generate_key("P-256"), context) as provider:
        yield provider


def test_tls(over_tls: LyingProvider, authority: tuple[trustme.CA, str], monkeypatch: pytest.MonkeyPatch) -> None:
    """A provider has to prove its name; one that is slow is left in time over TLS as well."""
    monkeypatch.setenv("HTTPS_PROXY", "http://127.0.0.1:9")  # not for this machine
    with pytest.raises(ChatError, match="CERTIFICATE_VERIFY_FAILED") as error:
        client(over_tls.issuer).begin()
    assert error.value.code == "oidc_unreachable"
    monkeypatch.setenv("SSL_CERT_FILE", authority[1])
    openid = client(over_tls.issuer)
    assert log_in(openid, over_tls)[0].login == "maria"
    over_tls.answers["/token"] = over_tls.drip
    monkeypatch.setattr(provider, "TIMEOUT", 0.4)
    assert "does not answer in time" in refusal(openid, over_tls).message
    over_tls.answers["/token"] = over_tls.drip_body
    assert "does not answer in time" in refusal(openid, over_tls).message
    over_tls.description["userinfo_endpoint"] = over_tls.issuer.replace("https", "http")
    assert "userinfo_endpoint is not an address with https" in refusal(client(over_tls.issuer), over_tls).message


def test_certificates_that_are_not_there(monkeypatch: pytest.MonkeyPatch) -> None:
    """Certificates that the environment names and that do not exist are told as what is wrong."""
    monkeypatch.setenv("SSL_CERT_FILE", "/nowhere/ca.pem")
    with pytest.raises(ChatError, match="No such file"):
        client("https://127.0.0.1:9").begin()


def test_no_secret_in_errors_and_logs(liar: LyingProvider, caplog: pytest.LogCaptureFixture) -> None:
    """Neither the sentences nor the log tell the secret, a code or a token."""
    caplog.set_level(logging.DEBUG)
    openid = client(liar.issuer)
    liar.tokens["id_token"] = "header.tokens-are-secret.signature"
    url, kept = openid.begin()
    query = liar.log_in(url)
    with pytest.raises(ChatError) as error:
        openid.finish(query, kept)
    told = error.value.message + repr(error.value.__cause__) + caplog.text
    for secret in (CLIENT_SECRET, parse_qs(query)["code"][0], "tokens-are-secret", kept):
        # The code was in the address that the browser of this test followed, which is logged by that browser.
        assert secret not in told.replace(query, "")


# The browser


def test_a_login_that_somebody_else_began(liar: LyingProvider) -> None:
    """Nobody can be logged in as somebody else by a link: a login ends in the browser in which it began."""
    openid = client(liar.issuer)
    attackers_url, attackers_cookie = openid.begin()
    query = liar.log_in(attackers_url)
    _, other_login = openid.begin()
    changed = attackers_cookie[:-2] + ("AA" if not attackers_cookie.endswith("AA") else "BB")
    _, of_another_server = client(liar.issuer).begin()
    for cookie in ("", ".", "é.é", "x" * 9999, other_login, changed, of_another_server):
        with pytest.raises(ChatError, match="was not begun in this browser") as error:
            openid.finish(query, cookie)
        assert error.value.code == "oidc_state"
    for other in ("", "code=1", query.replace("state=", "x="), query.replace("state=", "state=%C3%A9")):
        with pytest.raises(ChatError, match="was not begun in this browser"):
            openid.finish(other, attackers_cookie)
    assert "/token" not in liar.asked
    openid.finish(query, attackers_cookie)


def test_cookies(liar: LyingProvider) -> None:
    """The cookie is for the server alone, and no other server in the domain can set it if there is TLS."""
    openid = client(liar.issuer)
    _, kept = openid.begin()
    assert openid.set_cookie(kept) == f"agentchat_oidc={kept}; Path=/; Max-Age=600; HttpOnly; SameSite=Lax"
    assert openid.cookie(f"a=b; agentchat_oidc={kept};x") == kept
    assert openid.cookie(None) == openid.cookie("") == openid.cookie("agentchat_oidc2=x") == ""
    assert openid.cookie(f"agentchat_oidc=foreign; agentchat_oidc={kept}") == ""
    public = client(liar.issuer, redirect_uri="https://chat.example.com/api/agent-chat/oidc/callback")
    taken = "__Host-agentchat_oidc=; Path=/; Max-Age=0; HttpOnly; SameSite=Lax; Secure"
    assert public.set_cookie("") == taken
    assert public.cookie(f"agentchat_oidc=foreign; __Host-agentchat_oidc={kept}") == kept


def test_a_cookie_is_no_longer_than_browsers_allow(liar: LyingProvider) -> None:
    """Also with the longest path to go back to, the cookie fits into a browser."""
    openid = client(liar.issuer)
    path = "/" + "x" * 999
    url, kept = openid.begin(path)
    assert len(openid.set_cookie(kept)) < 4096
    assert openid.finish(liar.log_in(url), kept)[1] == path


def test_a_code_of_another_login(liar: LyingProvider) -> None:
    """A code that was stolen elsewhere is worth nothing: it belongs to a login that was begun with another secret."""
    openid = client(liar.issuer)
    victims_url, _ = openid.begin()
    own_url, own_cookie = openid.begin()
    stolen = parse_qs(liar.log_in(victims_url))["code"][0]
    own = parse_qs(liar.log_in(own_url))
    query = urlencode({"code": stolen, "state": own["state"][0], "iss": own["iss"][0]})
    with pytest.raises(ChatError, match=re.escape("HTTP 400 (invalid_grant)")):
        openid.finish(query, own_cookie)


def test_a_login_that_took_too_long(liar: LyingProvider, monkeypatch: pytest.MonkeyPatch) -> None:
    """The state that a browser keeps is worth nothing after ten minutes."""
    openid = client(liar.issuer)
    url, kept = openid.begin()
    query, now = liar.log_in(url), time.monotonic()
    monkeypatch.setattr(time, "monotonic", lambda: now + oidc.LIFETIME + 1)
    with pytest.raises(ChatError, match="more than 10 minutes ago"):
        openid.finish(query, kept)


def test_parameters_given_twice(liar: LyingProvider) -> None:
    """An address with two codes or two states has no meaning."""
    openid = client(liar.issuer)
    url, kept = openid.begin()
    query = liar.log_in(url)
    for more in ("&code=1", "&state=1", "&x=" + "y" * 9999):
        with pytest.raises(ChatError) as error:
            openid.finish(query + more, kept)
        assert error.value.code == "bad_request"


def test_words_of_the_provider(liar: LyingProvider) -> None:
    """The provider's reason is passed on in plain characters, and not more of it than fits a sentence."""
    liar.back.update(
        code=None, error="access_denied", error_description='<img src=x onerror="a"> \x1b[1m\u202e' + "no " * 999
    )
    error = refusal(client(liar.issuer), liar)
    assert error.code == "oidc_refused"
    assert error.message.startswith("The login provider did not let you in: access_denied (img src=x onerror= a 1m")
    assert len(error.message) < 400
    assert not set(error.message) & set('<>"&\x1b\u202e')


@pytest.mark.parametrize(
    "path",
    ["/", "/desk", "/login.html#first=x", "/#invitation=a_b-c", "/a/b?c=//d&e=https://f.example", "/%2f%2fx", "/@x"],
)
def test_paths_of_our_own(path: str) -> None:
    """A path of this server is kept as it is."""
    assert safe_path(path) == path


@pytest.mark.parametrize(
    "path",
    [
        "//evil.example", "///evil.example", "/\\evil.example", "\\\\evil.example", "/\t/evil.example",
        "/\n/evil.example", "https://evil.example", "https:evil.example", "javascript:alert(1)", "evil.example", " /x",
        "/x y", "/é", "/\x00",
        "/\x7f", "/.//evil.example", "/x//evil.example", "?x", "#x", "/" + "x" * 1000, "/x\r\nSet-Cookie: a=b",
    ],
)  # fmt: skip
def test_paths_elsewhere(liar: LyingProvider, path: str) -> None:
    """An address that a browser could take for another server is refused, before anybody logs in."""
    with pytest.raises(ChatError) as error:
        client(liar.issuer).begin(path)
    assert error.value.code == "bad_request"


def test_no_path() -> None:
    """Without a path, people get to the page."""
    assert safe_path("") == "/"


# Settings


def test_settings() -> None:
    """The settings name the provider; without one there is none."""
    assert oidc.configured(settings.load([], {}), REDIRECT) is None
    given = settings.load(
        ["--oidc-issuer", "https://login.example.com", "--oidc-client-id", "chat", "--oidc-scopes", "profile,groups"],
        {"AGENTCHAT_OIDC_CLIENT_SECRET": "s", "AGENTCHAT_OIDC_ADMINS": "a b, c"},
    )
    openid = oidc.configured(given, REDIRECT)
    assert openid is not None
    assert openid.issuer == "https://login.example.com"
    with pytest.raises(SettingsError, match="needs --oidc-client-id"):
        oidc.configured(replace(given, oidc_client_id=""), REDIRECT)
    with pytest.raises(SettingsError, match="--oidc-client-id needs --oidc-issuer"):
        oidc.configured(replace(given, oidc_issuer=""), REDIRECT)
    with pytest.raises(SettingsError, match="--public-url"):
        oidc.configured(given, "/api/agent-chat/oidc/callback")


@pytest.mark.parametrize(
    "issuer",
    [
        "http://login.example.com", "http://10.0.0.1", "http://localhost.example.com", "ftp://localhost",
        "login.example.com", "https://", "https://a@b.example", "https://login.example.com?x=1", "https://login.example.com#x",
        "https://login.example.com:x", "https://[", "https://lögin.example.com", "https://login.example.com/\n",
    ],
)  # fmt: skip
def test_issuers_that_cannot_be_used(issuer: str) -> None:
    """The provider has an address with https; only on this machine it may do without."""
    with pytest.raises(SettingsError, match="must be the https address of the provider"):
        client(issuer)


def test_without_the_package() -> None:
    """Without joserfc the server runs as long as no provider is configured; then the error says what to install."""
    program = f"""
import sys
sys.modules["joserfc"] = None
from agentchat import settings
from agentchat.auth import oidc
assert oidc.configured(settings.load([], {{}}), "") is None
oidc.OpenId("https://login.example.com", "chat", redirect_uri="{REDIRECT}")
"""
    ended = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, timeout=60)
    assert "SettingsError: OpenID Connect needs another package: pip install -r requirements-oidc.txt" in ended.stderr
