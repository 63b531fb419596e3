"""Masks in and out, and films: a path, a table of what each value means. Knows no formats: the store does."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Protocol

import ipywidgets as w

from voxloop.errors import LabelError
from voxloop.panels.base.panel import Panel, button, classed, column, row, show, text
from voxloop.panels.base.work import Attempt
from voxloop.panels.space.clip_box import ClipBox
from voxloop.store.exchange import survey
from voxloop.store.mask_values import OBJECT, UNLABELLED, MaskValue

if TYPE_CHECKING:
    from voxloop.store import Labels

#: rows of the table; a mask with more values than this holds objects
_MOST = 24


class Owner(Protocol):
    """Who loads and saves."""

    labels: Labels

    def load(self, source: str, values: dict[int, str] | None) -> None: ...
    def save(self, path: str) -> None: ...


class MaskFiles:
    """One line for a path; loading shows what is in the mask and asks what each value means before it does anything."""

    def __init__(self, owner: Panel) -> None:
        handler = owner.handler
        self._owner = owner
        self.path = w.Text(
            placeholder="path of a mask", tooltip="TIFF, zarr, HDF5, NRRD ..., or outlines as ROIs or JSON"
        )
        load = button("Load", handler(self.load), tooltip="Look at the mask at this path, and ask what it means")
        save = button("Save", handler(self.save), tooltip="Save the labels to this path")
        self._look = Attempt(
            owner, lambda labels, path: (path, survey(labels, path)), lambda looked: self._ask(*looked), button=load
        )
        self._write = Attempt(
            owner, lambda labels, path: labels.save(path), lambda path: owner.say(f"Written to {path}", "good")
        )
        self._surveyed = ""
        self._choices: dict[int, w.Dropdown] = {}
        self._table = w.VBox()
        self._words = text("", "vx-small", "vx-dim")
        finish = row(button("Load it", handler(self._answered), kind="primary"), button("Cancel", handler(self._leave)))
        self._question = column(self._words, self._table, finish, classes=["vx-card"])
        show(self._question, False)
        shown: Any = owner
        self.clip = ClipBox(owner, shown.ws, lambda: shown.view, lambda: shown.image, lambda: [shown.level])
        self.widget = column(row(self.path, load, save, classes=("vx-path",)), self._question, self.clip.widget)

    def _given(self) -> str:
        path = str(self.path.value).strip()
        if not path:
            raise LabelError("type the path of a mask first, for example masks/mitochondria.tif")
        return path

    def load(self) -> None:
        """Look at the mask and ask what its values mean."""
        self._look(self._owner.labels, self._given())  # type: ignore[attr-defined]

    def _ask(self, path: str, values: Sequence[MaskValue]) -> None:
        """Show the table; outlines carry names, so there is nothing to ask."""
        if not values:
            self._owner.load(path, None)  # type: ignore[attr-defined]
            return
        asked = [one for one in values if one.meaning != OBJECT]
        if len(asked) > _MOST:
            raise LabelError(
                f"{path} holds {len(values)} values, more than classes have; where they are numbers of objects, "
                "load it into a level of single objects"
            )
        objects = len(values) - len(asked)
        self._words.value = f"{objects:,} objects keep their numbers." if objects else "What does each value mean?"
        names = [item.name for item in self._owner.labels.level.classes]  # type: ignore[attr-defined]
        self._choices = {one.value: _choice(one, names) for one in asked}
        lines = [row(_title(one), self._choices[one.value]) for one in asked]
        for line in self._table.children:
            line.close()
        self._table.children = tuple(lines)
        self._surveyed = path
        show(self._question, True)

    def _answered(self) -> None:
        open_ones = [str(value) for value, choice in self._choices.items() if choice.value is None]
        if open_ones:
            raise LabelError(f"say what {', '.join(open_ones)} means in this mask: a class, or not labelled")
        values = {value: str(choice.value) for value, choice in self._choices.items()}
        self._owner.load(self._surveyed, values)  # type: ignore[attr-defined]
        self._leave()

    def _leave(self) -> None:
        show(self._question, False)

    def save(self) -> None:
        """Write the labels to the path."""
        self._owner.save(self._given())  # type: ignore[attr-defined]

    def write(self, path: object) -> bool:
        """Begin to write the labels to a path; False where one is being written."""
        if self._write.busy:
            return False
        self._write(self._owner.labels, path)  # type: ignore[attr-defined]
        return True


def _title(one: MaskValue) -> w.HTML:
    """The value, its share, and what the mask calls it."""
    share = f"{one.share:.1%}" if one.share >= 0.0005 or not one.share else "under 0.1%"
    named = f" “{one.name}”" if one.name else ""
    return classed(text(f"{one.value}{named} · {share}"), "vx-label")


def _choice(one: MaskValue, names: Sequence[str]) -> w.Dropdown:
    options = [("choose …", None), ("not labelled", UNLABELLED), *((name, name) for name in names)]
    chosen = one.meaning if one.meaning in (UNLABELLED, *names) else None
    return classed(w.Dropdown(options=options, value=chosen, tooltip=f"What {one.value} means"), "vx-grow")
