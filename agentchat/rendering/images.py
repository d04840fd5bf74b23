"""Images: those of other hosts become buttons, because loading one tells that host who reads this, and when."""

from __future__ import annotations

from collections.abc import Sequence

from markdown_it import MarkdownIt
from markdown_it.common.utils import escapeHtml
from markdown_it.renderer import RendererHTML
from markdown_it.token import Token
from markdown_it.utils import EnvType, OptionsDict

from agentchat.rendering import addresses, invisible
from agentchat.rendering.links import MAX_SHOWN


def use(parser: MarkdownIt) -> None:
    """Let a parser ask before it shows images of other hosts."""
    parser.add_render_rule("image", _image)


def _image(self: RendererHTML, tokens: Sequence[Token], idx: int, options: OptionsDict, env: EnvType) -> str:
    token = tokens[idx]
    url = str(token.attrs["src"])
    address = addresses.understood(url)
    alt = escapeHtml(invisible.named(self.renderInlineAsText(token.children, options, env)))
    if address.is_image or (address.is_allowed and not address.host):
        title = escapeHtml(invisible.named(str(token.attrs.get("title", ""))))
        return f'<img src="{escapeHtml(url)}" alt="{alt}"' + (f' title="{title}">' if title else ">")
    if not address.is_allowed or "@" in address.host:
        return f'{alt} <span class="link-address">({escapeHtml(url[:MAX_SHOWN])})</span>'
    src = escapeHtml(url if not url.startswith("//") else "https:" + url)
    return (
        f'<button class="foreign-image" type="button" data-src="{src}" data-alt="{alt}">'
        f'<span class="foreign-image-alt">{alt}</span> <span class="link-host">({escapeHtml(address.host)})</span>'
        "</button>"
    )
