"""A page with one image of another host, for a frame: our own page loads none, so that no host learns who reads it."""

from __future__ import annotations

import base64
import hashlib
from html import escape

from agentchat.access import Need
from agentchat.http import requests
from agentchat.http.routes import Call, Reply, route
from agentchat.protocol.errors import ChatError
from agentchat.rendering import addresses

HTML = "text/html; charset=utf-8"
_STYLE = (
    "html,body{margin:0;height:100%;color-scheme:light dark;background:transparent}"
    "img{display:block;max-width:100%;max-height:100%;font:14px system-ui,sans-serif}"
)
_STYLE_HASH = base64.b64encode(hashlib.sha256(_STYLE.encode()).digest()).decode()
_HEADERS = {
    "Content-Security-Policy": f"default-src 'none'; img-src http: https:; style-src 'sha256-{_STYLE_HASH}'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'self'; sandbox"
}


class ForeignImageRoutes:
    @route("GET", "/api/agent-chat/foreign-image", Need.KNOWN, answers={200: None}, types=(HTML,))
    def show_foreign_image(self, call: Call, query: requests.ForeignImageQuery) -> Reply:
        """Return a page that shows an image of another host, to be framed by our own page."""
        address = addresses.understood(query.src)
        if not query.src.lower().startswith(("http://", "https://")) or not address.is_allowed:
            raise ChatError("bad_request", problem="src is not the address of an image on the web")
        image = f'<img src="{escape(query.src)}" alt="{escape(query.alt)}" referrerpolicy="no-referrer">'
        page = f"<!doctype html><html><head><title>{escape(query.alt)}</title><style>{_STYLE}</style></head>"
        return Reply(200, f"{page}<body>{image}</body></html>".encode(), _HEADERS, HTML)
