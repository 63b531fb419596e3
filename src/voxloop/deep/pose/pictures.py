"""Labelled frames and volumes: their grays, and what lies where in them. Reads through the store; knows no network."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from voxloop.errors import LabelError
from voxloop.geometry import Box
from voxloop.machine import machine
from voxloop.volumes.exposure import Exposure, are_alike, common_exposure, percentiles

#: pictures up to so many pixels are kept whole in memory
_WHOLE = 16_000_000
#: share of the memory of the machine for pictures that were read
_SHARE = 0.1
#: of larger pictures the middle is measured, pixels a side
_MEASURED = 1024


@dataclass(frozen=True, slots=True, eq=False)
class Placed:
    """What is labelled in a picture.

    Attributes
    ----------
    at
        (instance, channel, axis) pixels, yx or zyx, NaN where nothing is placed. Channels are nodes, or classes.
    extents
        (instance, axis) half the sides of boxes, pixels; None for points.
    """

    at: np.ndarray
    extents: np.ndarray | None = None

    def __len__(self) -> int:
        return len(self.at)

    def middles(self, anchor: int | None = None) -> np.ndarray:
        """(instance, axis): one place for each, its anchor where that is placed, else the middle of what is."""
        if not len(self.at):
            return np.zeros((0, self.at.shape[2]))
        middle: np.ndarray = np.nanmean(self.at, axis=1)
        if anchor is None:
            return middle
        own = self.at[:, anchor]
        return np.where(np.isnan(own), middle, own)


@dataclass(frozen=True, slots=True, eq=False)
class AlbumPicture:
    """One frame, or one volume.

    Attributes
    ----------
    name
        ``image#frame`` or ``image``.
    read
        Grays (c, *shape) of a box of it, any dtype.
    shape
        (y, x) or (z, y, x).
    """

    image: str
    frame: int | None
    shape: tuple[int, ...]
    read: Callable[[Box], np.ndarray]
    places: Placed

    @property
    def name(self) -> str:
        return self.image if self.frame is None else f"{self.image}#{self.frame}"

    @property
    def whole(self) -> bool:
        """Whether it is read in one piece."""
        return int(np.prod(self.shape)) <= _WHOLE

    def grays(self, low: Sequence[int], high: Sequence[int]) -> np.ndarray:
        """Grays (c, *shape) from ``low`` to ``high`` in its own axes."""
        if self.frame is None:
            return self.read(Box(tuple(low), tuple(high)))  # type: ignore[arg-type]
        box = Box((self.frame, low[0], low[1]), (self.frame + 1, high[0], high[1]))
        return self.read(box)[:, 0]


def nothing(axes: int) -> Placed:
    """No labels: of a picture that is only looked at."""
    return Placed(np.zeros((0, 1, axes)))


def pictures_of(frames: np.ndarray) -> list[AlbumPicture]:
    """Frames (n, c, y, x) in memory as pictures without labels."""

    def read(frame: np.ndarray, box: Box) -> np.ndarray:
        return np.asarray(frame[(slice(None), None, *box.slices[1:])])

    return [
        AlbumPicture("frames", number, frame.shape[1:], partial(read, frame), nothing(2))
        for number, frame in enumerate(np.asarray(frames))
    ]


@dataclass(frozen=True, slots=True, eq=False)
class Album:
    """All labelled pictures of a training, and what they have in common."""

    pictures: tuple[AlbumPicture, ...]
    channels: int
    spacing_um: tuple[float, float, float]
    names: tuple[str, ...]  # of the channels of places: nodes, or classes
    colors: tuple[str, ...]
    edges: tuple[tuple[int, int], ...] = ()
    mirrored: tuple[int, ...] = ()
    symmetric: tuple[tuple[str, str], ...] = ()
    kind: str = "points"

    @property
    def axes(self) -> int:
        return len(self.pictures[0].shape)

    @property
    def boxes(self) -> bool:
        return self.kind == "boxes"


class Reader:
    """Grays of pictures, normalised; those that were read whole stay in memory as long as there is room."""

    def __init__(
        self, mean: Sequence[float], std: Sequence[float], exposure: Mapping[str, Sequence[float]] | None = None
    ) -> None:
        self._mean, self._std = np.asarray(mean, np.float32), np.asarray(std, np.float32)
        self._exposure = exposure
        self._scales: dict[str, tuple[np.ndarray, np.ndarray]] = {}
        self._kept: OrderedDict[str, np.ndarray] = OrderedDict()
        self._room = int(machine().memory_bytes * _SHARE)
        self._lock = threading.Lock()

    @classmethod
    def of(cls, settled: Mapping[str, Any]) -> Reader:
        """From what :func:`settle_grays` says."""
        return cls(settled["mean"], settled["std"], settled.get("exposure"))

    @property
    def channels(self) -> int:
        return len(self._mean)

    def read(self, picture: AlbumPicture, low: Sequence[int], high: Sequence[int]) -> np.ndarray:
        """Grays (c, *shape) float32 from ``low`` to ``high``, which lie within the picture."""
        if picture.whole:
            part = self._whole(picture)[(slice(None), *(slice(a, b) for a, b in zip(low, high, strict=True)))]
        else:
            part = picture.grays(low, high)
        extra = (1,) * (part.ndim - 1)
        part = part.astype(np.float32)
        if self._exposure is not None:
            gain, offset = self._scale_of(picture)
            part = part * gain.reshape(-1, *extra) + offset.reshape(-1, *extra)
        normal = (part - self._mean.reshape(-1, *extra)) / self._std.reshape(-1, *extra)
        return np.ascontiguousarray(normal)

    def _scale_of(self, picture: AlbumPicture) -> tuple[np.ndarray, np.ndarray]:
        """Gain and offset (c,) that bring a picture to the common exposure."""
        if picture.name not in self._scales:
            assert self._exposure is not None
            self._scales[picture.name] = as_exposed(picture_exposure(picture), self._exposure)
        return self._scales[picture.name]

    def _whole(self, picture: AlbumPicture) -> np.ndarray:
        with self._lock:
            kept = self._kept.get(picture.name)
            if kept is not None:
                self._kept.move_to_end(picture.name)
                return kept
        grays = picture.grays([0] * len(picture.shape), picture.shape)
        with self._lock:
            self._kept[picture.name] = grays
            while sum(one.nbytes for one in self._kept.values()) > self._room and len(self._kept) > 1:
                self._kept.popitem(last=False)
        return grays


def settle_grays(pictures: Sequence[AlbumPicture], most: int = 48) -> dict[str, Any]:
    """How grays are normalised: ``mean`` and ``std`` of each channel, and ``exposure`` where pictures differ in it.

    Pictures that differ in how they were exposed are each brought to the same darkest and brightest; a few that are
    dim would else be all but black beside the others.
    """
    chosen = pictures[:: max(1, len(pictures) // most)][:most]
    exposure = None
    if len(chosen) > 1 and len(chosen[0].shape) == 2:
        exposures = [picture_exposure(picture) for picture in chosen]
        exposure = None if are_alike(exposures) else common_exposure(exposures)
    if exposure is None:
        mean, std = statistics(pictures)
        return {"mean": mean, "std": std}
    reader = Reader([0.0] * len(exposure["low"]), [1.0] * len(exposure["low"]), exposure)
    means, squares = [], []
    for picture in chosen:
        low, high = middle_of(picture)
        grays = reader.read(picture, low, high).astype(np.float64).reshape(reader.channels, -1)
        means.append(grays.mean(1))
        squares.append((grays**2).mean(1))
    mean = np.mean(means, axis=0)
    std = np.sqrt(np.maximum(np.mean(squares, axis=0) - mean**2, 1e-12))
    return {"mean": mean.tolist(), "std": std.tolist(), "exposure": exposure}


def middle_of(picture: AlbumPicture) -> tuple[list[int], list[int]]:
    """Where a picture is measured: all of it, or a part in its middle."""
    low, high = [0] * len(picture.shape), list(picture.shape)
    for axis, extent in enumerate(high):
        if extent > _MEASURED:
            low[axis], high[axis] = (extent - _MEASURED) // 2, (extent + _MEASURED) // 2
    return low, high


def picture_exposure(picture: AlbumPicture) -> Exposure:
    """Darkest and brightest of each channel of a picture."""
    grays = picture.grays(*middle_of(picture))
    low, high = percentiles(grays.reshape(len(grays), -1))
    return Exposure(low[:, None], high[:, None])


def as_exposed(own: Exposure, reference: Mapping[str, Sequence[float]]) -> tuple[np.ndarray, np.ndarray]:
    """Gain and offset (c,) that bring an exposure to another; a flat one stays as it is."""
    low, high, flat = own.low[:, 0], own.high[:, 0], own.flat[:, 0]
    wanted_low, wanted_high = np.asarray(reference["low"], float), np.asarray(reference["high"], float)
    gain = np.where(flat, 1.0, (wanted_high - wanted_low) / np.where(flat, 1.0, high - low))
    return gain.astype(np.float32), np.where(flat, 0.0, wanted_low - gain * low).astype(np.float32)


def statistics(pictures: Sequence[AlbumPicture], most: int = 24) -> tuple[list[float], list[float]]:
    """Mean and standard deviation of the grays of each channel, over some of the pictures."""
    chosen = pictures[:: max(1, len(pictures) // most)][:most]
    sums: Any = 0.0
    squares: Any = 0.0
    count = 0
    for picture in chosen:
        low, high = middle_of(picture)
        grays = picture.grays(low, high).astype(np.float64).reshape(-1, int(np.prod(np.subtract(high, low))))
        sums, squares, count = sums + grays.sum(1), squares + (grays**2).sum(1), count + grays.shape[1]
    mean = sums / count
    std = np.sqrt(np.maximum(squares / count - mean**2, 0))
    return mean.tolist(), np.maximum(std, 1e-6).tolist()


def open_album(workspace: Path, facts: Mapping[str, Any]) -> Album:
    """What ``facts`` of :func:`voxloop.store.mark_teaching.freeze_marks` mean.

    Raises
    ------
    LabelError
        Nothing is labelled, or images differ in channels.
    """
    from voxloop.store import Store
    from voxloop.store.workspace import open_marks
    from voxloop.volumes import channels_of

    level_name = facts["level"]
    pictures: list[AlbumPicture] = []
    channels: dict[str, int] = {}
    with Store.open(workspace, read_only=True) as store:
        level = store.levels[level_name]
        for key, sequence in facts["labels"].items():
            image = key.partition("/")[2]
            marks = open_marks(workspace, level_name, image, at=sequence)
            volume = store.images.open(image)
            channels[image] = channels_of(volume)
            spacing = marks.spacing_um
            pictures += _pictures(image, volume, marks, level)
    if not pictures:
        raise LabelError(f"nothing is labelled in level {level_name!r} yet; place a few first")
    if len(set(channels.values())) > 1:
        told = ", ".join(f"{name} {count}" for name, count in channels.items())
        raise LabelError(f"the images have different numbers of channels ({told}); learn from those alike")
    body = level.skeleton
    classes = level.classes
    pose = facts.get("as") == "pose"
    names = body.nodes if pose and body else tuple(item.name for item in classes) or (level_name,)
    return Album(
        pictures=tuple(pictures),
        channels=next(iter(channels.values())),
        spacing_um=spacing,
        names=tuple(names),
        colors=tuple(item.color for item in classes),
        edges=body.edge_indices if pose and body else (),
        mirrored=body.mirrored if pose and body else tuple(range(len(names))),
        symmetric=body.symmetric if pose and body else (),
        kind=level.kind,
    )


def _pictures(image: str, volume: Any, marks: Any, level: Any) -> list[AlbumPicture]:
    """The labelled pictures of one image."""
    from voxloop.volumes import read_block

    read = partial(read_block, volume)
    columns = marks.arrays(predicted=False)
    if not marks.framed:
        if not len(columns["id"]):
            return []
        return [AlbumPicture(image, None, tuple(marks.shape), read, _places(columns, slice(None), level))]
    plane = (int(marks.shape[1]), int(marks.shape[2]))
    return [
        AlbumPicture(image, frame, plane, read, _places(columns, columns["frame"] == frame, level))
        for frame in marks.labelled
    ]


def _places(columns: Mapping[str, np.ndarray], rows: Any, level: Any) -> Placed:
    """Instances of one picture, by node where there are several, else by class."""
    at = columns["points"][rows]
    if level.kind == "boxes":
        start, stop = at[:, 0], at[:, 1]
        middle = (start + stop) / 2
        return Placed(_by_class(middle, columns["label"][rows], level), np.abs(stop - start) / 2)
    if at.shape[1] == 1:
        return Placed(_by_class(at[:, 0], columns["label"][rows], level))
    return Placed(at)


def _by_class(middle: np.ndarray, labels: np.ndarray, level: Any) -> np.ndarray:
    """(instance, class, axis): each in the channel of its class; those without a class in the first."""
    values = [item.value for item in level.classes] or [0]
    out = np.full((len(middle), len(values), middle.shape[1]), np.nan)
    for row, value in enumerate(labels.tolist()):
        out[row, values.index(value) if value in values else 0] = middle[row]
    return out
