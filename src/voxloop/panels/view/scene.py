"""What there is to see: the planes of a volume and the layers over them; answers requests with bytes. No widgets.

Several views may show one scene. Everything here may be called from any thread.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from voxloop.errors import AwayError
from voxloop.geometry import AXES
from voxloop.panels.view import frames
from voxloop.panels.view.frames import FrameRequest, Statistics
from voxloop.panels.view.layers import Layer
from voxloop.panels.view.planes import VolumePlanes

log = logging.getLogger("voxloop.panels")

#: planes of at most so many voxels are looked at whole for a contrast, larger ones in the middle
WHOLE_PLANE = 2 * 2**20
FrameAnswer = tuple[dict[str, Any], list[bytes]]

#: what says that a voxel is of a class, by the layer it says it in; other layers have their name in the words
_SAYS = {"labels": "label", "live": "overlay", "prediction": "prediction"}


class PlaneScene:
    """Planes, layers by name, and what is known of the intensities (None: nothing yet)."""

    def __init__(self, planes: VolumePlanes) -> None:
        self.planes = planes
        self.layers: dict[str, Layer] = {}
        self.statistics: list[Statistics] | None = None

    def look(self, axis: str, index: int) -> list[Statistics]:
        """Statistics of a plane, or of its middle where it is large: a first look must not read gigabytes."""
        rows, columns = self.planes.geometry(axis).shape
        if rows * columns <= WHOLE_PLANE:
            box = (0, 0, rows, columns)
        else:
            height, width = min(rows, 1024), min(columns, 1024)
            top, left = (rows - height) // 2, (columns - width) // 2
            box = (top, left, top + height, left + width)
        self.statistics = frames.statistics(self.planes.read(axis, index, box))
        return self.statistics

    def frame(self, request: FrameRequest, limits: Sequence[Any], channels: Sequence[int]) -> FrameAnswer:
        """Message and buffers for a request.

        ``limits`` are those of the channels. A plane that cannot be read gives an answer that says so: another one may
        be readable.
        """
        buffers: list[bytes] = []
        answer: dict[str, Any] = {
            "kind": "frame",
            "view": request.view,
            "number": request.number,
            "axis": request.axis,
            "index": request.index,
            "picture": None,
            "layers": [],
        }
        try:
            if request.picture:
                answer["picture"] = self._picture(request, limits, channels, buffers)
            layers = [self.layers[name] for name in request.layers if name in self.layers]
            answer["layers"] = [self._layer(request, layer, buffers) for layer in layers]
        except Exception as error:
            away = isinstance(error, AwayError)  # it may come: the page asks again
            log.error("plane %s %s cannot be shown", request.axis, request.index, exc_info=None if away else error)
            words = str(error) if away else f"This plane cannot be read: {error}"
            return {**answer, "picture": None, "layers": [], "error": words, "again": away}, []
        return answer, buffers

    def _picture(
        self, request: FrameRequest, limits: Sequence[Any], channels: Sequence[int], buffers: list[bytes]
    ) -> dict[str, Any]:
        scale = self.planes.scale_for(request.axis, request.pixel_um)
        plane = self.planes.geometry(request.axis, scale)
        box, index = plane.cover(request.box), plane.plane_of(request.index)
        voxels = self.planes.read(request.axis, index, box, scale)
        picture = frames.compose(voxels, limits, channels)
        quality = frames.FINE_QUALITY if request.fine else frames.JPEG_QUALITY
        buffers.append(frames.encode_picture(picture, quality))
        return {
            "buffer": len(buffers) - 1,
            "box": plane.outer(box),
            "gray": picture.ndim == 2,
            "look": [[channel, *limits[channel]] for channel in channels],
        }

    def _layer(self, request: FrameRequest, layer: Layer, buffers: list[bytes]) -> dict[str, Any]:
        plane = self.planes.geometry(request.axis)
        rows_um, columns_um = (self.planes.spacing_um[i] for i, name in enumerate(AXES) if name != request.axis)
        step = request.pixel_um / rows_um, request.pixel_um / columns_um
        patch = layer.read(request.axis, request.index, plane.cover(request.box), step)
        if not patch.indices.any():  # nothing here: one clear cell says so
            patch = replace(patch, indices=patch.indices[:1, :1], alpha=None)
        rows, columns = patch.indices.shape
        buffers.append(frames.encode_indices(patch.indices))
        answer = {
            "id": layer.id,
            "rows": rows,
            "columns": columns,
            "box": patch.box,
            "sequence": patch.sequence,
            "buffer": len(buffers) - 1,
            "alpha_buffer": None,
        }
        if patch.alpha is not None:
            buffers.append(frames.encode_indices(patch.alpha))
            answer["alpha_buffer"] = len(buffers) - 1
        return answer

    def probe(self, message: dict[str, Any], visible: Sequence[str]) -> FrameAnswer:
        """Value, labels and place of one voxel, for a message with ``axis``, ``index``, ``row`` and ``column``."""
        axis, index, row, column = message["axis"], message["index"], message["row"], message["column"]
        place = [row, column]
        place.insert(AXES.index(axis), index)
        point = (place[0], place[1], place[2])
        voxel = self.planes.read(axis, index, (row, column, row + 1, column + 1))[:, 0, 0]
        form = "g" if voxel.dtype.kind == "f" else ""
        value = ", ".join(format(channel, form) for channel in voxel.tolist())
        found = [(name, self.layers[name].describe(point)) for name in visible if name in self.layers]
        said = [{**one, "of": _SAYS.get(name, "")} for name, one in found if one]
        um = [at * step for at, step in zip(point, self.planes.spacing_um, strict=True)]
        return {
            "kind": "probe",
            "view": message["view"],
            "value": value,
            "labels": said,
            "point": list(point),
            "point_um": um,
        }, []
