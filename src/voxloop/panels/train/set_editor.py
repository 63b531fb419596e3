"""Make, duplicate and edit named training sets. Knows the lists of a workspace; opens no label array."""

from __future__ import annotations

import html
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import ipywidgets as w

from voxloop.errors import WorkspaceError
from voxloop.panels.base.fold import Fold
from voxloop.panels.base.panel import CopyCode, Panel, button, classed, column, row, show, spacer, text
from voxloop.panels.base.rows import Action, Row, RowList

if TYPE_CHECKING:
    from voxloop.store import SetRow, TrainingSet
    from voxloop.workspace.workspace import Workspace

_WHOLE = ("whole image", "")


class SetEditor:
    """A fold with the rows of one training set. Changes are a draft until they are saved as a new version.

    ``train(name)`` is called with the set to learn from, ``validate(name)`` with the one to validate on.
    """

    title = "Training sets"

    def __init__(
        self,
        owner: Panel,
        ws: Workspace,
        train: Callable[[str], object],
        validate: Callable[[str], object],
        changed: Callable[[], object] = lambda: None,
    ) -> None:
        self._owner, self._ws, self._changed = owner, ws, changed
        self._train, self._validate = train, validate
        self._draft: list[SetRow] = []
        self._showing = False
        self.fold = Fold(self.title, self._build, lambda _: self.refresh())
        self.widget = self.fold.widget
        self._note()

    # ------------------------------------------------------------------------------------------------------- state

    @property
    def name(self) -> str | None:
        """The set shown."""
        return self.chosen.value if self.fold.body.children else None

    @property
    def saved(self) -> TrainingSet | None:
        """The newest version of the set shown."""
        name = self.name
        if name is None or name not in self._ws.sets:
            return None
        return self._ws.sets[name]

    @property
    def draft(self) -> tuple[SetRow, ...]:
        """The rows as they stand in the panel."""
        return tuple(self._draft)

    @property
    def code(self) -> str:
        """The line of Python that saves what is shown."""
        return f"ws.sets.edit({self.name!r}, [{', '.join(_code(row) for row in self._draft)}])" if self.name else ""

    # ----------------------------------------------------------------------------------------------------- actions

    def new(self) -> None:
        """A set of everything that is labelled; named by the text, or by itself."""
        taken = self._ws.sets.names
        name = self._new_name.value.strip() or next(f"set {n}" for n in range(1, 10_000) if f"set {n}" not in taken)
        self._select(self._ws.sets.add(name).name)

    def duplicate(self) -> None:
        """A copy of the set shown, as it was saved."""
        self._select(self._ws.sets.duplicate(self._shown(), self._new_name.value.strip() or None).name)

    def remove(self) -> None:
        """Forget the set shown."""
        self._ws.sets.remove(self._shown())
        self._select(None)

    def add_row(self) -> None:
        """A further row from the three lists."""
        region = self._region.value or None
        box = None if region is None else self._ws.regions[region].box
        row = _row(image=self._image.value, level=self._level.value, region=region, box=box)
        if row in self._draft:
            raise WorkspaceError(f"{row.image}, {row.level}, {region or 'whole image'} is in this set already")
        self._draft.append(row)
        self._show_rows()

    def drop_row(self, key: str) -> None:
        """Take a row out, by its place."""
        del self._draft[int(key)]
        self._show_rows()

    def save(self) -> TrainingSet:
        """The rows shown as a new version."""
        made = self._ws.sets.edit(self._shown(), self._draft)
        self._select(made.name)
        return made

    def refresh(self) -> None:
        """Look anew at sets, images, levels and regions; a draft stays."""
        self._note()
        if not self.fold.body.children:
            return
        self._showing = True
        keep = self.chosen.value
        _offer(self.chosen, self._ws.sets.names)
        _offer(self._image, self._ws.images.names)
        _offer(self._level, self._ws.levels.painted)
        self._offer_regions()
        self._showing = False
        if self.chosen.value != keep:
            self._load()
        else:
            self._show_rows()

    # ----------------------------------------------------------------------------------------------------- widgets

    def _build(self) -> list[w.Widget]:
        on = self._owner.handler
        self.chosen = classed(w.Dropdown(options=[], tooltip="Which set is shown"), "vx-grow")
        self.chosen.observe(on(self._set_chosen), "value")
        self._new_name = w.Text(placeholder="name of a new set", layout={"width": "150px"})
        self._add_set = button("New", on(self.new), icon="plus", tooltip="A set of everything that is labelled")
        self._copy = button("Duplicate", on(self.duplicate), icon="copy", tooltip="A copy to change")
        self._remove = button("", on(self.remove), icon="trash", tooltip="Forget this set; labels and runs stay")
        self.rows: RowList = RowList(
            on(self._on_row),
            head=("Image", "Level", "Region"),
            empty="No rows: add images below.",
            height=150,
        )
        self._image = classed(w.Dropdown(options=[], tooltip="Image"), "vx-grow")
        self._image.observe(on(self._image_chosen), "value")
        self._level = classed(w.Dropdown(options=[], tooltip="Level"), "vx-grow")
        self._region = classed(w.Dropdown(options=[_WHOLE], tooltip="Region"), "vx-grow")
        self._add_row = button("Add", on(self.add_row), icon="plus", tooltip="Add these as a row of the set")
        self._words = classed(text(), "vx-dim", "vx-small")
        self._save = button("Save", on(self.save), kind="primary")
        self._learn = button(
            "Use for training", on(lambda: self._train(self._shown())), tooltip="Runs learn from this set"
        )
        self._test = button(
            "Use for validation",
            on(lambda: self._validate(self._shown())),
            tooltip="Runs are validated on this set and do not learn from it",
        )
        self._line = CopyCode()
        self._edit = column(
            self.rows.widget,
            row(self._image, self._level, self._region, self._add_row),
            row(self._save, self._learn, self._test, spacer(), self._line),
            self._words,
        )
        top = row(self.chosen, self._copy, self._remove)
        return [column(row(self._new_name, self._add_set, spacer()), top, self._edit)]

    def _select(self, name: str | None) -> None:
        self._new_name.value = ""
        self.refresh()
        if name is not None:
            self._showing = True
            self.chosen.value = name
            self._showing = False
        self._load()
        self._changed()

    def _load(self) -> None:
        """The newest version of the set chosen becomes the draft."""
        saved = self.saved
        self._draft = list(saved.rows) if saved else []
        self._show_rows()

    def _set_chosen(self) -> None:
        if not self._showing:
            self._load()

    def _image_chosen(self) -> None:
        if not self._showing:
            self._offer_regions()

    def _offer_regions(self) -> None:
        names = [name for name in self._ws.regions if self._ws.regions[name].image == self._image.value]
        options = [_WHOLE, *((name, name) for name in names)]
        if list(self._region.options) != options:
            self._region.options = options
            self._region.value = ""

    def _show_rows(self) -> None:
        drop = (Action("drop", "Remove", "Take this row out"),)
        self.rows.show(Row(str(n), tuple(map(html.escape, _cells(row))), drop) for n, row in enumerate(self._draft))
        saved = self.saved
        for made in (self.chosen, self._copy, self._remove, self._edit):
            show(made, saved is not None)
        if saved is None:
            return
        dirty = self.draft != saved.rows
        versions = f"version {saved.version}" + (f", {saved.version - 1} older" if saved.version > 1 else "")
        self._words.value = "changed, not saved" if dirty else versions
        self._save.description = f"Save as version {saved.version + 1}"
        show(self._save, dirty)
        for made in (self._learn, self._test):
            show(made, not dirty)
        self._line.code = self.code

    def _shown(self) -> str:
        if self.name is None:
            raise WorkspaceError("there is no training set yet; make one with New")
        return self.name

    def _on_row(self, action: str, key: str) -> None:
        if action == "drop":
            self.drop_row(key)

    def _note(self) -> None:
        names = self._ws.sets.names
        words = ", ".join(names[:4])
        if len(names) > 4:
            words += " …"
        self.fold.note(words)


def _offer(chosen: w.Dropdown, names: Sequence[str]) -> None:
    """New options; what was chosen stays chosen, else the first is."""
    keep = chosen.value
    if list(chosen.options) != list(names):
        chosen.options = list(names)
    if keep in names:
        chosen.value = keep
    else:
        chosen.value = next(iter(names), None)


def _row(**fields: object) -> SetRow:
    from voxloop.store import SetRow

    return SetRow(**fields)


def _cells(row: SetRow) -> Sequence[str]:
    return row.image, row.level, where(row)


def where(row: SetRow) -> str:
    """A row's region in words: its name, its box, or the whole image."""
    if row.box is None:
        return "whole image"
    return row.region or " ".join(f"{axis} {a}:{b}" for axis, (a, b) in zip("zyx", row.box.to_json(), strict=True))


def _code(row: SetRow) -> str:
    if row.box is None:
        return f"({row.image!r}, {row.level!r})"
    region = repr(row.region) if row.region else row.box.code()
    return f"({row.image!r}, {row.level!r}, {region})"
