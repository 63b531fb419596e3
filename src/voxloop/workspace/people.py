"""The verb ``authors``: who edited what, how much, and how long it took them. Reads journals, no voxels."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from voxloop.errors import LabelError, WorkspaceError, unknown
from voxloop.given import shown
from voxloop.plain_files import open_plain
from voxloop.store.values import as_list
from voxloop.workspace.project import Project

if TYPE_CHECKING:
    import pandas as pd

    from voxloop.store import AuthorLabels

COLUMNS = ("level", "image", "author", "edits", "voxels", "marks", "seconds", "last")


@dataclass(slots=True)
class _Work:
    """What one author did to one level on one image."""

    edits: int = 0
    voxels: int = 0
    marks: int = 0
    seconds: float = 0.0
    last: float = 0.0


@dataclass(frozen=True, slots=True)
class _Line:
    """An edit as the journal has it."""

    sequence: int
    author: str
    time: float
    size: int
    joined: bool
    of: tuple[int, ...]
    reverse: bool


def authors(
    project: Project,
    level: str | Sequence[str] | None = None,
    image: str | Sequence[str] | None = None,
    author: str | None = None,
) -> pd.DataFrame:
    """Who edited what: a row for each level, image and author.

    Parameters
    ----------
    level, image
        Only these; None: all.
    author
        Only this one.

    Returns
    -------
    DataFrame
        ``edits`` (strokes and other steps that were not taken back), ``voxels`` that they changed, ``marks`` (points,
        boxes and pictures that they added, moved or removed), ``seconds`` at work (from one edit to the next, half a
        minute at most; what was taken back took time all the same), ``last`` (when, in the time of this machine).

    Raises
    ------
    LabelError, WorkspaceError
        There is no such level, image or author.

    Examples
    --------
    >>> now = vl.author("Ada")
    >>> ws.labels().paint(index=1, points=[(30, 30)], radius=2, value="background")
    Edit(sequence=4, tool='paint', box=Box(start=(1, 28, 28), stop=(2, 33, 33)), voxels=13, outside={})
    >>> ws.authors(author="Ada")[["edits", "voxels"]]
       edits  voxels
    0      1      13
    >>> before = vl.author(None)
    """
    found: dict[tuple[str, str, str], _Work] = {}
    by_author: dict[str, list[tuple[float, _Work]]] = {}
    for one in project.store.document.levels:
        for name in project.images.names:
            place = project.layout.labels(one.folder or one.name, name)
            lines = list(_lines(place.journal))
            standing = _standing(lines)
            for line in lines:
                work = found.setdefault((one.name, name, line.author), _Work())
                by_author.setdefault(line.author, []).append((line.time, work))
                work.last = max(work.last, line.time)
                if line.sequence in standing:
                    work.edits += not line.joined
                    work.voxels += line.size if one.raster else 0
                    work.marks += 0 if one.raster else line.size
    for times in by_author.values():
        _add_seconds(times)
    everybody = sorted({who for _, _, who in found})
    if author is not None and (not isinstance(author, str) or author not in everybody):
        raise LabelError(unknown("author", author if isinstance(author, str) else shown(author), everybody))
    levels = _names("level", level, list(project.levels.names), LabelError)
    images = _names("image", image, list(project.images.names), WorkspaceError)
    rows = [
        (*key, work.edits, work.voxels, work.marks, round(work.seconds, 1), _when(work.last))
        for key, work in found.items()
        if key[0] in levels and key[1] in images and author in (None, key[2])
    ]
    import pandas as pd

    return pd.DataFrame(rows, columns=list(COLUMNS)).sort_values(["level", "image", "author"], ignore_index=True)


def labels_by(project: Project, words: str, image: str) -> AuthorLabels | None:
    """The labels that ``"cells by Ada"`` names; None where it names none.

    Raises LabelError where the level is there and nobody of that name edited it on the image.
    """
    for level in project.levels.painted:
        if words.startswith(f"{level} by "):
            return project.labels(level, image).by(words[len(level) + 4 :])
    return None


def _lines(journal: Path) -> Iterator[_Line]:
    """The edits of a journal, of voxels or of marks, one pass over its file; damaged lines are left out."""
    try:
        with open_plain(journal) as file:
            for text in file:
                try:
                    yield _line(json.loads(text))
                except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
                    continue
    except FileNotFoundError:
        return
    except OSError as error:
        raise WorkspaceError(f"{journal} cannot be read ({error.strerror}); put the file back") from error


def _line(entry: dict[str, Any]) -> _Line:
    of = entry.get("of") or ()
    steps = entry.get("steps")
    return _Line(
        sequence=int(entry["seq"]),
        author=str(entry.get("author") or "unknown"),
        time=datetime.fromisoformat(str(entry["time"])).timestamp(),
        size=int(entry["voxels"]) if steps is None and "voxels" in entry else len(steps or ()),
        joined=bool(entry.get("joined")),
        of=tuple(of) if isinstance(of, list | tuple) else (int(of),),
        reverse=bool(entry.get("reverse")),
    )


def _standing(lines: Sequence[_Line]) -> set[int]:
    """Numbers of the edits that were not taken back."""
    stands: set[int] = set()
    for line in lines:
        if not line.of:
            stands.add(line.sequence)
        elif line.reverse:
            stands.difference_update(line.of)
        else:
            stands.update(line.of)
    return stands


def _add_seconds(times: list[tuple[float, _Work]]) -> None:
    """From one edit of an author to their next, wherever that was; a pause counts half a minute."""
    from voxloop.review.annotation_time import FIRST_S, PAUSE_S

    before: float | None = None
    for time, work in sorted(times, key=lambda item: item[0]):
        work.seconds += FIRST_S if before is None else min(max(time - before, 0.0), PAUSE_S)
        before = time


def _names(
    what: str, given: str | Sequence[str] | None, there: list[str], error: type[LabelError] | type[WorkspaceError]
) -> list[str]:
    if given is None:
        return there
    wanted = [given] if isinstance(given, str) else as_list(what, given, error=error)
    for name in wanted:
        if name not in there:
            raise error(unknown(what, name if isinstance(name, str) else shown(name), there))
    return list(wanted)


def _when(time: float) -> str:
    return datetime.fromtimestamp(time, UTC).astimezone().isoformat(sep=" ", timespec="seconds")
