"""The environment with what the file .env adds to it."""

from __future__ import annotations

import os
from pathlib import Path

from dotenv import load_dotenv

FILE = Path(".env")

from_file: set[str] = set()
"""The names of the variables that were read from the file."""


def load() -> None:
    """Add the variables in the file that are not set yet."""
    before = set(os.environ)
    load_dotenv(FILE)
    from_file.update(os.environ.keys() - before)
