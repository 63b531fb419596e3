"""Which image and which label level: choosing, adding, renaming. Knows the lists of a workspace, no label array."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import ipywidgets as w

from voxloop.errors import LabelError
from voxloop.panels.base.panel import Panel, button, classed, column, labelled, row, show
from voxloop.panels.base.question import Question
from voxloop.panels.label.overlay_choice import LOOK_S
from voxloop.panels.label.time_stepper import TimeStepper
from voxloop.store.levels import title

if TYPE_CHECKING:
    from voxloop.store import Edit
    from voxloop.workspace.workspace import Workspace

_NO_PARENT = ("anywhere", None)
_FIRST_CLASSES = ("object", "background")


class LevelChooser:
    """Two lists, and a small form for a new level or a new name.

    ``choose(image=..., level=...)`` is called with what the hand chose, ``tell_code`` with the line of Python for a
    change.
    """

    def __init__(
        self,
        owner: Panel,
        ws: Workspace,
        image: str,
        level: str,
        choose: Callable[..., object],
        tell_code: Callable[[str], object] = lambda line: None,
    ) -> None:
        handler = owner.handler
        self._owner, self._ws, self._choose, self._tell_code = owner, ws, choose, tell_code
        self.question = Question(owner)
        self._showing = False
        self.images = classed(w.Dropdown(options=ws.images.names, value=image, tooltip="Image"), "vx-grow")
        self.levels = classed(w.Dropdown(options=ws.levels.painted, value=level, tooltip="Label level"), "vx-grow")
        self.images.observe(handler(lambda change: self._chosen(image=change["new"])), "value")
        self.levels.observe(handler(lambda change: self._chosen(level=change["new"])), "value")
        self.name = w.Text(placeholder="name")
        self.kind = w.Dropdown(
            options=[("classes", "semantic"), ("single objects", "instances")],
            **labelled("Holds", "A class for each voxel, or a number of its own for each object"),
        )
        self.parent = w.Dropdown(
            options=[_NO_PARENT], **labelled("Inside", "The class of another level within which this one is labelled")
        )
        self._new = column(self.kind)
        self._renames = False
        add = button("", handler(lambda: self._open_form(renames=False)), icon="plus", tooltip="Add a label level")
        rename = button(
            "",
            handler(lambda: self._open_form(renames=True)),
            icon="pencil",
            tooltip="Rename this level (or change what it lies inside of)",
        )
        self.edit_buttons = (add, rename)
        done = button("OK", handler(self.finish), kind="primary")
        cancel = button("Cancel", handler(self._close_form))
        self._form = column(
            row(classed(self.name, "vx-grow"), done, cancel, classes=("vx-choosers",)), self._new, self.parent
        )
        self._form.add_class("vx-card")
        show(self._form, False)
        show(self.images, len(ws.images.names) > 1)
        self.times = TimeStepper(owner, ws, lambda name: self._chosen(image=name))
        self.times.show(image)
        lists = row(self.images, self.levels, add, rename, classes=("vx-choosers",))
        self.widget = column(lists, self.times.widget, self._form, self.question.widget)
        owner.every(LOOK_S, self.follow)

    def show(self, image: str, level: str) -> None:
        """Set the lists to what is painted on, which calls nobody."""
        self._showing = True
        try:
            self.images.options, self.levels.options = self._ws.images.names, self._ws.levels.painted
            self.images.value, self.levels.value = image, level
            self.times.show(image)
        finally:
            self._showing = False

    def follow(self) -> None:
        """Go on with what is left where the image or the level that is painted on was removed elsewhere."""
        ws, image, level = self._ws, self.images.value, self.levels.value
        what = {}
        if image not in ws.images.names and ws.images.names:
            what["image"] = ws.images.names[0]
        if level not in ws.levels and ws.levels.painted:
            painted = [ws.levels[name] for name in ws.levels.painted]
            what["level"] = next((one.name for one in painted if one.folder == level), painted[0].name)  # or renamed
        if what:
            self._choose(**what)
            gone = image if "image" in what else level
            self._owner.say(f"There is no '{gone}' any more; this is '{next(iter(what.values()))}'.", "warning")

    def _chosen(self, **what: Any) -> None:
        if not self._showing and None not in what.values():
            self._choose(**what)

    def _open_form(self, *, renames: bool) -> None:
        self._renames = renames
        self.name.value = self.levels.value if renames else ""
        levels = [self._ws.levels[name] for name in self._ws.levels.painted]
        inside: list[Any] = []
        for level in levels:
            if renames and level.name == self.levels.value:
                continue
            if level.kind == "instances":
                inside.append((f"{level.name}: any object", (level.name, None)))
            inside += [(f"{level.name}: {item.name}", (level.name, item.name)) for item in level.classes]
        self.parent.options = [_NO_PARENT, *inside]
        self.parent.value = self._ws.levels[self.levels.value].parent if renames else None
        show(self._new, not renames)
        show(self._form, True)

    def _close_form(self) -> None:
        show(self._form, False)

    def finish(self) -> None:
        """Add the level, or give it its new name."""
        name = str(self.name.value).strip()
        if not name:
            raise LabelError("a level needs a name, for example organelles")
        if self._renames:
            self._change(name)
            return
        classes = list(_FIRST_CLASSES if self.kind.value == "semantic" else ())
        parent, kind = self.parent.value, self.kind.value
        self._ws.levels.add(name, classes=classes, parent=parent, kind=kind)
        self._tell_code(f"ws.levels.add({name!r}, classes={classes!r}, parent={parent!r}, kind={kind!r})")
        self._close_form()
        self._choose(level=name)

    def _change(self, name: str) -> None:
        """Give the level its new name, and its new parent once it is clear what that crops."""
        old, parent = str(self.levels.value), self.parent.value
        if name != old:
            self._ws.levels.rename(old, name)
            self._tell_code(f"ws.levels.rename({old!r}, {name!r})")
        self._close_form()
        self._choose(level=name)
        if parent is not None and parent[0] == old:  # the list was made before
            parent = (name, parent[1])
        if parent == self._ws.levels[name].parent:
            return
        if parent is None:
            self._reparent(name, None, None)
            return
        self._owner.in_thread(
            lambda: self._ws.levels.outside(name, parent), lambda lost: self._ask(name, parent, sum(lost.values()))
        )

    def _ask(self, name: str, parent: tuple[str, str | None], lost: int) -> None:
        """Put the level inside of another one; where labels of it lie outside, ask what becomes of them."""
        if not lost:
            self._reparent(name, parent, None)
            return
        self.question.ask(
            f"{lost:,} voxels of '{name}' lie outside of {title(parent)}. Take them away? Undo brings them back.",
            {
                "Take them away": lambda: self._reparent(name, parent, True),
                "Keep them": lambda: self._reparent(name, parent, False),
                "Cancel": lambda: None,
            },
        )

    def _reparent(self, name: str, parent: tuple[str, str | None] | None, crop: bool | None) -> None:
        more = "" if crop is None else f", crop={crop}"
        self._tell_code(f"ws.levels.reparent({name!r}, {parent!r}{more})")

        def done(edits: Mapping[str, Edit]) -> None:
            self._choose(level=name)
            count = sum(edit.voxels for edit in edits.values())
            where = (
                f"'{name}' lies inside of {title(parent)} now" if parent else f"'{name}' may be painted anywhere now"
            )
            self._owner.say(f"{where}; {count:,} voxels taken away." if count else f"{where}.", "good")

        self._owner.in_thread(lambda: self._ws.levels.reparent(name, parent, crop), done)
