"""The verbs that find an object from hints: clicks, strokes, boxes, anchors on its outline. Each is one edit.

Finding is a room above (the live model answers there), so it is called by name.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from voxloop.errors import LabelError, unknown
from voxloop.geometry import Box, cover
from voxloop.guides.hints import Hints
from voxloop.guides.objects import WAYS, Way
from voxloop.model import resolve
from voxloop.store.copying import Copying
from voxloop.store.drawing import rounded
from voxloop.store.edit import Edit
from voxloop.store.planes import Plane
from voxloop.store.shaping import Mode, checked_mode
from voxloop.store.strokes import PlaneMask, as_points
from voxloop.store.values import whole

#: workspace, fields -> answer; answer -> masks
_ASK, _UNPACK = "voxloop.helper.pointing:ask_here", "voxloop.helper.pointing:unpacked"
#: (index of the plane, (row, column) of the corner, bool (rows, columns)) of each slice
Slices = Sequence[tuple[int, tuple[int, int], np.ndarray]]


@dataclass(frozen=True, slots=True)
class FoundObject:
    """An object that was found and is not painted yet: the verb, its arguments, and its masks on planes across axis."""

    tool: str
    arguments: dict[str, Any]
    axis: str
    slices: Slices

    @property
    def voxels(self) -> int:
        return sum(int(mask.sum()) for _, _, mask in self.slices)


class Guided(Copying):
    """Paints objects that hints point at."""

    @property
    @abstractmethod
    def image(self) -> str: ...
    @property
    @abstractmethod
    def path(self) -> Path: ...

    def prompt(
        self,
        *,
        axis: str = "z",
        index: int = 0,
        positive: object = (),
        negative: object = (),
        box: object = None,
        scribble: object = None,
        against: object = None,
        value: int | str = 1,
        slices: int = 0,
        by: Way | None = None,
        model: object = None,
        channel: int | str | None = None,
        mode: Mode = "add",
    ) -> Edit:
        """Paint the object that clicks, strokes or a box point at.

        Parameters
        ----------
        axis, index
            The plane.
        positive, negative
            Points (row, column) inside and outside of the object, in voxels of the plane's axes.
        box
            Two opposite corners around it.
        scribble, against
            Polylines of points inside and outside, or lists of several.
        value
            A class by value or name, or an instance number.
        slices
            Slices to either side into which the object is followed as far as it goes on there.
        by
            Who finds it: ``"live"`` (a classifier that learns from the labels as they are), ``"edges"`` of the picture,
            ``"walker"`` (a random walk over the picture), ``"grabcut"`` of OpenCV, ``"pair"`` (the networks of
            ``model``). None: the pair where one is given, else the live model where it says something there, else
            edges.
        model
            Encoder and decoder of the family of Segment Anything as ONNX files, or the folder that holds both.
        channel
            Of the image by number, or a channel of the workspace by name; None: the first of the image.
        mode
            As of :meth:`polygon`.

        Raises
        ------
        LabelError
            Nothing is pointed at, it lies outside, no such class, or two classes are not painted yet (``"live"``).
        ModelError
            The files are no pair that fits; the sentence names what is expected.

        Examples
        --------
        >>> labels = ws.labels()
        >>> labels.prompt(index=3, positive=[(45, 45)], value="cell", by="edges").voxels
        170
        >>> labels.prompt(index=3, box=[(6, 6), (27, 27)], value="cell", by="grabcut").voxels
        236
        """
        plane = self._plane(axis, index)
        if by is not None and (not isinstance(by, str) or by not in WAYS):
            raise LabelError(unknown("way", by, WAYS))
        if by == "pair" and model is None:
            raise LabelError("by='pair' needs the networks: model=('encoder.onnx', 'decoder.onnx')")
        hints = Hints.of(plane.size, positive, negative, box, scribble, against)
        fields: dict[str, Any] = {"hints": hints.to_json(), "by": by, "slices": whole("slices", slices, 0)}
        if model is not None:
            encoder, decoder = resolve("voxloop.guides.sam_pair:files_of")(model)
            fields["model"] = [str(encoder), str(decoder)]
        return self.put(self._find("prompt", plane, fields, channel), value=value, mode=mode)

    def grabcut(self, *, index: int = 0, value: int | str = 1, **how: Any) -> Edit:
        """Paint the object by GrabCut; as :meth:`prompt` with ``by="grabcut"``. A box around it works best."""
        return self.prompt(index=index, value=value, by="grabcut", **how)

    def random_walker(self, *, index: int = 0, value: int | str = 1, **how: Any) -> Edit:
        """Paint what a random walker ascribes to strokes inside; as :meth:`prompt` with ``by="walker"``."""
        return self.prompt(index=index, value=value, by="walker", **how)

    def scissors(
        self,
        *,
        axis: str = "z",
        index: int = 0,
        points: object,
        value: int | str = 1,
        channel: int | str | None = None,
        mode: Mode = "add",
    ) -> Edit:
        """Fill the outline that follows edges of the picture from anchor to anchor, and back to the first.

        Parameters
        ----------
        points
            At least three anchors (row, column) on the outline, in order.
        axis, index, value, channel, mode
            As of :meth:`prompt`.

        Raises
        ------
        LabelError
            Fewer anchors, anchors outside or further apart than 2048 voxels.

        Examples
        --------
        >>> ws.labels().scissors(index=3, points=[(7, 16), (16, 25), (25, 16), (16, 7)], value="cell").voxels
        191
        """
        plane = self._plane(axis, index)
        anchors = as_points(points)
        if len(anchors) < 3:
            raise LabelError(f"scissors need at least 3 anchors on the outline, not {len(anchors)}")
        fields = {"hints": {"inside": [rounded(anchors)]}, "by": "scissors"}
        return self.put(self._find("scissors", plane, fields, channel), value=value, mode=mode)

    def put(self, found: FoundObject, *, value: int | str = 1, mode: Mode = "add") -> Edit:
        """Paint an object that was found, exactly as it was found."""
        label, mode = self.paintable(value), checked_mode(mode)
        planes = [Plane(found.axis, index, self.shape, self.spacing_um) for index, _, _ in found.slices]
        masks = [
            plane.place(PlaneMask(origin, mask)) for plane, (_, origin, mask) in zip(planes, found.slices, strict=True)
        ]
        arguments = {**found.arguments, "value": label, **({} if mode == "add" else {"mode": mode})}
        everywhere = cover([plane.box() for plane in planes]) if planes else Box.whole((0, 0, 0))
        return self._by_mode(found.tool, arguments, masks, label, mode, everywhere)

    def _find(self, tool: str, plane: Plane, fields: dict[str, Any], channel: int | str | None) -> FoundObject:
        asked = {key: value for key, value in fields.items() if value is not None}
        if channel is not None:
            asked["channel"] = channel if isinstance(channel, str) else whole("channel", channel)
        where = {"axis": plane.axis, "index": plane.index}
        workspace = self.path.parents[2]
        answer = resolve(_ASK)(workspace, {"image": self.image, "level": self.level.name, **where, **asked})
        return FoundObject(tool, {**where, **asked, "by": answer["by"]}, plane.axis, resolve(_UNPACK)(answer))

    @property
    @abstractmethod
    def level(self) -> Any: ...
