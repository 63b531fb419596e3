"""The other levels of an image under the one in the hand: their layers, opened when looked at. Paints nothing."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from voxloop.panels.base.panel import Panel
from voxloop.panels.view.layers import LabelLayer, Layer, LayerKind, LayerPatch, class_dicts, layer_state
from voxloop.panels.view.plane_view import PlaneView
from voxloop.panels.view.planes import PlaneBox

if TYPE_CHECKING:
    from voxloop.store import Edit, Labels, Level
    from voxloop.workspace.workspace import Workspace

_LOOK = ("opacity", "visible", "outline")
#: how the names of these layers begin: as a parent, one looks otherwise than among the others
_OTHER, _PARENT = "level:", "parent:"


class LevelLayer:
    """The labels of a level that nobody may ever look at: they are opened with the first plane that is read.

    Parameters
    ----------
    open_labels
        Gives the labels; called once, in any thread.
    is_parent
        Of the level in the hand: it is drawn around.
    only
        Name of the class that alone is visible; None: all that are.
    """

    def __init__(
        self, level: Level, open_labels: Callable[[], Labels], *, is_parent: bool = False, only: str | None = None
    ) -> None:
        self.id = f"{_PARENT if is_parent else _OTHER}{level.folder}"
        self.kind: LayerKind = "instances" if level.kind == "instances" else "labels"
        name = level.name if only is None else f"{level.name}: {only}"
        self.state = layer_state(self.id, name, self.kind, class_dicts(level.classes), opacity=0.5, visible=False)
        for item in self.state["classes"]:
            item["visible"] = item["name"] == only if only is not None else item["visible"]
        self._level, self._open = level, open_labels
        self._layer: LabelLayer | None = None
        self._lock = threading.Lock()

    def read(self, axis: str, index: int, box: PlaneBox, voxels_per_pixel: tuple[float, float]) -> LayerPatch:
        return self._opened().read(axis, index, box, voxels_per_pixel)

    def describe(self, point: tuple[int, int, int]) -> dict[str, str] | None:
        found = self._opened().describe(point)
        shown = {item["name"]: item["visible"] for item in self.state["classes"]}
        return None if found is None or not shown.get(found["name"], True) else found

    def _opened(self) -> LabelLayer:
        with self._lock:
            if self._layer is None:
                self._layer = LabelLayer(self._open(), self._level.name, self._level.classes, self.kind, self.id)
            return self._layer


class LevelLayers:
    """Makes the layers of the other levels, and follows their edits once they are looked at.

    The parent of the level in the hand is drawn around; the others are listed, and hidden until somebody shows them.
    How each looks stays while one goes from level to level.
    """

    def __init__(self, panel: Panel, ws: Workspace, view: PlaneView) -> None:
        self._panel, self._ws, self._view = panel, ws, view
        self._looks: dict[str, dict[str, Any]] = {}
        self._leave: list[Callable[[], object]] = []

    def below(self, labels: Labels) -> list[Layer]:
        """The layers that belong under the one of ``labels``, the parent the highest."""
        self.leave()
        parent = labels.level.parent
        others = [self._ws.levels[name] for name in self._ws.levels.painted if name != labels.level.name]
        others.sort(key=lambda level: parent is not None and level.name == parent[0])
        return [self._layer(level, labels.image, parent) for level in others]

    def switch(self) -> bool:
        """Show all other levels, or where any is to be seen, none; whether they are shown now."""
        shown = [state for state in self._view.widget.layers if state["id"].startswith((_OTHER, _PARENT))]
        visible = not any(state["visible"] for state in shown)
        for state in shown:
            self._view.change_layer(state["id"], visible=visible)
        return visible

    def leave(self) -> None:
        """Follow no edits any more, and remember how the layers look."""
        for leave in self._leave:
            leave()
        self._leave = []
        for state in self._view.widget.layers:
            if state["id"].startswith((_OTHER, _PARENT)):
                self._looks[state["id"]] = {name: state[name] for name in _LOOK}

    def _layer(self, level: Level, image: str, parent: tuple[str, str | None] | None) -> Layer:
        is_parent = parent is not None and level.name == parent[0]

        def open_labels() -> Labels:
            labels = self._ws.labels(level.name, image)
            self._leave.append(labels.on_edit(lambda edit: self._panel.post(self._show, layer.id, edit)))
            return labels

        only = parent[1] if is_parent and parent is not None else None
        layer = LevelLayer(level, open_labels, is_parent=is_parent, only=only)
        if is_parent:
            layer.state |= {"visible": True, "outline": True, "opacity": 0.9}
        layer.state |= self._looks.get(layer.id, {})
        return layer

    def _show(self, id: str, edit: Edit) -> None:
        if edit.voxels:
            self._view.refresh(id, box=edit.box, sequence=edit.sequence)
