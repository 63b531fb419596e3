"""Labels painted in ilastik, from its project files: sparse blocks with names. Knows no voxels but these."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from voxloop.errors import LabelError, unknown
from voxloop.geometry import Box
from voxloop.store.mask_values import Values, table_for
from voxloop.store.outlines import fill_drawn

if TYPE_CHECKING:
    import h5py

    from voxloop.store.edit import Edit
    from voxloop.store.label_contract import OpenLabels

_SETS, _NAMES = "PixelClassification/LabelSets", "PixelClassification/LabelNames"
_LANES = "Input Data/infos"


def is_project(source: Any) -> bool:
    """Whether a source is a project of ilastik, by its name."""
    return isinstance(source, str | Path) and str(source).lower().endswith(".ilp")


def load(labels: OpenLabels, path: Path, values: Values | None, *, overwrite: bool, dataset: str | None = None) -> Edit:
    """Bring in the labels of one lane of a project as one edit; what nobody painted stays as it is.

    ``dataset`` names the lane; not given, it is the only one with labels, or the one whose file is the image's. Classes
    are found by their names, or by ``values``. Raises LabelError.
    """
    import h5py

    try:
        with h5py.File(path, "r") as file:
            lane = _lane(file, labels, dataset, path)
            names = _names(file)
            frames, timepoint = labels.facts().frames, labels.facts().timepoint or 0
            blocks = list(_blocks(file, lane, frames=frames, timepoint=timepoint))
    except OSError as error:
        raise LabelError(f"{path} is no project of ilastik that can be read ({error})") from error
    except (KeyError, ValueError, TypeError, IndexError) as error:
        if isinstance(error, LabelError):
            raise
        raise LabelError(f"{path} holds labels that are not as they should be ({error!r})") from error
    present = sorted({int(value) for _, block in blocks for value in np.unique(block[block > 0])})
    if not present:
        raise LabelError(f"{path} holds no labels for {lane}")
    outside = [box for box, _ in blocks if not Box.whole(labels.shape).covers(box)]
    if outside:
        raise LabelError(f"{path} has labels at {outside[0]}, the image has {labels.shape} voxels; is it another's?")
    table = table_for(labels, present, "unlabelled", values, names)
    drawn = []
    for box, block in blocks:
        for value in np.unique(block[block > 0]):
            for offset, plane in enumerate(block == value):
                if plane.any():
                    z, y, x = box.start
                    at = Box.at((z + offset, y, x), (1, *plane.shape))
                    drawn.append((at, plane[None], table.pairs[int(value)]))
    return fill_drawn(labels, drawn, overwrite, {"source": str(path), "lane": lane, "values": table.to_json()})


def _lane(file: h5py.File, labels: OpenLabels, dataset: str | None, path: Path) -> str:
    """The name of the group of label blocks that is meant."""
    if _SETS not in file:
        raise LabelError(
            f"{path} holds no labels of pixel classification; save the labels of other workflows as a mask"
        )
    with_labels: dict[str, str] = {str(name): _file_of(file, name) for name, group in file[_SETS].items() if len(group)}
    if dataset is not None:
        if dataset not in with_labels:
            raise LabelError(f"{unknown('dataset', dataset, with_labels)} in {path}")
        return dataset
    source = labels.facts().source
    own = Path(source).name if isinstance(source, str) else None
    alike = [name for name, given in with_labels.items() if own is not None and _file_name(given) == own]
    if len(alike) == 1:
        return alike[0]
    if len(with_labels) == 1:
        return next(iter(with_labels))
    listed = "; ".join(f"{name!r} ({given})" for name, given in with_labels.items()) or "none"
    raise LabelError(f"{path} holds labels of several images; name one with dataset=: {listed}")


def _info(file: h5py.File, lane: str) -> Any:
    """What the project notes of the raw data of a group of labels, which are numbered alike."""
    number = int(re.sub(r"\D", "", lane) or 0)
    return file.get(f"{_LANES}/lane{number:04d}/Raw Data")


def _file_of(file: h5py.File, lane: str) -> str:
    info = _info(file, lane)
    return _text(info["filePath"][()]) if info is not None and "filePath" in info else ""


def _file_name(given: str) -> str:
    """The file in ``folder/stack.h5/volume/data``, of whichever system."""
    plain = given.replace("\\", "/")
    inside = re.match(r"(.*\.(?:h5|hdf5|ilp|n5|zarr))(?:/.*)?$", plain, re.IGNORECASE)
    return (inside[1] if inside else plain).rsplit("/", 1)[-1]


def _names(file: h5py.File) -> dict[int, str]:
    if _NAMES not in file:
        return {}
    return {number: _text(name) for number, name in enumerate(np.asarray(file[_NAMES]).reshape(-1), 1)}


def _blocks(file: h5py.File, lane: str, *, frames: bool, timepoint: int) -> Iterator[tuple[Box, np.ndarray]]:
    """Boxes and labels (z, y, x) of what was painted."""
    info = _info(file, lane)
    for data in file[_SETS][lane].values():
        given = data.attrs.get("axistags")
        if given is None and info is not None and "axistags" in info:
            given = info["axistags"][()]
        keys = [str(axis["key"]) for axis in json.loads(_text(given))["axes"]] if given is not None else []
        if len(keys) != data.ndim:
            keys = list({2: "yx", 3: "zyx", 4: "zyxc", 5: "tzyxc"}[data.ndim])
        pairs = re.findall(r"(\d+):(\d+)", _text(data.attrs["blockSlice"]))
        starts = dict(zip(keys, (int(start) for start, _ in pairs), strict=True))
        yield from _as_planes(np.asarray(data), keys, starts, frames=frames, timepoint=timepoint)


def _as_planes(
    block: np.ndarray, keys: list[str], starts: Mapping[str, int], *, frames: bool, timepoint: int
) -> Iterator[tuple[Box, np.ndarray]]:
    depth = "t" if frames and "t" in keys and "z" not in keys else "z"
    if frames and "t" in keys and "z" in keys and block.shape[keys.index("z")] == 1 and starts["z"] == 0:
        depth = "t"
    index: list[Any] = []
    for key in keys:
        if key in (depth, "y", "x"):
            index.append(slice(None))
        elif key == "t":
            at = timepoint - starts["t"]
            if not 0 <= at < block.shape[keys.index("t")]:
                return  # of another time point
            index.append(at)
        else:
            index.append(0)
    kept = [key for key in keys if key in (depth, "y", "x")]
    part = block[tuple(index)]
    order = [kept.index(key) for key in (depth, "y", "x") if key in kept]
    part = part.transpose(order)
    if depth not in kept:
        part = part[None]
    start = (starts.get(depth, 0), starts["y"], starts["x"])
    z, y, x = (int(size) for size in part.shape)
    yield Box.at(start, (z, y, x)), part


def _text(value: Any) -> str:
    if isinstance(value, np.ndarray):
        value = value.item() if value.ndim == 0 else value.reshape(-1)[0]
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)
