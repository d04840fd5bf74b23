"""The two agreements of systemd with a service, which others keep as well: sockets that it passes, and being told.

See sd_listen_fds(3) and sd_notify(3). Children must know of neither, so the variables are taken out of the environment.
"""

from __future__ import annotations

import logging
import os
import socket
from collections.abc import MutableMapping

from agentchat.protocol.errors import SettingsError

FIRST_DESCRIPTOR = 3
PAGE, WEBSOCKET = "page", "websocket"  # names of the sockets, as `FileDescriptorName=` gives them

log = logging.getLogger(__name__)


def passed(environment: MutableMapping[str, str] = os.environ) -> dict[str, socket.socket]:
    """Return the listening sockets that were passed to this process: that of the page and that of the WebSocket.

    Without these names the first is the page's, and the second the WebSocket's. Raises SettingsError for others.
    """
    for_whom = environment.pop("LISTEN_PID", "")
    count = environment.pop("LISTEN_FDS", "")
    names = environment.pop("LISTEN_FDNAMES", "").split(":")
    if for_whom != str(os.getpid()) or not count.isdecimal():
        return {}
    sockets = [socket.socket(fileno=FIRST_DESCRIPTOR + number) for number in range(int(count))]
    known = (PAGE, WEBSOCKET)
    if len(sockets) > len(known):
        raise SettingsError(f"{len(sockets)} sockets were passed to the server. Pass that of the page and of /ws only.")
    if len(names) != len(sockets) or not set(names) <= set(known):
        names = list(known[: len(sockets)])
    found = dict(zip(names, sockets, strict=True))
    if len(found) < len(sockets):
        raise SettingsError(f"Two sockets were passed under the same name. Name them {PAGE} and {WEBSOCKET}.")
    for name, each in found.items():
        _check(name, each)
        each.set_inheritable(False)
    return found


def _check(name: str, passed: socket.socket) -> None:
    is_internet = passed.family in {socket.AF_INET, socket.AF_INET6} and passed.type == socket.SOCK_STREAM
    if not is_internet or not passed.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN):
        raise SettingsError(f"The socket that was passed for {name} is no listening TCP socket (ListenStream=PORT).")


class Manager:
    """The program that started this process and wants to know how it is; perhaps there is none."""

    def __init__(self, environment: MutableMapping[str, str] = os.environ) -> None:
        self._address = environment.pop("NOTIFY_SOCKET", "")

    def tell(self, *states: str) -> None:
        """Tell it states such as READY=1."""
        if not self._address:
            return
        address = "\0" + self._address[1:] if self._address.startswith("@") else self._address
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as sender:
                sender.sendto("\n".join(states).encode(), address)
        except OSError as error:
            log.warning("Whoever started the server cannot be told of %s: %s", ", ".join(states), error)
