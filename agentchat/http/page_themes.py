"""The page's templates in the theme that a person has chosen, so that no other one is seen while a page loads."""

from __future__ import annotations

import re

COOKIE = "agentchat_theme"
"""The page sets it when a person chooses a theme, and removes it to follow the system."""

THEMES = ("light", "dark")
_OPENING = re.compile(r"<html (?=lang=)")
_SCHEME = '<meta name="color-scheme" content="light dark">'


def in_theme(page: str, name: str) -> str:
    """Return a page that does not follow the system's theme."""
    page = _OPENING.sub(f'<html data-theme="{name}" ', page, count=1)
    return page.replace(_SCHEME, f'<meta name="color-scheme" content="{name}">', 1)


def choose(cookies: str) -> str:
    """Return the theme that a browser's owner has chosen, or "" if it follows the system's."""
    chosen = re.search(rf"(?:^|;)\s*{COOKIE}=(\w+)", cookies)
    return chosen[1] if chosen and chosen[1] in THEMES else ""
