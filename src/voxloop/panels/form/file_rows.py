"""What can be opened as rows of a list: files, what was opened lately, samples. Opens nothing."""

from __future__ import annotations

import html
from pathlib import Path

from voxloop.panels.base.panel import badge
from voxloop.panels.base.rows import Action, Row
from voxloop.panels.form.file_list import Entry, size_text

FOLDER = '<i class="fa fa-folder vx-dim"></i> '
#: what the list of samples says beside their names, where they need no look into the file
_MADE_UP = {
    "em": "made up: membranes, mitochondria, noise; exact truth",
    "nuclei": "made up: touching nuclei, noise; exact truth",
}


def up_rows(folder: Path) -> list[Row]:
    """The way to the folder above, where there is one."""
    return [] if folder == folder.parent else [Row("..", (f"{FOLDER}..", ""), title=str(folder.parent))]


def file_row(entry: Entry) -> Row:
    """A file, a folder to go into, or a workspace."""
    name = html.escape(entry.name)
    if entry.kind == "workspace":
        return Row(entry.name, (f"{FOLDER}{name} {badge('workspace', 'busy')}", ""), title="Open this workspace")
    if entry.kind == "folder":
        return Row(entry.name, (f"{FOLDER}{name}", ""))
    if entry.kind == "stack":
        as_stack = Action("stack", "Open as stack", "Open its pictures as one stack")
        return Row(entry.name, (f"{FOLDER}{name}", ""), (as_stack,))
    size = "" if entry.size is None else size_text(entry.size)
    return Row(entry.name, (name, size))


def recent_row(source: str) -> Row:
    """A path or address opened before."""
    if "://" in source:
        parent, _, name = source.rstrip("/").rpartition("/")
    else:
        parent, name = str(Path(source).parent), Path(source).name
    cell = f'{html.escape(name)} <span class="vx-dim vx-small">{html.escape(parent)}</span>'
    return Row(source, (cell, ""), title=source)


def sample_rows() -> list[Row]:
    """The samples, with what they show."""
    from voxloop.volumes import samples
    from voxloop.volumes.samples.real import REAL

    about = {**_MADE_UP, **{name: real.about for name, real in REAL.items()}}
    rows = []
    for name in samples.list():
        words = f'<span class="vx-dim vx-small">{html.escape(about.get(name, ""))}</span>'
        rows.append(Row(name, (f"{html.escape(name)}<br>{words}", "")))
    return rows
