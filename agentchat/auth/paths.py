"""The paths of this server that a browser may be sent to after a login."""

from __future__ import annotations

import re

from agentchat.protocol.errors import ChatError

MAX_PATH = 1000  # characters; it has to fit into a cookie beside other things

_PATH = re.compile(r"/(?!/)[\x21-\x5b\x5d-\x7e]*")


def safe_path(text: str) -> str:
    """Return `text` if it is a path of this server, perhaps with a query and a fragment; "" is the page itself.

    Raises ChatError for whatever a browser could take for an address elsewhere.
    """
    path = re.split("[?#]", text, maxsplit=1)[0]
    if not text:
        return "/"
    if len(text) > MAX_PATH or not _PATH.fullmatch(text) or "//" in path:
        raise ChatError("bad_request", problem="`back` is not a path of this server, such as /desk")
    return text
