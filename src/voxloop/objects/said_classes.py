"""Classes of single objects, said by people or found by a network: kept beside the objects, a line on disk a change.

A line names classes as they were called then, and says which value each has at its level: a class that is renamed keeps
what was said. Lines without values, of before, are read by name.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Mapping, Sequence
from numbers import Integral
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from voxloop.errors import LabelError, WorkspaceError, unknown
from voxloop.given import shown
from voxloop.plain_files import read_plain
from voxloop.store import Level
from voxloop.store.document import read_document
from voxloop.store.json_lines import append_line, parse_lines
from voxloop.store.layout import Layout
from voxloop.store.signing import author, now
from voxloop.store.values import as_list, text, whole

if TYPE_CHECKING:
    from pandas import DataFrame

FILE = "classes.jsonl"
#: the group of measures that they are in a table
CLASSES = "classes"


class SaidClass(NamedTuple):
    """What is said of an object: its class, how sure (NaN where a person says so), and who or which run says it."""

    name: str
    probability: float
    by: str
    predicted: bool


class ObjectClasses:
    """Classes of objects; get them from ``ws.object_classes("objects-1")``. Append-only: undo is a line too.

    Parameters
    ----------
    folder
        Of the objects.
    numbers
        Of the objects that there are.
    level
        Whose classes they may have.
    check
        Called before anything is written; raises where nothing may be.

    Examples
    --------
    >>> level = ws.levels.add("figures", classes=["round", "long"], kind="pictures")
    >>> kinds = ws.object_classes("objects-1", level="figures")
    >>> kinds.assign([1, 2], "round"), kinds.assign(3, "long")
    (2, 1)
    >>> kinds.classes()
    {1: 'round', 2: 'round', 3: 'long'}
    >>> kinds.undo(), kinds.classes()
    (True, {1: 'round', 2: 'round'})
    """

    def __init__(
        self,
        folder: str | Path,
        numbers: Sequence[int],
        level: Level,
        check: Callable[[], object] = lambda: None,
    ) -> None:
        self._file, self._check = Path(folder) / FILE, check
        self._numbers, self._level = frozenset(int(one) for one in numbers), level
        self.names = tuple(item.name for item in level.classes)

    # --------------------------------------------------------------------------------------------------- what is said

    def assign(self, objects: int | Sequence[int], label: str | None) -> int:
        """A person says of which class objects are; None takes that away. How many it changed.

        Of an object that a network gave a class this is the correction, or with the same class the confirmation.

        Raises
        ------
        LabelError
            No such object, or no such class.
        ReadOnlyError
            Nothing may be written here.
        """
        listed: Sequence[Any] = [objects] if isinstance(objects, Integral) else as_list("objects", objects)
        return self.assign_each(dict.fromkeys(listed, label))

    def assign_each(self, labels: Mapping[int, str | None]) -> int:
        """The same for objects of several classes, as one change: number of an object -> class."""
        if not isinstance(labels, Mapping):
            raise LabelError(f"labels={shown(labels)} is no mapping from numbers of objects to classes")
        given = {self._one(number): None if name is None else self._named(name) for number, name in labels.items()}
        now = self.said()
        new: dict[str, Any] = {}
        for number, name in given.items():
            old = now.get(number)
            if name is None and old is not None:
                new[str(number)] = None
            elif name is not None and (old is None or old.predicted or old.name != name):
                new[str(number)] = [name]
        return self._say({"by": author(), "classes": new}) if new else 0

    def take_over(self, run: str, found: Mapping[int, tuple[str, float]]) -> list[int]:
        """A network says so: class and probability by object. Objects that a person gave a class keep it."""
        now = self.said()
        new = {
            number: [self._named(name), float(sure)]
            for number, (name, sure) in found.items()
            if number in self._numbers and (number not in now or now[number].predicted)
        }
        if new:
            self._say({"by": text("run", run), "classes": {str(number): value for number, value in new.items()}})
        return list(new)

    def undo(self) -> bool:
        """Take the last change back; whether there was one."""
        if not _changes(self._file)[0]:
            return False
        self._append({"undo": True})
        return True

    def redo(self) -> bool:
        """Make the change again that was taken back last; whether there was one."""
        if not _changes(self._file)[1]:
            return False
        self._append({"undo": False})
        return True

    # ----------------------------------------------------------------------------------------------------- what is so

    def said(self) -> dict[int, SaidClass]:
        """What is said of each object now, by its number; of classes that there still are."""
        return _said(_changes(self._file)[0], self._numbers, [self._level], self.names)

    def classes(self, predicted: bool | None = None) -> dict[int, str]:
        """The class of each object that has one; only what networks said, or only what people said."""
        found = self.said().items()
        return {number: one.name for number, one in found if predicted is None or one.predicted == predicted}

    def table(self) -> DataFrame:
        """``class``, ``class_probability`` (NaN where a person says so) and ``class_by``, a row an object."""
        return class_table(self.said(), sorted(self._numbers))

    def _one(self, number: object) -> int:
        value = whole("object", number)
        if value not in self._numbers:
            raise LabelError(f"there is no object {value}; there are {len(self._numbers)}, and a table of them")
        return value

    def _named(self, name: object) -> str:
        if not isinstance(name, str) or name not in self.names:
            raise LabelError(unknown("class", name if isinstance(name, str) else shown(name), self.names))
        return name

    def _say(self, change: dict[str, Any]) -> int:
        named = {value[0] for value in change["classes"].values() if value}
        values = {name: self._level.value_of(name) for name in sorted(named)}
        self._append({"v": 1, "time": now(), "level": self._level.folder, "values": values, **change})
        return len(change["classes"])

    def _append(self, record: dict[str, Any]) -> None:
        self._check()
        append_line(self._file, record)

    def __repr__(self) -> str:
        return f"<ObjectClasses {len(self.said())} of {len(self._numbers)} objects: {', '.join(self.names)}>"


def class_table(said: Mapping[int, SaidClass], numbers: Sequence[int]) -> DataFrame:
    """Columns of what is said, a row an object; those of which nothing is said are empty."""
    import pandas as pd

    rows = [said.get(number) for number in numbers]
    return pd.DataFrame(
        {
            "class": ["" if one is None else one.name for one in rows],
            "class_probability": [math.nan if one is None else one.probability for one in rows],
            "class_by": ["" if one is None else one.by for one in rows],
        },
        index=pd.Index(numbers, name="object"),
    )


def classes_in(folder: str | Path, numbers: Sequence[int]) -> DataFrame:
    """The same of objects in a folder, whatever classes were used, as they are called now in their workspace."""
    try:
        levels = read_document(Layout.of_made(folder).root).levels
    except WorkspaceError:  # objects that lie elsewhere: as they were called
        levels = ()
    return class_table(_said(_changes(Path(folder) / FILE)[0], frozenset(numbers), levels), numbers)


def _changes(file: Path) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Changes that hold, and those that were taken back, the last one at the end."""
    hold: list[dict[str, Any]] = []
    back: list[dict[str, Any]] = []
    for record in parse_lines(_lines(file)):
        if _is_change(record):
            hold.append(record)
            back = []
        elif record.get("undo") is True and hold:
            back.append(hold.pop())
        elif record.get("undo") is False and back:
            hold.append(back.pop())
    return hold, back


def _said(
    changes: Sequence[Mapping[str, Any]],
    numbers: Collection[int],
    levels: Sequence[Level],
    only: Collection[str] | None = None,
) -> dict[int, SaidClass]:
    """What changes in turn say of each of these objects, in the names that levels have now; ``only``: of these."""
    known = {level.folder: level for level in levels}
    out: dict[int, SaidClass] = {}
    for change in changes:
        level, values = known.get(change.get("level", "")), change.get("values", {})
        if level is None or change.get("time", "") < level.made:  # another one, of that name, was removed
            values = {}
        now_called = {item.value: item.name for item in level.classes} if level else {}
        for key, value in change["classes"].items():
            number = int(key)
            if value is None:
                out.pop(number, None)
                continue
            name = now_called.get(values[value[0]]) if value[0] in values else value[0]
            if number in numbers and name is not None and (only is None or name in only):
                sure = float(value[1]) if len(value) > 1 else math.nan
                out[number] = SaidClass(name, sure, str(change["by"]), len(value) > 1)
    return dict(sorted(out.items()))


def _lines(file: Path) -> list[bytes]:
    try:
        return read_plain(file).splitlines()
    except FileNotFoundError:
        return []


def _is_change(record: Mapping[str, Any]) -> bool:
    """Whether a record is one: a file that came from elsewhere may hold anything."""
    classes, values = record.get("classes"), record.get("values", {})
    return (
        isinstance(record.get("by"), str)
        and isinstance(record.get("level", ""), str)
        and isinstance(record.get("time", ""), str)
        and isinstance(values, dict)
        and all(isinstance(value, int) for value in values.values())
        and isinstance(classes, dict)
        and all(key.isdigit() for key in classes)
        and all(
            value is None
            or (
                isinstance(value, list)
                and 1 <= len(value) <= 2
                and isinstance(value[0], str)
                and all(isinstance(one, float | int) for one in value[1:])
            )
            for value in classes.values()
        )
    )
