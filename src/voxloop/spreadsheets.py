"""Texts in tables that spreadsheets open: a name of somebody else is no formula there. Pure: knows no tables.

A spreadsheet takes a cell that begins with ``=``, ``+``, ``-``, ``@``, a tab or a return for a formula, which may ask
the web or start a program. An apostrophe before it makes it text; :func:`text_of` takes that back.
"""

from __future__ import annotations

import re
from typing import Any

_FORMULA = re.compile(r"'*[=+\-@\t\r]")
_MARKED = re.compile(r"'+[=+\-@\t\r]")


def cell_of(value: Any) -> Any:
    """A value as a cell: a text that would be a formula behind an apostrophe, all else as it is."""
    return f"'{value}" if isinstance(value, str) and _FORMULA.match(value) else value


def text_of(cell: Any) -> Any:
    """What :func:`cell_of` made a cell of."""
    return cell[1:] if isinstance(cell, str) and _MARKED.match(cell) else cell
