"""Points, boxes and classes of pictures of a workspace, by level and image. Knows no rules of its own."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np

from voxloop.errors import LabelError
from voxloop.geometry import Box
from voxloop.store.classes import Level
from voxloop.store.document import ImageInfo
from voxloop.store.points.box_labels import BoxLabels
from voxloop.store.points.mark_labels import MarkLabels
from voxloop.store.points.mark_setting import MarkSetting
from voxloop.store.points.picture_labels import PictureLabels
from voxloop.store.points.point_labels import PointLabels
from voxloop.store.points.state import MarkState
from voxloop.store.session import Session
from voxloop.store.skeleton import Skeleton

if TYPE_CHECKING:
    from xarray import DataArray

KINDS: dict[str, type[MarkLabels]] = {"points": PointLabels, "boxes": BoxLabels, "pictures": PictureLabels}


class Marks:
    """The views that one opening of a workspace has handed out; what they show is the session's."""

    def __init__(
        self,
        session: Session,
        refusal: Callable[[], str | None],
        reshape: Callable[[str, Skeleton], object],
        volume: Callable[[str], DataArray],
    ) -> None:
        self._volume = volume
        self._session = session
        self._refusal = refusal
        self._reshape = reshape
        self._views: dict[tuple[str, str], MarkLabels] = {}

    def view(self, level: Level, info: ImageInfo) -> MarkLabels:
        """The instances of one level on one image; the same object every time."""
        key, state = (level.folder, info.name), self._session.marks(level, info)
        view = self._views.get(key)
        if view is None or not view.shows(state):
            view = self._views[key] = self._made(level, info, state)
        return view

    def at(self, level: Level, info: ImageInfo, at: int | None) -> MarkLabels:
        """The instances after edit ``at``, or the newest, for nobody else; read-only."""
        return self._made(level, info, self._session.mark_state(level, info, at=at))

    def clear(self) -> None:
        """Hand out none of these any more."""
        self._views.clear()

    def _made(self, level: Level, info: ImageInfo, state: MarkState) -> MarkLabels:
        if level.kind not in KINDS:
            raise LabelError(f"level {level.name!r} is painted: ws.labels({level.name!r}) has it")
        session = self._session

        def now() -> ImageInfo:
            return next((one for one in session.document.images if one.name == info.name), info)

        setting = MarkSetting(
            image=info.name,
            shape=info.shape,
            framed=info.framed,
            spacing_um=lambda: now().spacing_um,
            level=lambda: session.by_folder(level.folder),
            refusal=self._refusal,
            source=lambda: _source(session, now()),
            plane=lambda frame: _shown_plane(self._volume(info.name), frame),
            reshape=lambda skeleton: self._reshape(session.by_folder(level.folder).name, skeleton),
        )
        return KINDS[level.kind](state, setting)


def _shown_plane(volume: DataArray, frame: int) -> np.ndarray:
    """A frame as other programs show it: 8-bit, (y, x) or of three channels (y, x, 3)."""
    from voxloop.volumes import read_block

    height, width = (int(n) for n in volume.shape[-2:])
    planes = read_block(volume, Box((frame, 0, 0), (frame + 1, height, width))).reshape(-1, height, width)
    planes = planes if len(planes) == 3 else planes[:1]
    if planes.dtype != np.uint8:
        low, high = np.nanpercentile(planes, [0.1, 99.9])
        planes = (np.clip((planes - low) / max(float(high - low), 1e-9), 0, 1) * 255).astype(np.uint8)
    return np.ascontiguousarray(np.moveaxis(planes, 0, -1) if len(planes) == 3 else planes[0])


def _source(session: Session, info: ImageInfo) -> str:
    """The file of an image, absolute where it lies in the workspace."""
    return str(session.path / info.source) if isinstance(info.source, str) else ""
