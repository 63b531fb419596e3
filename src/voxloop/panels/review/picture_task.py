"""Work that takes picture and keys for a while: an audit, a list of strokes to look at. Knows no such work itself."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any, ClassVar

import ipywidgets as w

from voxloop.panels.view.ink import StrokePiece
from voxloop.panels.view.plane_view import PlaneView

Key = dict[str, Any]


class PictureTask(ABC):
    """What the keys serve while it is in use.

    Attributes
    ----------
    widget : what stands in the side column meanwhile.
    hides : names of the layers that are not to be seen meanwhile.
    """

    widget: w.VBox
    hides: Sequence[str] = ()

    @abstractmethod
    def begin(self) -> None:
        """Picture and keys are its own from now on."""

    @abstractmethod
    def keys(self, usual: Sequence[Key]) -> list[Key]:
        """The keys that mean something while it is in use; ``usual`` are those of the panel otherwise."""

    @abstractmethod
    def act(self, name: str) -> None:
        """Do what a key asks for."""

    @abstractmethod
    def leave(self) -> None:
        """Something else is done from now on."""


class PaintingTask(PictureTask):
    """What takes the hand as well: tools paint on a layer of its own, ``paints_on``."""

    paints_on: ClassVar[str]

    @abstractmethod
    def stroke(self, piece: StrokePiece) -> int | None:
        """Take a piece of a stroke; what the layer counts as its last change, None where nothing was painted."""

    @abstractmethod
    def click(self, message: dict[str, Any]) -> None:
        """Take a click of a tool that does not draw."""

    @abstractmethod
    def undo(self) -> None:
        """Take the last stroke back."""


class LayerCurtain:
    """Layers of a picture that are hidden for a while; those that were hidden before stay so."""

    def __init__(self, view: PlaneView) -> None:
        self._view = view
        self._hidden: set[str] = set()

    def draw(self, names: Sequence[str] = ()) -> None:
        """Hide these, and show again what was hidden here and is not among them."""
        for layer in self._view.layers:
            visible = bool(self._view.look_of(layer.id)["visible"])
            if layer.id in names and visible:
                self._hidden.add(layer.id)
                self._view.change_layer(layer.id, visible=False)
            elif layer.id in self._hidden and layer.id not in names:
                self._hidden.discard(layer.id)
                self._view.change_layer(layer.id, visible=True)
