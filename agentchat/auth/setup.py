"""The ways in which people are known, as the settings choose them."""

from __future__ import annotations

import ipaddress

from agentchat import installation
from agentchat.auth.accounts import Accounts
from agentchat.auth.identification import Identification
from agentchat.auth.proxies import Proxies, configured
from agentchat.protocol.errors import SettingsError
from agentchat.settings import Settings


def identification(chosen: Settings, accounts: Accounts) -> Identification:
    """Return how callers are identified. Raises SettingsError if others could get in whom nobody knows."""
    is_required = check(chosen, accounts.is_empty)
    # Even if the last account is deleted while it runs, a server that others can reach doesn't open to everybody.
    return Identification(accounts, configured(chosen), is_off=chosen.no_auth, is_required=is_required)


def check(chosen: Settings, is_empty: bool) -> bool:
    """Return True if people have to log in even while there are no accounts; it `is_empty` if there are none now.

    Raises SettingsError if others could get in whom nobody knows.
    """
    proxies = configured(chosen)
    ways = [name for name in ("accounts", "oidc_issuer", "auth_header") if getattr(chosen, name)]
    if chosen.no_auth and ways:
        option = f"--{ways[0].replace('_', '-')}"
        raise SettingsError(f"{option} makes people log in, and --no-auth lets everybody in. Choose one of them.")
    reason = _reason(chosen, proxies)
    if reason and not (chosen.no_auth or ways) and is_empty:
        command = installation.command("user", "add", "NAME")
        raise SettingsError(
            f"{reason}, and nobody has to log in. Make accounts ({command}, or --accounts for a link to make the first "
            "one), name an OpenID provider (--oidc-issuer), or a proxy's header that names people (--auth-header with "
            "--trusted-proxies). To let everybody do everything, say --no-auth."
        )
    return not chosen.no_auth and bool(ways or reason)


def _reason(chosen: Settings, proxies: Proxies) -> str:
    """Return why other machines may reach the server; "" if they cannot."""
    if not _is_loopback(chosen.host):
        return f"Other machines can connect to {chosen.host}"
    if chosen.public_url:
        return f"Others can connect through {chosen.public_url}"
    return "Others can connect through the proxies of --trusted-proxies" if proxies else ""


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host.partition("%")[0]).is_loopback
    except ValueError:
        return False
