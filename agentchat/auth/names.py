"""The names that people have: the login name, which is theirs alone, and the name that others see.

Login names are compared without regard to case and to how a letter is encoded (NFKC). They consist of letters, digits
and a few signs, of one alphabet where letters of several look alike, so that nobody passes for somebody else.
"""

from __future__ import annotations

import re
import unicodedata

from agentchat.protocol.errors import ChatError
from agentchat.protocol.events import clean
from agentchat.protocol.validation import NAME_CHARS, one_line

SIGNS = "._-+@"
_SUFFIX_CHARS = 10  # left for what makes a login name different from one that is taken
_LOOK_ALIKE = frozenset({"ARMENIAN", "CHEROKEE", "COPTIC", "CYRILLIC", "GREEK", "LATIN"})
# Letters and marks that are drawn as nothing: the joiner of graphemes, fillers, and selectors of variants.
_UNSEEN = re.compile("[\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180f\u3164\ufe00-\ufe0f\uffa0\U000e0100-\U000e01ef]")


def key(login: str) -> str:
    """Return the form of a login name by which it is compared, for any text."""
    folded = unicodedata.normalize("NFKC", clean(login)[: 10 * NAME_CHARS]).strip().casefold()
    return unicodedata.normalize("NFKC", folded)


def login_name(text: str) -> str:
    """Return a login name as it is kept. Raises ChatError if it cannot be used."""
    login = unicodedata.normalize("NFKC", clean(text)[: 10 * NAME_CHARS]).strip()
    if not 0 < len(login) <= NAME_CHARS:
        raise ChatError("account_unusable", problem=f"the login name does not have 1 to {NAME_CHARS} characters")
    if not login[0].isalnum() or not all(map(_may_stand, login)):
        problem = f"a login name begins with a letter or a digit, and has only those and {' '.join(SIGNS)}"
        raise ChatError("account_unusable", problem=problem)
    if len(_alphabets(login)) > 1:
        raise ChatError("account_unusable", problem="the login name mixes letters of several alphabets")
    return login


def usable_login(text: str) -> str:
    """Return a login name that can be used and is similar to the text, for people whom somebody else has named."""
    kept = "".join(filter(_may_stand, unicodedata.normalize("NFKC", clean(text)[: 10 * NAME_CHARS])))
    kept = kept.lstrip(SIGNS)[: NAME_CHARS - _SUFFIX_CHARS]
    try:
        return login_name(kept)
    except ChatError:
        return "user"


def shown_name(text: str) -> str:
    """Return a name that others see as it is kept. Raises ChatError if it cannot be used."""
    name = unicodedata.normalize("NFC", clean(text)[: 10 * NAME_CHARS]).strip()
    if not any(unicodedata.category(sign)[0] in "LNPS" for sign in _UNSEEN.sub("", name)):
        raise ChatError("account_unusable", problem="the name has nothing that can be seen")
    if len(name) > NAME_CHARS:
        raise ChatError("account_unusable", problem=f"the name has more than {NAME_CHARS} characters")
    if name != one_line(name):
        raise ChatError("account_unusable", problem="the name has characters that do not belong into one line of text")
    return name


def _may_stand(sign: str) -> bool:
    is_mark = unicodedata.category(sign) in {"Mc", "Mn"}  # vowels of many alphabets
    return (sign.isalnum() or is_mark or sign in SIGNS) and not _UNSEEN.match(sign)


def _alphabets(login: str) -> set[str]:
    return {unicodedata.name(sign, "").partition(" ")[0] for sign in login if sign.isalpha()} & _LOOK_ALIKE
