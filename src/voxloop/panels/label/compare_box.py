"""Two labelings of the image on show beside each other: a table, a layer of where they differ, a walk through it."""

from __future__ import annotations

import html
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any, Protocol, cast

import ipywidgets as w

from voxloop.errors import LabelError
from voxloop.panels.base.fold import Fold
from voxloop.panels.base.panel import Panel, button, classed, labelled, row, show, table, text
from voxloop.panels.base.work import Attempt
from voxloop.panels.view.layers import ArrayLayer

if TYPE_CHECKING:
    from voxloop.panels.view.plane_view import PlaneView
    from voxloop.review import Agreement
    from voxloop.workspace.workspace import Workspace

LAYER = "difference"
#: told apart with any colour vision, and from the first classes of a level
_COLORS = ("#d81b60", "#1e88e5", "#ffc107")
_FILE = "a mask in a file"


class CompareOwner(Protocol):
    """The panel that shows the picture."""

    ws: Workspace
    view: PlaneView

    @property
    def image(self) -> str: ...
    def choose(self, image: str | None = None, level: str | None = None) -> None: ...
    def show_code(self, line: str) -> None: ...


class CompareBox:
    """A fold with two lists, the classes that belong together, and what came out."""

    def __init__(self, panel: Panel) -> None:
        self._panel = panel
        self._owner: CompareOwner = cast("Any", panel)
        self._found: Agreement | None = None
        self._image, self._at = "", -1
        self._leave: list[Callable[[], object]] = []
        self.fold = Fold("Two labelings", self._build, lambda fold: self._offer())
        self.widget = self.fold.widget
        panel.on_close(self._forget)

    def layers(self) -> list[ArrayLayer]:
        """Where the two differ, while their image is on show."""
        found = self._found
        if found is None or self._image != self._owner.image:
            return []
        layer = ArrayLayer(LAYER, "difference", found.array, opacity=0.9)
        words = (f"only {found.names[0]}", f"only {found.names[1]}", "another class")
        layer.state["classes"] = [
            {"value": value, "name": name, "color": color, "visible": True}
            for value, (name, color) in enumerate(zip(words, _COLORS, strict=True), 1)
        ]
        return [layer]

    def compare(self) -> None:
        """Hold the two that are chosen against each other."""
        one, other = (self._chosen(field, path) for field, path in zip(self._lists, self._paths, strict=True))
        mapping = _mapping(str(self._map.value))
        image = self._owner.image
        more = f", mapping={mapping!r}" if mapping else ""
        self._owner.show_code(f"ws.agreement({one!r}, {other!r}, image={image!r}{more})")
        self._panel.say("Comparing …")
        self._attempt(one, other, image, mapping)

    def step(self, by: int) -> None:
        """Go to the next difference (-1: the one before), the largest first."""
        found = self._found
        if found is None:
            raise LabelError("compare two labelings first, under Two labelings")
        if not found.differences:
            self._panel.say("They differ nowhere.", "good")
            return
        if self._image != self._owner.image:
            self._owner.choose(image=self._image)
        self._at = (self._at + by) % len(found.differences) if self._at >= 0 else (0 if by > 0 else -1)
        self._at %= len(found.differences)
        here = found.differences[self._at]
        self._owner.view.go_to(here.point, zoom_in=True)
        self._panel.say(
            f"Difference {self._at + 1} of {len(found.differences)}: {here.voxels:,} voxels, {found.names[0]} says "
            f"{here.one}, {found.names[1]} says {here.other}."
        )

    def _take(
        self, one: str, other: str, image: str, mapping: dict[int | str, int | str] | None
    ) -> tuple[str, Agreement]:
        return image, self._owner.ws.agreement(one, other, image=image, mapping=mapping)

    def _show(self, answer: tuple[str, Agreement]) -> None:
        self._forget()
        self._image, self._found = answer
        found, self._at = answer[1], -1
        for name in found.names:
            if name in self._owner.ws.levels.painted:
                labels = self._owner.ws.labels(name, self._image)
                self._leave.append(labels.on_edit(lambda edit: self._panel.post(self._owner.view.refresh, LAYER)))
        self._table.value = _table(found)
        for part in (self._table, self._walk):
            show(part, True)
        self._owner.choose()
        self._panel.say(f"{found.words[:1].upper()}{found.words[1:]}.", "good")

    def _forget(self) -> None:
        for leave in self._leave:
            leave()
        self._leave = []

    def _chosen(self, field: Any, path: Any) -> str:
        if field.value != _FILE:
            return str(field.value)
        given = str(path.value).strip()
        if not given:
            raise LabelError("write the path of the mask, or choose a level or a prediction")
        return given

    def _offer(self) -> None:
        """Levels and predictions as there are now."""
        ws = self._owner.ws
        predictions = [name for name, one in ws.predictions.items() if one.image == self._owner.image]
        said = [f"{level} by {who}" for level in ws.levels.painted for who in _several(ws, level, self._owner.image)]
        names = [*ws.levels.painted, *(name for name in predictions if name not in ws.levels.painted), *said, _FILE]
        for at, field in enumerate(self._lists):
            chosen = field.value
            if tuple(field.options) != tuple(names):
                field.options = names
                field.value = chosen if chosen in names else names[min(at, len(names) - 1)]
        self._show_paths()

    def _show_paths(self) -> None:
        for field, path in zip(self._lists, self._paths, strict=True):
            show(path, field.value == _FILE)

    def _build(self) -> list[w.Widget]:
        handler = self._panel.handler
        self._lists: list[Any] = [
            w.Dropdown(
                options=[], **labelled(name, "A level, what one author said of it, a prediction, or a mask in a file")
            )
            for name in ("First", "Second")
        ]
        self._paths: list[Any] = [
            classed(w.Text(placeholder=f"path of the {name} mask"), "vx-grow") for name in ("first", "second")
        ]
        for field in self._lists:
            field.observe(handler(self._show_paths), "value")
        about = "Classes of the second and what they are of the first: mito=mitochondria, 0=rest; empty: by name"
        self._map: Any = classed(w.Text(placeholder="by name", **labelled("Mapping", about)), "vx-grow")
        go = button("Compare", handler(self.compare), tooltip="Table, and where the two differ over the picture")
        self._attempt = Attempt(self._panel, self._take, self._show, button=go)
        self._table = text("")
        back = button("", handler(partial(self.step, -1)), icon="arrow-left", tooltip="Difference before (Shift E)")
        on = button("Next difference", handler(partial(self.step, 1)), tooltip="The next one, largest first (Shift D)")
        self._walk = row(back, on)
        for part in (self._table, self._walk):
            show(part, False)
        first, second = zip(self._lists, self._paths, strict=True)
        return [*first, *second, self._map, row(go), self._table, self._walk]


def _several(ws: Workspace, level: str, image: str) -> list[str]:
    """Who edited a level on an image, where it was more than one."""
    authors = ws.labels(level, image).authors
    return authors if len(authors) > 1 else []


def _mapping(words: str) -> dict[int | str, int | str] | None:
    """``mito=mitochondria, 0=rest`` as a mapping. Raises LabelError."""
    found: dict[int | str, int | str] = {}
    for part in filter(None, (one.strip() for one in words.split(","))):
        theirs, equals, ours = (one.strip() for one in part.partition("="))
        if not (equals and theirs and ours):
            raise LabelError(
                f"Mapping: {part[:40]!r} is not of the form mito=mitochondria; set a comma between several"
            )
        found[theirs] = ours
    return found or None


def _table(found: Agreement) -> str:
    """Markup: a row a class, then what holds for all."""
    dice, iou = found.dice, found.iou
    rows = []
    for place, name in enumerate(found.classes):
        if not (found.confusion[place].any() or found.confusion[:, place].any()):
            continue
        apart = found.boundaries.get(name)
        rows.append(
            [html.escape(name), _share(dice[name]), _share(iou[name]), "–" if apart is None else f"{apart.mean_um:.3g}"]
        )
    facts = (
        [f"{found.accuracy:.1%} of {found.voxels:,} voxels alike, kappa {_share(found.kappa)}."] if found.voxels else []
    )
    if found.objects is not None:
        facts.append(f"{found.objects[0]:,} and {found.objects[1]:,} objects, AP {found.ap[0.5]:.3f} at half overlap.")
    if found.left_out:
        facts.append(f"{found.left_out:,} voxels left out: not labelled in one of them.")
    markup = table(("Class", "Dice", "IoU", "µm apart"), rows, right=(1, 2, 3)) if rows else ""
    return markup + f'<div class="vx-dim">{html.escape(" ".join(facts))}</div>'


def _share(value: float) -> str:
    return f"{value:.3f}" if value == value else "–"
