"""The overlay that follows every stroke: asks for it, shows it, finds where it is unsure. Learns and predicts nothing.

Whoever answers runs elsewhere (:class:`OverlaySource`); this module decides when to ask, keeps the newest answer on
show, and knows the most useful place of what is on screen.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

import numpy as np

from voxloop.errors import LabelError
from voxloop.geometry import AXES, Box, plane_axes
from voxloop.panels.base.panel import Panel
from voxloop.panels.base.work import Debounce
from voxloop.panels.label.flips import OverlayFlips
from voxloop.panels.label.patch_cells import cells_of, only_inside, sampled, step_of
from voxloop.panels.view.layers import LayerPatch, PatchLayer, class_dicts
from voxloop.panels.view.plane_view import PlaneView
from voxloop.panels.view.planes import EdgeBox, PlaneBox

if TYPE_CHECKING:
    from voxloop.store import Labels
    from voxloop.store.document import NamedRegion

#: cells of the overlay over which a lack of confidence is averaged: a single noisy pixel is no place to go
NEIGHBOURHOOD = 15
#: voxels around a place, to either side, that accepting takes at most
REACH = 48
#: answers are asked for again this long after the picture came to rest
REST_S = 0.15


@dataclass(frozen=True, slots=True, kw_only=True)
class OverlayRequest:
    """What is on screen: plane, box in voxels, voxels per pixel of the answer.

    ``sequence`` is the edit that must have been seen; ``learn`` says that labels changed since the request before.
    ``model`` is the folder, within the workspace, of a model that answers instead of what the labels teach;
    ``channels`` are those of the workspace that are learnt from beside the image. It speaks inside of ``region`` only.
    """

    image: str
    level: str
    axis: str
    index: int
    box: PlaneBox
    step: int
    sequence: int
    learn: bool
    model: str | None = None
    channels: tuple[str, ...] = ()
    region: NamedRegion | None = None


@dataclass(frozen=True, slots=True)
class OverlayPiece:
    """A piece of the overlay: uint8 ``classes`` (label values) and ``confidence`` over ``box`` (voxel edges)."""

    axis: str
    index: int
    box: EdgeBox
    classes: np.ndarray
    confidence: np.ndarray
    last: bool = True


class OverlaySource(Protocol):
    """Who answers. A newer request makes an older one void."""

    def ask(
        self, request: OverlayRequest, answered: Callable[[OverlayPiece], None], failed: Callable[[BaseException], None]
    ) -> None:
        """Answer in one piece or several, from any thread."""
        ...

    def close(self) -> None: ...


class LiveOverlay:
    """Shows what the strokes so far say about the rest of the picture.

    Parameters
    ----------
    panel
        Whose part it is.
    view
        Where it is shown, as :attr:`layer`, which the owner puts among the layers.
    open_source
        Makes the source when it is first needed.
    tell
        Called with a few words whenever the state changes.
    """

    def __init__(
        self, panel: Panel, view: PlaneView, open_source: Callable[[], OverlaySource], tell: Callable[[str], None]
    ) -> None:
        self.layer = PatchLayer("live", "Live overlay")
        self.is_on = True
        self.model: str | None = None
        self.channels: tuple[str, ...] = ()
        self.place: tuple[int, int, int] | None = None
        self._panel, self._view, self._open_source, self._tell = panel, view, open_source, tell
        self._flips = OverlayFlips(panel)
        self._rest = Debounce(panel, self._look, seconds=REST_S)
        self._source: OverlaySource | None = None
        self._labels: Labels | None = None
        self._learn = False
        self._asked = 0.0
        self._request: OverlayRequest | None = None  # of the view itself
        self._under_way: OverlayRequest | None = None  # of it, or of a plane beside it
        self._beside: dict[str, OverlayRequest] = {}  # answered for planes beside it, by axis
        self._visited: list[tuple[int, int, int]] = []

    # ---------------------------------------------------------------------------------------------------- when to ask

    def follow(self, labels: Labels) -> None:
        """Overlay the picture by these labels from now on."""
        self._labels, self._request = labels, None
        self._beside.clear()
        self._visited.clear()
        self.layer.clear()
        self.show_classes()
        self.follow_edit()

    def by(self, model: str | None) -> None:
        """Show what the model in this folder of the workspace says; None: what the strokes teach."""
        self.model = model
        self._begin_again()

    def learn_from(self, channels: tuple[str, ...]) -> None:
        """Have strokes teach with these channels of the workspace beside the image."""
        self.channels = channels
        self._begin_again()

    def _begin_again(self) -> None:
        self.layer.clear()
        self._beside.clear()
        self._view.refresh(self.layer.id)
        self.ask_again()

    def ask_again(self) -> None:
        """Whoever answers knows more than before."""
        self._request = None
        self.follow_edit()

    def show_classes(self) -> None:
        """Take up the colours of the classes; the background stays clear, for it would veil everything."""
        if self._labels is not None:
            classes = self._labels.level.classes
            listed = class_dicts(classes)
            for item, known in zip(listed, classes, strict=True):
                item["visible"] = item["visible"] and not known.background
            self.layer.state["classes"] = listed

    def switch(self, on: bool) -> None:
        """Show the overlay, or do without it."""
        self.is_on = on
        if on:
            self.follow_edit()
        else:
            self.layer.clear()
            self._beside.clear()
            self._view.refresh(self.layer.id)
            self._tell("off")

    @property
    def missing(self) -> str:
        """What has to be painted first; empty once two classes have strokes."""
        labels = self._labels
        if self.model is not None:
            return ""
        if labels is None or labels.level.kind == "instances":
            return "live overlays are for levels of classes"
        counts = labels.counts()
        named = [item.name for item in labels.level.classes if counts.get(item.value)]
        if len(named) >= 2:
            return ""
        return f"paint a second class besides {named[0]}" if named else "paint two classes; it appears by itself"

    def follow_edit(self) -> None:
        """Labels changed: learn from them, once the hand rests."""
        self._learn = True
        self._rest.ask()

    def follow_view(self) -> None:
        """The picture moved: look at it once it rests."""
        self._rest.ask()

    def _look(self) -> None:
        """Ask for what is on screen, where there is something to ask."""
        if not self.is_on or self._view.window is None:
            return
        missing = self.missing
        if missing:
            self._tell(missing)
            return
        self._ask(learn=self._learn and self.model is None)
        self._learn = False

    def _ask(self, *, learn: bool) -> None:
        request = self._request_of(self._view, learn=learn)
        if request is None:
            return
        if not learn and request == self._request:
            if self._under_way is None:
                self._ask_beside()
            return
        self._request, self._asked = request, time.monotonic()
        if learn and self._labels is not None:
            self._flips.learn(self._labels, self.layer.patch(request.axis, request.index))
        self._tell("learning …" if learn else "looking …")
        self._send(request)

    def _ask_beside(self) -> None:
        """Ask for the planes beside the view, one after the other: a newer question makes an older one void."""
        for view in self._view.linked_views:
            request = self._request_of(view, learn=False)
            if request is not None and request != self._beside.get(request.axis):
                self._send(request)
                return

    def _request_of(self, view: PlaneView, *, learn: bool) -> OverlayRequest | None:
        """What a view shows; None before it does."""
        labels = self._labels
        if labels is None or view.window is None:
            return None
        axis, index, box = view.window
        step = max(1, int(view.pixel_um / min(view.planes.spacing_um)))
        sequence = labels.sequence if self.model is None else 0
        return OverlayRequest(
            sequence=sequence,
            image=labels.image,
            level=labels.level.name,
            axis=axis,
            index=index,
            box=box,
            step=step,
            learn=learn,
            model=self.model,
            channels=self.channels,
            region=labels.active,
        )

    def source(self) -> OverlaySource:
        """Who answers, from its first question on."""
        if self._source is None:
            self._source = self._open_source()
        return self._source

    def _send(self, request: OverlayRequest) -> None:
        self._under_way = request
        try:
            source = self.source()
        except Exception as error:  # painting goes on without it
            self._fail(request, error)
            return
        source.ask(
            request,
            lambda answer: self._panel.post(self._show, request, answer),
            lambda error: self._panel.post(self._fail, request, error),
        )

    # -------------------------------------------------------------------------------------------------------- answers

    def _show(self, request: OverlayRequest, answer: OverlayPiece) -> None:
        now = self._request
        if not self.is_on or now is None or (request.level, request.model) != (now.level, now.model):
            return
        patch = LayerPatch(answer.classes, answer.box, 0, answer.confidence)
        if request.region is not None:
            patch = only_inside(patch, request.region, request.axis, request.index, self._view.planes.shape)
        self.layer.show(answer.axis, answer.index, patch)
        self._view.refresh(self.layer.id)
        if answer.last and request is self._request:
            sure = float(np.mean(answer.confidence)) / 255
            self._tell(f"{sure:.0%} sure on average, {time.monotonic() - self._asked:.1f} s")
            self._flips.answered(self.layer.patch(answer.axis, answer.index))
        if answer.last and request is self._under_way:
            self._under_way = None
            if request is not self._request:
                self._beside[request.axis] = request
            self._ask_beside()

    def _fail(self, request: OverlayRequest, error: BaseException) -> None:
        if request is self._under_way:
            self._under_way = None
        if request is self._request:
            self._tell(f"no overlay: {error}")
            self._request = None

    # --------------------------------------------------------------------------------------------------------- places

    def next_place(self) -> tuple[int, int, int]:
        """The voxel (z, y, x) on this plane where one more stroke helps most. Raises LabelError where none is known.

        Least confidence on the average over a neighbourhood, where nothing is labelled and where this has not been
        before.
        """
        from scipy.ndimage import uniform_filter

        axis, index = self._view.axis, self._view.index
        patch = self.layer.patch(axis, index)
        labels = self._labels
        if patch is None or patch.alpha is None or labels is None:
            raise LabelError(f"there is no live overlay of this plane yet: {self.missing or 'wait a moment'}")
        unsure = np.where(patch.indices > 0, 255.0 - patch.alpha, 0.0)  # nothing is said outside of a parent or region
        doubt = np.where(patch.indices > 0, uniform_filter(unsure, NEIGHBOURHOOD, mode="nearest"), -1)
        rows, columns = cells_of(patch, labels.shape, axis)
        plane = labels.plane(axis, index)
        doubt[plane[np.ix_(rows, columns)] > 0] = -1
        for point in self._visited:
            if point[AXES.index(axis)] == index:
                row, column = (value for i, value in enumerate(point) if AXES[i] != axis)
                reach = 3 * NEIGHBOURHOOD * step_of(patch)
                near = (np.abs(rows[:, None] - row) < reach) & (np.abs(columns[None] - column) < reach)
                doubt[near] = -1
        best = np.unravel_index(int(np.argmax(doubt)), doubt.shape)
        if doubt[best] <= 0:
            raise LabelError("you have seen every unsure place of this plane; go to another plane")
        place = [int(rows[best[0]]), int(columns[best[1]])]
        place.insert(AXES.index(axis), index)
        self.place = (place[0], place[1], place[2])
        self._visited.append(self.place)
        return self.place

    def read_place(self, point: tuple[int, int, int] | None = None) -> tuple[Box, np.ndarray, np.ndarray]:
        """What the overlay says around a place: box, values and mask, for ``labels.write``. Raises LabelError.

        Taken is what belongs to the class at the place and is connected to it, no further than a short way.
        """
        from scipy.ndimage import label

        point = point or self.place
        axis, index = self._view.axis, self._view.index
        patch = self.layer.patch(axis, index)
        if point is None or patch is None or point[AXES.index(axis)] != index or self._labels is None:
            raise LabelError("go to a place first (N), then accept it there")
        row, column = (value for i, value in enumerate(point) if AXES[i] != axis)
        reach = [0 if name == axis else REACH for name in AXES]
        box = Box.at(point, (1, 1, 1)).grow(reach).clip(self._labels.shape)
        parts = [box.along(name) for name in plane_axes(axis)]
        values = sampled(patch, parts)
        there = values[row - parts[0].start, column - parts[1].start]
        if not there:
            raise LabelError("the overlay says nothing at this place")
        components, _ = label(values == there)
        mask = components == components[row - parts[0].start, column - parts[1].start]
        at = AXES.index(axis)
        return box, np.expand_dims(values, at), np.expand_dims(mask, at)

    def close(self) -> None:
        """End whoever answers."""
        if self._source is not None:
            self._source.close()
            self._source = None
