"""The class of each object, said by key and put right: what stands above the table of objects. Computes nothing."""

from __future__ import annotations

import html
from collections.abc import Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

import ipywidgets as w

from voxloop.errors import LabelError
from voxloop.objects.said_classes import FILE, ObjectClasses, SaidClass
from voxloop.panels.base.panel import (
    CopyCode,
    Panel,
    button,
    classed,
    column,
    labelled,
    mark,
    row,
    show,
    swatch,
    text,
)
from voxloop.store import LabelClass
from voxloop.workspace.object_classes import looked_at_these

if TYPE_CHECKING:
    from pandas import DataFrame

    from voxloop.objects import Objects
    from voxloop.panels.objects.object_kinds import ObjectKinds
    from voxloop.panels.view.plane_view import PlaneView
    from voxloop.workspace.workspace import Workspace

#: what the level is called that is made here
_LEVEL = "object classes"
#: as long as nothing is said of an object it is drawn so
_NOT_YET = "no class yet"
_GRAY = "#8a8f94"
_DEEP = "Of a stack a network sees each object in the plane through its middle, and no other."


class ObjectClassBox:
    """Buttons and keys that give the selected objects a class; who said which class is a column of the table.

    Parameters
    ----------
    panel
        Whose part it is.
    ws
        Whose levels of kind ``"pictures"`` hold the classes.
    view
        The picture that hears the keys.
    kinds
        Which objects are selected.
    changed
        Called when something else is said of objects.
    onward
        Goes to the next object.
    """

    def __init__(
        self,
        panel: Panel,
        ws: Workspace,
        view: PlaneView,
        kinds: ObjectKinds,
        changed: Callable[[], object],
        onward: Callable[[], object],
    ) -> None:
        self._panel, self._ws, self._view, self._kinds = panel, ws, view, kinds
        self._changed, self._onward = changed, onward
        self._objects: Objects | None = None
        self._numbers: list[int] = []
        self._seen: object = None
        self._size: tuple[Any, ...] | None = None
        self.said: dict[int, SaidClass] = {}
        handler = panel.handler
        self._level = w.Dropdown(options=[], **labelled("Classes", "Level of kind pictures that holds the classes"))
        self._level.observe(handler(self.look), "value")
        self._names = w.Text(
            placeholder="round, long", **labelled("New classes", "Names of classes of single objects, with commas")
        )
        self._make = row(
            self._names,
            button("Add", handler(self.make), icon="plus", tooltip="Make a level of kind pictures with these classes"),
        )
        self._classes = classed(w.HBox(), "vx-row", "vx-wrap")
        self.next_after = w.Checkbox(value=True, description="then go to the next", indent=False)
        self._found = w.Dropdown(options=[], **labelled("Found by", "Runs in which a network told the classes"))
        self._above = w.BoundedFloatText(
            value=0.8, min=0, max=1, step=0.05, **labelled("above", "Take over only what it is at least so sure of")
        )
        self._taken = row(
            self._found,
            self._above,
            button("Take over", handler(self.take_over), tooltip="Objects that a person gave a class keep it"),
        )
        self._words = text(_DEEP, "vx-dim")
        self.copy = CopyCode()
        self._say = column(self._level, self._classes, row(self.next_after, self.copy), self._taken, self._words)
        self.widget = column(self._make, self._say)
        view.on("action", handler(lambda name, point: self.act(name)))
        self.show(None, None)

    # ---------------------------------------------------------------------------------------------------- what is said

    def assign(self, label: str | None) -> None:
        """Give the selected objects a class, or None; then go on where one is selected and that is ticked."""
        ids = self._kinds.ids
        if not ids:
            raise LabelError("no object is selected; click one in the table, or in the picture with Alt")
        several = list(ids) if len(ids) > 1 else ids[0]
        self._journal.assign(several, label)
        self.copy.code = f"{self._code}.assign({several!r}, {label!r})"
        self.look()
        if self.next_after.value and len(ids) == 1:
            self._onward()

    def undo(self) -> None:
        """Take the last change back."""
        self._tell("undo", done=self._journal.undo())

    def redo(self) -> None:
        """Make the change again that was taken back last."""
        self._tell("redo", done=self._journal.redo())

    def take_over(self) -> None:
        """Classes that a network told; of objects of which no person said one."""
        name, above = str(self._found.value), float(self._above.value)
        taken = self._ws.accept(name, above=above)
        self.copy.code = f"ws.accept({name!r}, above={above:g})"
        self.look()
        if not taken:
            self._panel.say(f"{name} is {above:.0%} sure of no object that a person gave no class; try a lower number.")
            return
        many = "1 object has" if len(taken) == 1 else f"{len(taken):,} objects have"
        self._panel.say(f"{many} the class that {name} told; keys put it right.", "good")

    def make(self) -> None:
        """A level with the classes that are named."""
        names = [name.strip() for name in str(self._names.value).split(",") if name.strip()]
        if not names:
            raise LabelError("name the classes first, with commas between them, for example round, long")
        self._ws.levels.add(_LEVEL, classes=names, kind="pictures")
        self.copy.code = f"ws.levels.add({_LEVEL!r}, classes={names!r}, kind='pictures')"
        self.look()

    def act(self, name: str) -> None:
        """What a key does. A key that comes late, when objects or class are gone, is told so."""
        if self._objects is None:
            return
        if name == "object undo":
            self.undo()
        elif name == "object redo":
            self.redo()
        elif name == "object none":
            self.assign(None)
        elif name.startswith("object class "):
            value = int(name.rpartition(" ")[2])
            names = [item.name for item in self.classes if item.value == value]
            if not names:
                self.look()
                raise LabelError(f"there is no class {value} here; the buttons show those that there are")
            self.assign(names[0])

    # --------------------------------------------------------------------------------------------------- what is shown

    @property
    def classes(self) -> tuple[LabelClass, ...]:
        """Those that objects may have; none where there is no level of them."""
        return tuple(self._ws.levels[self._level.value].classes) if self._level.value else ()

    @property
    def drawn(self) -> tuple[dict[int, int], list[LabelClass]]:
        """Value by object, and classes with colours, for the picture; nothing as long as nobody said anything."""
        if not self.said:
            return {}, []
        classes = [LabelClass(value=at, name=item.name, color=item.color) for at, item in enumerate(self.classes, 1)]
        values = {item.name: item.value for item in classes}
        none = LabelClass(value=len(classes) + 1, name=_NOT_YET, color=_GRAY)
        said = self.said
        return {n: values[said[n].name] if n in said else none.value for n in self._numbers}, [*classes, none]

    def show(self, objects: Objects | None, table: DataFrame | None) -> None:
        """Other objects are listed, or none any more."""
        self._objects, self._seen = objects, None
        self._numbers = [] if table is None else [int(number) for number in table.index]
        self.said = {}
        self.look()

    def look(self) -> None:
        """Look anew at levels, at what is said, and at what networks told."""
        if self._objects is None:
            show(self.widget, False)
            self._view.widget.bindings = []
            return
        levels = self._ws.levels.of_kind("pictures")
        if tuple(self._level.options) != tuple(levels):
            chosen = self._level.value
            self._level.options = levels
            self._level.value = chosen if chosen in levels else next(iter(levels), None)
        self._show_fields(levels)
        said = self._journal.said() if self._level.value else {}
        seen = (self._objects.name, self._level.value, self.classes, said)
        if seen != self._seen:
            self._seen, self.said = seen, said
            self._show_classes()
            self._changed()

    def look_if_written(self) -> None:
        """The same where somebody wrote, or a level came."""
        if self._objects is not None and self._written() != self._size:
            self.look()

    def cell(self, number: int) -> str | None:
        """Markup of the class of an object; None where there are no classes."""
        classes = self.classes
        if not classes:
            return None
        one = self.said.get(number)
        if one is None:
            return ""
        color = next((item.color for item in classes if item.name == one.name), _GRAY)
        sure = f' <span class="vx-dim">{one.probability:.0%}</span>' if one.predicted else ""
        return f"{swatch(color)}{html.escape(one.name)}{sure}"

    def first_to_say(self, numbers: Sequence[int]) -> list[int]:
        """Objects in the order in which they are worth a look: least sure ones, those without a class, those that
        a person classed."""

        def rank(number: int) -> tuple[int, float]:
            one = self.said.get(number)
            if one is None:
                return 1, 0.0
            return (0, one.probability) if one.predicted else (2, 0.0)

        return sorted(numbers, key=rank)

    # --------------------------------------------------------------------------------------------------------- helpers

    @property
    def _journal(self) -> ObjectClasses:
        assert self._objects is not None
        level = self._ws.levels[self._level.value]
        return ObjectClasses(self._objects.path, self._numbers, level, self._ws.store.check_writable)

    @property
    def _code(self) -> str:
        assert self._objects is not None
        return f"ws.object_classes({self._objects.name!r}, {self._level.value!r})"

    def _tell(self, what: str, *, done: bool) -> None:
        if not done:
            self._panel.say(f"There is nothing to {what}.")
            return
        self.copy.code = f"{self._code}.{what}()"
        self.look()

    def _written(self) -> tuple[Any, ...]:
        """How long what is said is on disk, which levels and classes there are, which networks told classes."""
        assert self._objects is not None
        file = self._objects.path / FILE
        size = file.stat().st_size if file.exists() else 0
        levels = self._ws.levels.of_kind("pictures")
        return size, tuple(levels), self.classes if self._level.value in levels else (), tuple(self._runs())

    def _runs(self) -> list[str]:
        """Finished runs that told classes of this level of these objects, the newest first."""
        assert self._objects is not None
        about = (self._objects.name, self._level.value)
        told: list[str] = []
        for run in [run for run in self._ws.runs.values() if run.kind == "places"][::-1]:
            meant = (run.config.get("objects"), run.config.get("level")) == about
            if meant and run.state == "finished" and looked_at_these(self._ws.runs, about[0], run.name):
                told.append(run.name)
        return told

    def _show_fields(self, levels: Sequence[str]) -> None:
        """Which of the fields are in sight."""
        assert self._objects is not None
        self._size = self._written()
        *_, runs = self._size
        if tuple(self._found.options) != tuple(runs):
            self._found.options = runs
            self._found.value = next(iter(runs), None)
        show(self.widget, bool(levels) or not self._ws.read_only)
        show(self._make, not levels)
        show(self._say, bool(levels))
        show(self._level, len(levels) > 1)
        show(self._taken, bool(runs) and not self._ws.read_only)
        show(self._words, self._objects.labels.shape[0] > 1)

    def _show_classes(self) -> None:
        classes = self.classes
        for old in self._classes.children:
            old.close()
        self._classes.children = [
            button(
                f"{item.shortcut} {item.name}".strip(),
                self._panel.handler(partial(self.assign, item.name)),
                tooltip=f"The selected objects are {item.name} ({item.shortcut}); X takes it away",
            )
            for item in classes
        ]
        keys = [(item.shortcut, item.name, f"object class {item.value}") for item in classes if item.shortcut]
        keys += [("x", "no class", "object none")] if classes else []
        keys += [("ctrl+z", "undo", "object undo"), ("ctrl+shift+z", "redo", "object redo")] if classes else []
        free = not self._ws.read_only
        self._view.widget.bindings = [
            {"key": key, "group": "Classes of objects", "label": label, "action": action}
            for key, label, action in keys
            if free
        ]
        self.mark()

    def mark(self) -> None:
        """Set off the class that the selected objects have."""
        names = {self.said[number].name if number in self.said else "" for number in self._kinds.ids}
        only = names.pop() if len(names) == 1 else ""
        for item, one in zip(self.classes, self._classes.children, strict=False):
            mark(one, "vx-on", item.name == only)
            one.disabled = not self._kinds.ids or self._ws.read_only
