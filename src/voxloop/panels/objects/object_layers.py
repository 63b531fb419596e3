"""Objects over the picture: each in a colour of its own or in that of its class, and those that are selected."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from voxloop.panels.objects.object_kinds import SelectedLayer
from voxloop.panels.view.layers import ArrayLayer
from voxloop.panels.view.plane_view import PlaneView
from voxloop.store import LabelClass

if TYPE_CHECKING:
    from voxloop.objects import Objects

#: how selected objects look in the picture
SELECTED = [LabelClass(value=1, name="selected", color="#ffe16b")]
#: values that a layer can tell apart
_MOST = 255


class ObjectLayers:
    """Makes the layers of the objects on show, and changes what they show.

    Parameters
    ----------
    view
        The picture that they lie over.
    """

    def __init__(self, view: PlaneView) -> None:
        self._view = view
        self._shown: dict[str, tuple[SelectedLayer, ArrayLayer]] = {}
        self._drawn: Sequence[LabelClass] = ()

    def make(
        self, objects: Objects, ids: Sequence[int], of: Mapping[int, int], classes: Sequence[LabelClass]
    ) -> list[ArrayLayer]:
        """The layers of objects, the first lowest; ``of``: the value in ``classes`` of each, empty: none has one."""
        labels = objects.labels.data
        each = ArrayLayer("objects", f"objects {objects.name}", labels, kind="instances")
        self._shown = {"selected": _over(labels, "selected", SELECTED, 0.95)}
        self._shown["selected"][0].select(ids)
        made = [each, self._shown["selected"][1]]
        self._drawn = tuple(classes)
        if of:
            self._shown["kinds"] = _over(labels, "kinds", classes, 0.7)
            self._shown["kinds"][0].give({number: min(value, _MOST) for number, value in of.items()})
            made.insert(1, self._shown["kinds"][1])
        return made

    def forget(self) -> None:
        """No objects are on show."""
        self._shown = {}

    def select(self, ids: Sequence[int]) -> None:
        """Light these objects up."""
        if "selected" in self._shown:
            self._shown["selected"][0].select(ids)
            self._again("selected")

    def give(self, of: Mapping[int, int], classes: Sequence[LabelClass]) -> bool:
        """Give objects other values; False where that takes other layers than those on show."""
        if not of or "kinds" not in self._shown or tuple(classes) != self._drawn:
            return False
        self._shown["kinds"][0].give({number: min(value, _MOST) for number, value in of.items()})
        self._again("kinds")
        return True

    def show_each(self, on: bool) -> None:
        """Show the colours that tell objects apart; those of classes take their place."""
        if any(layer.id == "objects" for layer in self._view.layers):
            self._view.change_layer("objects", visible=on)

    def _again(self, name: str) -> None:
        layer = self._shown[name][1]
        layer.sequence += 1
        if layer in self._view.layers:
            self._view.refresh(name)


def _over(labels: object, name: str, classes: Sequence[LabelClass], opacity: float) -> tuple[SelectedLayer, ArrayLayer]:
    values = SelectedLayer(labels)
    return values, ArrayLayer(name, name, values, classes, opacity=opacity)
