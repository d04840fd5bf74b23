"""The list of all that rendered HTML may consist of. Whatever else gets as far as this is taken out."""

from __future__ import annotations

from collections.abc import Callable

import nh3

from agentchat.rendering import addresses

_MATH = {
    "annotation", "math", "menclose", "merror", "mfenced", "mfrac", "mi", "mmultiscripts", "mn", "mo", "mover",
    "mpadded", "mphantom", "mprescripts", "mroot", "mrow", "ms", "mspace", "msqrt", "mstyle", "msub", "msubsup", "msup",
    "mtable", "mtd", "mtext", "mtr", "munder", "munderover", "none", "semantics",
}  # fmt: skip
_TEXT = {
    "a", "blockquote", "br", "button", "code", "del", "div", "em", "h1", "h2", "h3", "h4", "h5", "h6", "hr", "img",
    "input", "kbd", "li", "mark", "ol", "p", "pre", "section", "span", "strong", "sub", "sup", "table", "tbody", "td",
    "th", "thead", "tr", "ul",
}  # fmt: skip
_LAYOUT = {
    "accent", "accentunder", "align", "columnalign", "columnlines", "columnspacing", "depth", "displaystyle",
    "fence", "form", "height", "largeop", "linethickness", "lspace", "mathsize", "mathvariant", "maxsize", "minsize",
    "movablelimits", "notation", "rowlines", "rowspacing", "rspace", "scriptlevel", "separator", "stretchy",
    "symmetric", "voffset", "width",
}  # fmt: skip
_ATTRIBUTES: dict[str, set[str]] = {
    **{tag: set(_LAYOUT) for tag in _MATH},
    "math": {"display"},
    "annotation": {"encoding"},
    "a": {"class", "data-footnote", "data-footnote-back", "href", "title"},
    "button": {"class", "data-alt", "data-src", "type"},
    "code": {"class", "data-language"},
    "div": {"class"},
    "img": {"alt", "src", "title"},
    "input": {"checked", "class", "disabled"},
    "li": {"class", "data-footnote"},
    "ol": {"start"},
    "pre": {"class"},
    "section": {"class"},
    "span": {"class", "title"},
    "sup": {"class"},
    "td": {"align"},
    "th": {"align"},
    "ul": {"class"},
}


def _own_images(tag: str, name: str, value: str) -> str | None:
    """Let images pass only if they are this server's, or stand in the text."""
    if tag != "img" or name != "src":
        return None if value.startswith("data:") else value
    address = addresses.understood(value)
    return value if address.is_image or (address.is_allowed and not address.host) else None


def _cleaner(schemes: set[str], attribute_filter: Callable[[str, str, str], str | None] | None) -> nh3.Cleaner:
    return nh3.Cleaner(
        tags=_MATH | _TEXT,
        attributes=_ATTRIBUTES,
        attribute_filter=attribute_filter,
        tag_attribute_values={"input": {"type": {"checkbox"}}},
        set_tag_attribute_values={"input": {"disabled": ""}, "button": {"type": "button"}},
        url_schemes=schemes,
        link_rel="noopener noreferrer nofollow",
    )


_CLEANER = _cleaner({"http", "https", "mailto"}, None)
_CLEANER_OF_IMAGES = _cleaner({"http", "https", "mailto", "data"}, _own_images)  # a third slower


def clean(html: str) -> str:
    """Return HTML of which only the tags and attributes listed here are left."""
    return (_CLEANER_OF_IMAGES if "<img" in html.lower() else _CLEANER).clean(html)
