"""What is said of items as a table that spreadsheets open, out and in again."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from voxloop.errors import LabelError, WorkspaceError
from voxloop.plain_files import read_plain
from voxloop.spreadsheets import cell_of, text_of
from voxloop.store.catalogue import facts
from voxloop.store.catalogue.entry import FIELDS, NOTHING, checked

if TYPE_CHECKING:
    import pandas as pd

    from voxloop.store.catalogue.catalogue import Catalogue
    from voxloop.store.workspace import Store

#: a note may be this long, and a cell with it
_CELL = 2**20
_MOST_BYTES = 2**28


def read_sheet(path: Path, known: Mapping[str, int], *, skip_unknown: bool) -> list[tuple[dict[str, Any], str]]:
    """The rows of a CSV file: what is said (and ``class``, where there is such a column), and of which item.

    Columns other than ``item`` and those that can be set are left alone. Raises LabelError, naming row and words, for
    what is not known.
    """
    rows = list(_rows(path))
    if not rows or "item" not in rows[0]:
        raise LabelError(f"{path.name} has no column 'item'; begin with what save(path) of this catalogue writes")
    wanted = [key for key in (*FIELDS, "class") if key in rows[0]]
    if not wanted:
        raise LabelError(f"{path.name} says nothing of its items: use columns {', '.join(FIELDS)} or class")
    out: list[tuple[dict[str, Any], str]] = []
    strange: list[str] = []
    for line, row in enumerate(rows, start=2):
        name = row["item"].strip()
        if name not in known:
            strange.append(name)
            continue
        given = {key: row[key] for key in wanted if key != "class"}
        if not given.get("status", "x"):
            given.pop("status")
        try:
            fields: dict[str, Any] = dict(checked(**given))
        except LabelError as error:
            raise LabelError(f"{path.name}, row {line}, {name!r}: {error}; nothing was changed") from error
        if "class" in wanted:
            fields["class"] = row["class"].strip()
        out.append((fields, name))
    if strange and not skip_unknown:
        listed = ", ".join(repr(name[:60]) for name in strange[:4])
        raise LabelError(
            f"{path.name} names {len(strange):,} items that are not here: {listed}; nothing was changed, "
            "skip_unknown=True leaves these out"
        )
    return out


def _rows(path: Path) -> Iterable[dict[str, str]]:
    try:
        data = read_plain(path)
    except OSError as error:
        raise LabelError(f"{path} cannot be read: {error.strerror or error}") from error
    if len(data) > _MOST_BYTES:
        raise LabelError(f"{path.name} is {len(data) / 1e6:,.0f} MB, more than a table of items takes")
    try:
        words = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise LabelError(f"{path.name} is no text in UTF-8; save it as 'CSV UTF-8'") from error
    head = words.partition("\n")[0]
    between = max(",;\t", key=head.count)
    csv.field_size_limit(_CELL)
    try:
        for row in csv.DictReader(io.StringIO(words, newline=""), delimiter=between):
            yield {str(key).strip().lower(): str(text_of(value or "")) for key, value in row.items() if key is not None}
    except csv.Error as error:
        raise LabelError(f"{path.name} is no table of comma-separated values: {error}") from error


def table_of(catalogue: Catalogue, store: Store) -> pd.DataFrame:
    """A row an item: where it is, what is said of it, by whom and when, class, training sets."""
    import pandas as pd

    items, said = catalogue.items, catalogue.entries()
    entries = [said.get(at, NOTHING) for at in range(len(items))]
    columns: dict[str, Any] = {"item": items.names, "image": [items.infos[n].name for n in items.image.tolist()]}
    if items.kind != "images":
        columns["frame"] = pd.array([items.frame(at) for at in range(len(items))], dtype="Int64")
    if items.kind == "tiles":
        for key, at in (("top", 2), ("bottom", 3), ("left", 4), ("right", 5)):
            columns[key] = items.boxes[:, at]
    for key in FIELDS:
        columns[key] = [getattr(entry, key) for entry in entries]
    if levels := store.levels.of_kind("pictures"):
        given = catalogue.classes(levels[0])
        columns["class"] = [given.get(at, "") for at in range(len(items))]
    columns["labelled"] = facts.labelled(store, items)
    columns["sets"] = _sets(catalogue, store)
    for key in ("author", "time"):
        columns[key] = [getattr(entry, key) for entry in entries]
    return pd.DataFrame(columns)


def _sets(catalogue: Catalogue, store: Store) -> list[str]:
    """The names of the training sets that hold each item."""
    found: list[list[str]] = [[] for _ in range(len(catalogue))]
    for name in store.sets.names:
        for at in np.flatnonzero(catalogue.in_set(name)).tolist():
            found[at].append(name)
    return [", ".join(names) for names in found]


def save_table(table: pd.DataFrame, target: Path) -> Path:
    """Write a table as CSV, or Excel by the ending. Raises WorkspaceError."""
    # older pandas makes 3.0 of a whole number that it maps
    table = table.assign(**table.select_dtypes(exclude="number").map(cell_of))
    try:
        if target.suffix.lower() == ".xlsx":
            table.to_excel(target, index=False)
        else:
            table.to_csv(target, index=False)
    except (OSError, ValueError, ImportError) as error:
        words = getattr(error, "strerror", None) or str(error).splitlines()[0]
        raise WorkspaceError(f"{target} cannot be written: {words}") from error
    return target
