"""What is labelled so far and what a learner would miss: counts, strokes, warnings. Pure: no widgets, no files."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

#: tools that put one class on one plane; the rest (imports, accepted predictions) counts in voxels only
_STROKES = frozenset({"paint", "polygon", "fill", "threshold"})
#: below this many voxels a class is hardly known
FEW_VOXELS = 100
#: from this ratio on the rarer class drowns unless it is weighted
LOPSIDED = 50


@dataclass(frozen=True, slots=True)
class ClassFacts:
    """One class of a level: how much of it is labelled, in how many strokes, on how many planes."""

    value: int
    name: str
    color: str
    voxels: int
    strokes: int
    slices: int


@dataclass(slots=True)
class StrokeTally:
    """Strokes per class, from the journal's records in their order; undone strokes do not count."""

    sequence: int = 0
    _strokes: dict[int, tuple[int | str, tuple[str, int]]] = field(default_factory=dict)
    _undone: set[int] = field(default_factory=set)

    def add(self, record: Mapping[str, Any]) -> None:
        """Take up the next record (as ``Labels.history`` gives it)."""
        self.sequence = int(record["seq"])
        arguments = record.get("arguments") or {}
        if "of" in record:
            edits = record["of"] if isinstance(record["of"], list) else [int(record["of"])]
            if record.get("reverse"):
                self._undone.update(edits)
            else:
                self._undone.difference_update(edits)
        elif record.get("joined"):
            return  # a further piece of a long stroke
        elif record.get("tool") in _STROKES and record.get("voxels") and "value" in arguments:
            plane = (str(arguments.get("axis", "z")), int(arguments.get("index", 0)))
            self._strokes[self.sequence] = (arguments["value"], plane)

    def strokes(self) -> dict[int | str, list[tuple[str, int]]]:
        """Class (value or name, as the stroke named it) -> the planes of its strokes."""
        planes: dict[int | str, list[tuple[str, int]]] = defaultdict(list)
        for sequence, (value, plane) in self._strokes.items():
            if sequence not in self._undone:
                planes[value].append(plane)
        return dict(planes)


def class_facts(classes: Iterable[Any], counts: Mapping[int, int], tallies: Iterable[StrokeTally]) -> list[ClassFacts]:
    """One row a class of the level (``value``, ``name``, ``color``); ``counts`` are summed over images already."""
    strokes: dict[int | str, list[tuple[int, str, int]]] = defaultdict(list)
    for image, tally in enumerate(tallies):
        for value, planes in tally.strokes().items():
            strokes[value] += [(image, *plane) for plane in planes]
    rows = []
    for item in classes:
        painted = strokes.get(item.value, []) + strokes.get(item.name, [])
        voxels = counts.get(item.value, 0)
        rows.append(ClassFacts(item.value, item.name, item.color, voxels, len(painted), len(set(painted))))
    return rows


def preflight(facts: Sequence[ClassFacts], *, deep: bool = False) -> list[tuple[str, str]]:
    """What stands against training now, worst first: ``("error" | "warning", sentence with the fix)``."""
    there = [row for row in facts if row.voxels]
    if not facts:
        return [("error", "This level has no classes yet; add at least two in the Label step.")]
    if not there:
        return [("error", "Nothing is labelled yet; paint a few strokes of at least two classes.")]
    notes: list[tuple[str, str]] = []
    if len(there) == 1:
        others = " or ".join(repr(row.name) for row in facts if not row.voxels) or "a second class"
        notes.append(("error", f"Only {there[0].name!r} is labelled; paint a few strokes of {others} as well."))
    for row in facts:
        if not row.voxels and len(there) > 1:
            notes.append(
                ("warning", f"{row.name!r} has no labels and will not be trained; paint some, or remove the class.")
            )
        elif 0 < row.voxels < FEW_VOXELS:
            notes.append(("warning", f"{row.name!r} has only {row.voxels} voxels; a few more strokes will help most."))
    most, least = max(there, key=lambda row: row.voxels), min(there, key=lambda row: row.voxels)
    if not deep and len(there) > 1 and most.voxels > LOPSIDED * least.voxels:  # the network's own look tells a remedy
        ratio = most.voxels // least.voxels
        notes.append(
            ("warning", f"{most.name!r} has {ratio} times the voxels of {least.name!r}; paint more of the latter.")
        )
    if deep and len(there) > 1 and any(row.strokes for row in there) and max(row.slices for row in there) <= 1:
        notes.append(
            ("warning", "All strokes are on one slice; a few on others, far apart, make the validation score honest.")
        )
    return sorted(notes, key=lambda item: item[0] != "error")
