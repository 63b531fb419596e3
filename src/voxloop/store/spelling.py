"""Names as they are kept: one spelling for what looks alike. Pure."""

from __future__ import annotations

import unicodedata


def plain_name(name: str) -> str:
    """A name as it is kept: letters in one Unicode form, no blanks around it, so that what looks alike is alike."""
    return unicodedata.normalize("NFC", name).strip()
