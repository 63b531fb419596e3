"""What the benchmark runs on: samples by name, and any folder or file with an image and its mask. Trains nothing."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from voxloop.errors import VolumeError, unknown
from voxloop.geometry import Spacing
from voxloop.volumes import open_volume, samples, spacing_of

#: more values than this in a mask are numbers of objects
_MOST_CLASSES = 16
#: share of a mask of objects that is 0 where they stand apart; below, their walls are what is looked for
_APART = 0.05
_MASK_WORDS = re.compile(r"mask|label|truth|seg|annotation|mitochondria$", re.IGNORECASE)
_SUFFIXES = {".tif", ".tiff", ".png", ".npy", ".h5", ".hdf5", ".mrc", ".nii", ".gz", ".zarr"}
_PICTURES = 6


@dataclass(frozen=True, kw_only=True, eq=False)
class Stack:
    """A volume with its truth.

    Attributes
    ----------
    image : (z, y, x) intensities.
    truth : (z, y, x) uint8, class values from 1; 0 where nobody knows.
    classes : as ``Workspace.create`` takes them, in the order of the values.
    frames : planes are pictures of their own.
    """

    name: str
    image: np.ndarray
    truth: np.ndarray
    classes: tuple[dict[str, object], ...]
    spacing_um: Spacing
    frames: bool = False

    def cropped(self, voxels: int) -> Stack:
        """The middle, with at most about so many voxels; never fewer than eight planes, nor 128 pixels a side."""
        shape = self.image.shape
        if self.image.size <= voxels:
            return self
        share = (voxels / self.image.size) ** (1 / 3)
        depth = min(shape[0], max(8, round(share * shape[0])))
        side = max(128, int((voxels / depth) ** 0.5))
        part = tuple(
            slice((n - min(n, size)) // 2, (n - min(n, size)) // 2 + min(n, size))
            for n, size in zip(shape, (depth, side, side), strict=True)
        )
        return replace(self, image=self.image[part], truth=self.truth[part])


def names() -> list[str]:
    """What :func:`load_stack` takes without a path: made-up samples, then what the folder ``VOXLOOP_DATA`` holds."""
    folder = os.environ.get("VOXLOOP_DATA")
    real = sorted(path.name for path in Path(folder).iterdir() if path.is_dir()) if folder else []
    return [name for name in samples.list() if name in ("em", "nuclei")] + real


def load_stack(name: str, seed: int = 0) -> Stack:
    """A stack by name or path.

    Parameters
    ----------
    name
        A made-up sample, a folder in ``VOXLOOP_DATA``, or a path: a folder with an image and its mask (``image.tif``
        beside ``mask.tif``, pairs such as ``a.png`` and ``a_mask.png``, folders ``images/`` and ``labels/``), or an
        HDF5 file with ``raw`` and ``label``.
    seed
        Of a made-up sample; of a collection, with which pictures to begin.

    Raises
    ------
    VolumeError
        There is no such stack, or image and mask cannot be told from each other.
    """
    if name in ("em", "nuclei"):
        return _sample(name, seed)
    folder = Path(os.environ.get("VOXLOOP_DATA", "")) / name
    place = folder if os.environ.get("VOXLOOP_DATA") and folder.exists() else Path(name).expanduser()
    if not place.exists():
        raise VolumeError(f"{unknown('stack', name, names())}; or name a folder that holds an image and its mask")
    if name in samples.list() and place == folder:
        return _sample(name, seed) if name != "fluo_nuclei_2d" else _from_folder(place, name, seed)
    return _from_folder(place, place.name, seed)


def _sample(name: str, seed: int) -> Stack:
    sample = samples.load(name, seed)
    truth = np.asarray(sample.truth)
    if sample.kind == "instances":
        return _stack(name, np.asarray(sample.volume), truth, spacing_of(sample.volume))
    classes = tuple({"name": info.name, "background": info.background} for info in sample.classes)
    image = np.asarray(sample.volume)
    return Stack(
        name=name, image=image, truth=truth.astype(np.uint8), classes=classes, spacing_um=spacing_of(sample.volume)
    )


def _from_folder(place: Path, name: str, seed: int) -> Stack:
    pairs = list(_pairs(place))
    if not pairs:
        raise VolumeError(
            f"{place} holds no image beside its mask; use image.tif and mask.tif, a.png and a_mask.png, the folders "
            "images/ and labels/, or an HDF5 file with raw and label"
        )
    spacing = _stated_spacing(place)
    if len(pairs) == 1:
        image, mask, spacing_found = _read(*pairs[0])
        return _stack(name, image, mask, spacing or spacing_found)
    chosen = [pairs[(seed * _PICTURES + at) % len(pairs)] for at in range(min(_PICTURES, len(pairs)))]
    planes = [_read(*pair) for pair in chosen]
    height, width = (min(image.shape[axis] for image, _, _ in planes) for axis in (1, 2))
    images = np.concatenate([_middle(image, height, width) for image, _, _ in planes])
    masks = np.concatenate([_middle(mask, height, width) for _, mask, _ in planes])
    return replace(_stack(name, images, masks, spacing or planes[0][2]), frames=True)


def _middle(stack: np.ndarray, height: int, width: int) -> np.ndarray:
    top, left = (stack.shape[1] - height) // 2, (stack.shape[2] - width) // 2
    return stack[:, top : top + height, left : left + width]


def _pairs(place: Path) -> Iterator[tuple[Path, list[Path] | None]]:
    """Images and their masks; None: in the same file."""
    if place.is_file():
        yield place, None
        return
    files = sorted(path for path in place.iterdir() if path.suffix.lower() in _SUFFIXES)
    images, labels = (
        place / "images",
        next((place / one for one in ("labels", "masks") if (place / one).is_dir()), None),
    )
    if images.is_dir() and labels is not None:
        masks = {path.stem: path for path in labels.iterdir() if path.suffix.lower() in _SUFFIXES}
        for path in sorted(images.iterdir()):
            if path.stem in masks:
                yield path, [masks[path.stem]]
        return
    hdf5 = [path for path in files if path.suffix in (".h5", ".hdf5")]
    if hdf5:
        yield hdf5[0], None
        return
    masks_there = [path for path in files if _MASK_WORDS.search(path.stem)]
    rest = [path for path in files if path not in masks_there and "marker" not in path.stem]
    if len(rest) == 1 and masks_there:
        yield rest[0], masks_there
        return
    for path in rest:
        own = [mask for mask in masks_there if mask.stem.startswith(path.stem)]
        if own:
            yield path, own


def _read(image: Path, masks: list[Path] | None) -> tuple[np.ndarray, np.ndarray, Spacing]:
    """Image and mask (z, y, x), and the voxel size."""
    if masks is None:
        volume = open_volume(image, dataset="raw")
        mask = open_volume(image, dataset=_label_dataset(image))
        return _gray(volume), np.asarray(mask), spacing_of(volume)
    volume = open_volume(image)
    if len(masks) == 1:
        return _gray(volume), _flat(np.asarray(open_volume(masks[0]))), spacing_of(volume)
    # one mask for each class
    merged = np.zeros(volume.shape[-3:], np.uint8)
    for value, path in enumerate(masks, start=1):
        merged[np.asarray(open_volume(path)).reshape(merged.shape) > 127] = value
    return _gray(volume), merged, spacing_of(volume)


def _label_dataset(path: Path) -> str:
    import h5py

    with h5py.File(path) as file:
        return next((name for name in ("label", "labels", "mask", "truth") if name in file), "label")


def _gray(volume: object) -> np.ndarray:
    """Channels as one: the brightest."""
    array = np.asarray(volume)
    return array if array.ndim == 3 else array[:3].max(axis=0)


def _flat(mask: np.ndarray) -> np.ndarray:
    """A mask of colours as numbers: one for each colour, in the order of the bytes."""
    if mask.ndim == 3:
        return mask
    bits = np.stack([channel > 127 for channel in mask[:3]]).astype(np.int64)
    return np.asarray(bits[0] * 4 + bits[1] * 2 + bits[2]) + 1


def _stack(name: str, image: np.ndarray, mask: np.ndarray, spacing_um: Spacing) -> Stack:
    """A stack from a mask of a few classes, of colours, or of numbered objects."""
    if image.shape != mask.shape:
        raise VolumeError(f"{name}: the image has shape {image.shape}, its mask {mask.shape}; they must be the same")
    values = np.unique(mask)
    if len(values) > _MOST_CLASSES or ((mask == 0).any() and len(values) > 4 and mask.dtype.itemsize > 1):
        apart = float((mask == 0).mean()) > _APART
        inside, word = (mask > 0, "objects") if apart else (walls_between(mask), "walls")
        truth, found = np.where(inside, 2, 1), ["background", word]
    else:
        truth = np.searchsorted(values, mask) + 1
        first = "background" if values[0] == 0 else f"class {values[0]}"
        found = [first, *(f"class {value}" for value in values[1:])]
    classes = tuple({"name": one, "background": one == "background"} for one in found)
    return Stack(name=name, image=image, truth=truth.astype(np.uint8), classes=classes, spacing_um=spacing_um)


def walls_between(objects: np.ndarray) -> np.ndarray:
    """Voxels (bool) that touch another object: two voxels thick between each two."""
    walls = np.zeros(objects.shape, bool)
    for axis in range(objects.ndim):
        apart = np.diff(objects.astype(np.int64), axis=axis) != 0
        before: list[slice] = [slice(None)] * objects.ndim
        after = list(before)
        before[axis], after[axis] = slice(0, -1), slice(1, None)
        walls[tuple(before)] |= apart
        walls[tuple(after)] |= apart
    return walls


def _stated_spacing(place: Path) -> Spacing | None:
    """Voxel size from a ``meta.json`` beside the data."""
    try:
        numbers = json.loads((place / "meta.json").read_text())["voxel_size_nm_zyx"]
        z, y, x = (float(number) / 1000 for number in numbers)
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return z, y, x
