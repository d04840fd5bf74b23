"""Pillow's pictures as `data:` addresses: to keep them, and to show them. Pillow need not be installed."""

from __future__ import annotations

import base64
import importlib
import io
import struct
import sys
from typing import Any

Memo = dict[int, tuple[Any, int, str]]
"""Pictures by id, with the hash of their contents and their addresses: encoding one takes up to a second."""

MAX_PIXELS = 50_000_000  # of a picture that can be kept
LARGE = 2_000_000  # pixels from which a JPEG stays one: as PNG, which loses nothing, it would be several times as long
SHOWN_CHARS = 700_000  # of an address in an event; many WebSocket clients take frames of a megabyte at most
SHOWN_EDGE = 1_024  # pixels of a picture that is made smaller to be shown
_LOSSLESS: dict[str, dict[str, Any]] = {"PNG": {}, "GIF": {}, "TIFF": {}, "BMP": {}, "WEBP": {"lossless": True}}
_ANIMATED = frozenset({"PNG", "GIF", "TIFF", "WEBP"})


def is_picture(value: object) -> bool:
    """Return True for one of Pillow's pictures."""
    pillow: Any = sys.modules.get("PIL.Image")
    return pillow is not None and isinstance(value, pillow.Image)


def data_uri(picture: Any, memo: Memo) -> str:
    """Return the `data:` address of a picture in the format that it came in, else as PNG or TIFF.

    Raises ValueError, with the end of a sentence, if it cannot be written.
    """
    if picture.width * picture.height > MAX_PIXELS:
        raise ValueError(f"a picture may have {MAX_PIXELS:,} pixels")
    try:
        digest = hash(picture.tobytes())
    except OSError as error:
        raise ValueError("its file is damaged") from error
    known = memo.get(id(picture))
    if known is not None and known[0] is picture and known[1] == digest:
        return known[2]
    for format in dict.fromkeys([picture.format, "PNG", "TIFF"]):
        uri = _same(picture, format)
        if uri is not None:
            memo[id(picture)] = picture, digest, uri
            return uri
    raise ValueError(f"Pillow cannot write pictures of mode {picture.mode}")


def read(uri: str) -> Any:
    """Return the picture of a `data:` address. Raises ValueError or OSError if it is damaged or Pillow is missing."""
    try:
        pillow = importlib.import_module("PIL.Image")
    except ImportError as error:
        raise ValueError("Pillow is not installed") from error
    try:
        picture = pillow.open(io.BytesIO(base64.b64decode(uri.partition(",")[2])))
        picture.load()
    except (SyntaxError, EOFError, IndexError, TypeError, struct.error, pillow.DecompressionBombError) as error:
        raise ValueError("the picture is damaged") from error
    return picture


def shown(picture: Any) -> str:
    """Return a `data:` address that is short enough for an event: of the picture, else of a smaller copy."""
    uri = _written(picture, "PNG") if picture.width * picture.height <= SHOWN_EDGE**2 else None
    if uri is None or len(uri) > SHOWN_CHARS:
        uri = _thumbnail(picture)
    return uri if uri is not None and len(uri) <= SHOWN_CHARS else f"[picture, {picture.width} × {picture.height}]"


def shortened(url: object) -> object:
    """Return an address, or that of a smaller copy of the picture if it is a `data:` address too long for an event."""
    if not isinstance(url, str) or not url.startswith("data:") or len(url) <= SHOWN_CHARS:
        return url
    try:
        return shown(read(url))
    except (OSError, ValueError):
        return "[picture]"


def _thumbnail(picture: Any) -> str | None:
    try:
        copy = picture.convert("RGB")
        copy.thumbnail((SHOWN_EDGE, SHOWN_EDGE))
    except (OSError, ValueError):  # a damaged file, or a mode without colours
        return None
    return _written(copy, "JPEG")


def _same(picture: Any, format: str | None) -> str | None:
    """Return the picture in this format, unless that would change its mode or size."""
    if format == "JPEG" and picture.width * picture.height > LARGE:
        uri = _written(picture, format, quality="keep")
    elif format in _LOSSLESS:
        uri = _written(picture, format, **_LOSSLESS[format])
    else:
        return None
    if uri is None:
        return None
    again = read(uri)
    return uri if (again.mode, again.size) == (picture.mode, picture.size) else None


def _written(picture: Any, format: str, **options: Any) -> str | None:
    if format in _ANIMATED and getattr(picture, "n_frames", 1) > 1:
        options["save_all"] = True
    file = io.BytesIO()
    try:
        picture.save(file, format, **options)
    except (OSError, ValueError, KeyError):  # a mode that the format doesn't have
        return None
    return f"data:image/{format.lower()};base64,{base64.b64encode(file.getvalue()).decode()}"
