"""What can be opened as rows of a list: files, what was opened lately, samples. Opens nothing."""

from __future__ import annotations

import html
import time
from pathlib import Path

from voxloop.panels.base.panel import ago, badge
from voxloop.panels.base.rows import Action, Row
from voxloop.panels.form.file_list import MANY, Entry, size_text
from voxloop.panels.form.recent import RecentSource

AS_STACK = Action("stack", "Open as stack", "Open its pictures as one stack")
FOLDER = '<i class="fa fa-folder vx-dim"></i> '
#: what the list of samples says beside their names, where they need no look into the file
_MADE_UP = {
    "em": "made up: membranes, mitochondria, noise; exact truth",
    "nuclei": "made up: touching nuclei, noise; exact truth",
    "walkers": "made up: jointed animals that cross; their nodes and who is who",
    "spots": "made up: spots in a volume; where each is",
    "dividing": "made up: cells that move, divide and leave; masks and lineage",
    "pictures": "made up: cells of three kinds, one a picture; the class of each",
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
        return Row(entry.name, (f"{FOLDER}{name} {badge(picture_words(entry.pictures))}", ""), (AS_STACK,))
    size = "" if entry.size is None else size_text(entry.size)
    return Row(entry.name, (name, size))


def picture_words(count: int) -> str:
    """``120 pictures``; one without pictures is a series of a scanner."""
    if not count:
        return "slices"
    return f"{count:,} pictures" if count < MANY else f"{MANY:,} pictures and more"


def folder_row(folder: Path, count: int) -> Row:
    """What a folder of pictures is as a whole, above the list of its files."""
    words = f"<b>{picture_words(count)}</b>"
    return Row(".", (words, ""), (AS_STACK,), title=f"Open all pictures of {folder.name} as one stack")


def recent_row(source: RecentSource, picture: str = "") -> Row:
    """A path or address opened before; ``picture`` is markup."""
    text = source.text
    if "://" in text:
        parent, _, name = text.rstrip("/").rpartition("/")
    else:
        parent, name = str(Path(text).parent), Path(text).name
    kind = f" {badge('workspace', 'busy')}" if source.is_workspace else ""
    when = ago(max(0.0, time.time() - source.time)) if source.time else ""
    cell = f'{html.escape(name)}{kind}<br><span class="vx-dim vx-small">{html.escape(parent)}</span>'
    pictures = (picture,) if picture else ()
    return Row(text, (*pictures, cell, f'<span class="vx-dim vx-small">{when}</span>'), title=text)


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
