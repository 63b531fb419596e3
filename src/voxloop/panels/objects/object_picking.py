"""Objects picked by clicks in the picture; what is picked is selected in the plots as well."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any

import ipywidgets as w
import numpy as np

from voxloop.panels.base.panel import Panel
from voxloop.panels.base.work import Latest
from voxloop.panels.label.tools import voxel_of
from voxloop.panels.view.plane_view import PlaneView

if TYPE_CHECKING:
    from voxloop.objects import Objects
    from voxloop.panels.objects.object_kinds import ObjectKinds

#: the tool whose clicks select objects, and what Alt click is called with any tool
_TOOL, _ALT = "objects", "pick"


class ObjectPicking:
    """A button that gives clicks to objects; Alt click picks without it.

    Parameters
    ----------
    panel
        Whose part it is.
    view
        The picture in which is clicked.
    kinds
        Which objects there are, and which are selected.
    picked
        Called with the number of an object that was taken into the selection.
    """

    def __init__(self, panel: Panel, view: PlaneView, kinds: ObjectKinds, picked: Callable[[int], object]) -> None:
        self._view, self._kinds, self._told = view, kinds, picked
        self.widget = w.ToggleButton(icon="mouse-pointer", tooltip="Click objects in the picture to select them")
        self.widget.observe(panel.handler(self._hold), "value")
        self._found: Latest[int] = Latest(panel, self.toggle)
        view.on("click", panel.handler(self._clicked))

    def toggle(self, number: int) -> None:
        """Take an object into the selection or out of it; none (0): let all go."""
        ids = self._kinds.ids
        if not number:
            self._kinds.select(())
        elif number in ids:
            self._kinds.select([one for one in ids if one != number])
        else:
            self._kinds.select((*ids, number))
            self._told(number)

    def _hold(self) -> None:
        if self.widget.value:
            self._view.set_tool(name=_TOOL, draws="", color="#ffe16b")
        else:
            self._view.set_tool()

    def _clicked(self, message: dict[str, Any]) -> None:
        objects = self._kinds.objects
        if objects is None or message["tool"] not in (_TOOL, _ALT):
            return
        if objects.labels.shape == self._view.planes.shape:
            self._found.ask(partial(_number_at, objects, voxel_of(message)))


def _number_at(objects: Objects, place: tuple[int, int, int]) -> int:
    """The object at a voxel; 0 where there is none."""
    z, y, x = place
    return int(np.asarray(objects.labels[z, y, x]))
