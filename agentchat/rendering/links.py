"""Links that show where they lead: to the web, to e-mail or to this server's own pages, and nowhere else."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from markdown_it import MarkdownIt
from markdown_it.common.utils import escapeHtml
from markdown_it.rules_core import StateCore
from markdown_it.token import Token

from agentchat.rendering import addresses, invisible

MAX_SHOWN = 200  # characters of an address that is shown


def use(parser: MarkdownIt) -> None:
    """Let a parser look at its links. It must take all of them for links, whatever their scheme."""
    parser.core.ruler.push("link_addresses", _show_addresses)


def _show_addresses(state: StateCore) -> None:
    for token in state.tokens:
        if token.type == "inline" and token.children and any(child.type == "link_open" for child in token.children):
            token.children = list(_with_addresses(token.children))


def _with_addresses(children: Sequence[Token]) -> Iterator[Token]:
    begun: list[Token] = []
    text = ""
    for child in children:
        yield child
        if child.type == "link_open":
            begun, text = [child], ""
        elif child.type == "link_close" and begun:
            yield from _address(begun.pop(), text)
        elif begun:
            text += child.content


def _address(link: Token, text: str) -> Iterator[Token]:
    """Yield what belongs behind a link, if anything does; one that leads elsewhere is none any more."""
    url = str(link.attrs["href"])
    address = addresses.understood(url)
    if "title" in link.attrs:
        link.attrs["title"] = invisible.named(str(link.attrs["title"]))
    is_bare = link.info == "auto"  # its text is its address
    if not address.is_allowed:
        del link.attrs["href"]
        link.attrs["class"] = "refused-link"
        if not is_bare:
            yield _shown("link-address", url)
    is_seen = address.is_allowed and not addresses.is_foreign_script(address.host)
    if address.host and not (is_seen and (is_bare or not addresses.misleads(text, address.host))):
        yield _shown("link-host", address.host)


def _shown(name: str, address: str) -> Token:
    short = address if len(address) <= MAX_SHOWN else address[:MAX_SHOWN] + "…"
    return Token("html_inline", "", 0, content=f' <span class="{name}">({escapeHtml(short)})</span>')
