"""Images for models that see: made of a history's references in what is sent, and nowhere else.

An entry of the configuration says `"vision": true` or `false`. Of other models it is found out: they are sent images
until their server refuses these, which is remembered as long as this process runs.
"""

from __future__ import annotations

import base64
import contextvars
import threading
from collections.abc import Callable
from typing import Any

from agentchat.models import failures
from agentchat.models.failures import ModelFailure
from agentchat.protocol import attachments
from agentchat.protocol.attachments import Attachment

Message = dict[str, Any]
Part = dict[str, Any]

MAX_BYTES = 20 * 2**20  # of the images in one request; the newest are sent
UNSEEN = "This model cannot see images, so it was told their names only."
REFUSED = "The model server refused the images, so the model was told their names only."

read: contextvars.ContextVar[Callable[[Attachment], bytes | None]] = contextvars.ContextVar("attached")
"""Returns the bytes of a file that goes with a message, None if there are none any more."""

_lock = threading.Lock()  # guards the next two
_declared: dict[str, bool] = {}  # by origin: model@server
_found_out: dict[str, bool] = {}


def declare(origin: str, sees: object) -> None:
    """Remember what the configuration says of a model: True or False; anything else is nothing."""
    if isinstance(sees, bool):
        with _lock:
            _declared[origin] = sees


def sees(origin: str) -> bool | None:
    """Return whether a model sees images, None if that is not known."""
    with _lock:
        return _declared.get(origin, _found_out.get(origin))


class Sight:
    """The images of one request: all of them, then only the newest, then none, as far as the server refuses them."""

    def __init__(self, origin: str) -> None:
        self._origin = origin
        self._most = 0 if sees(origin) is False else None  # images; None for no limit
        self._sent = 0
        self._is_refused = False
        self.left_out = False
        """True if the message at the end had an image that was not sent."""

    @property
    def notice(self) -> str:
        """A sentence for people about the images that were not sent; empty if there is nothing to say."""
        is_new = self._is_refused and self._most == 0
        return "" if not (self.left_out or is_new) else UNSEEN if sees(self._origin) is False else REFUSED

    def shown(self, messages: list[Message]) -> list[Message]:
        """Return the messages with images as parts of them, and short lines about files."""
        images = _Images(self._most)
        sent = [images.message(message) for message in reversed(messages)]
        self._sent = images.count
        self.left_out = images.left_out
        return sent[::-1]

    def refused(self, failure: ModelFailure) -> bool:
        """Return True if the request can be sent again with fewer images."""
        if not self._sent or not failures.refuses_images(failure):
            return False
        self._most = 1 if self._sent > 1 else 0
        self._is_refused = True
        return True

    def answered(self) -> None:
        """Remember what the answer tells about the model."""
        with _lock:
            if self._sent:
                _found_out[self._origin] = True
            elif self._is_refused:
                _found_out.setdefault(self._origin, False)  # else it was these images that it did not like


def seen(messages: list[Message], sees: bool) -> tuple[list[Message], bool]:
    """Return the messages for a client of another protocol, and whether the newest had an image that is left out."""
    images = _Images(None if sees else 0)
    sent = [images.message(message) for message in reversed(messages)]
    return sent[::-1], images.left_out


class _Images:
    """Puts images into messages, the newest of which comes first."""

    def __init__(self, most: int | None) -> None:
        self.count = 0
        self.left_out = False
        self._most = most
        self._room = MAX_BYTES
        self._is_newest = True

    def message(self, message: Message) -> Message:
        """Return a message as it is sent."""
        is_newest, self._is_newest = self._is_newest, False
        content = message.get("content")
        if message.get("role") != "user" or not isinstance(content, (str, list)):
            return message
        before = self.count
        parts = content if isinstance(content, list) else [_text_part(content)]
        sent = [each for part in reversed(parts) for each in reversed(self._part(part))][::-1]
        if is_newest and self.count - before < images_in(content):
            self.left_out = True
        if isinstance(content, str) and len(sent) == 1:
            return {**message, "content": sent[0]["text"]}
        return {**message, "content": sent}

    def _part(self, part: Any) -> list[Any]:
        """Return what is sent of a part, which AG2's multimodal agents may have made of a text."""
        if is_image(part):
            return [part if self._take(0) else _text_part("[picture]")]
        named = attachments.named_in(_text_of(part))
        if not named:
            return [part]
        images = {each: image for each in reversed(named) if each.is_image and (image := self._image(each))}
        text = attachments.with_lines(part["text"], lambda each: _line(each, each in images))
        return [{**part, "text": text}, *(images[each] for each in dict.fromkeys(named) if each in images)]

    def _image(self, attachment: Attachment) -> Part | None:
        load = read.get(None)
        if load is None or self._most == self.count or attachment.size > self._room:
            return None
        content = load(attachment)
        if content is None or not self._take(len(content)):
            return None
        url = f"data:{attachment.media_type};base64,{base64.b64encode(content).decode()}"
        return {"type": "image_url", "image_url": {"url": url}}

    def _take(self, size: int) -> bool:
        if self._most == self.count or size > self._room:
            return False
        self.count += 1
        self._room -= size
        return True


def is_image(part: object) -> bool:
    """Return True for a part of a message that is an image."""
    return isinstance(part, dict) and part.get("type") in {"image_url", "input_image"}


def images_in(content: object) -> int:
    """Return the number of images in a message's content, as parts or as lines about attached files."""
    parts = content if isinstance(content, list) else [_text_part(content)] if isinstance(content, str) else []
    named = [each for part in parts for each in set(attachments.named_in(_text_of(part)))]
    return sum(map(is_image, parts)) + sum(each.is_image for each in named)


def _text_of(part: object) -> str:
    text = part.get("text") if isinstance(part, dict) else None
    return text if isinstance(text, str) else ""


def _text_part(text: str) -> Part:
    return {"type": "text", "text": text}


def _line(attachment: Attachment, is_shown: bool) -> str:
    note = "" if is_shown or not attachment.is_image else ", which is not shown to you"
    return f"[Attached file: {attachment.about}{note}]"
