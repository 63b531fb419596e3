"""Small stacks with known truth for benchmarks of the loop: made-up EM, and crops of those in ``VOXLOOP_DATA``."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from voxloop.geometry import Spacing


@dataclass(frozen=True, kw_only=True, eq=False)
class Stack:
    """A volume with its truth.

    Attributes
    ----------
    name : of the stack.
    image : (z, y, x) intensities.
    truth : (z, y, x) uint8; 1 is background where there is one, 0 nobody knows.
    classes : names, in the order of the values from 1.
    background : whether class 1 is one that does not count.
    frames : planes are pictures of their own.
    judged : planes on which answers are compared with the truth; neighbours where filters go through the stack.
    """

    name: str
    image: np.ndarray
    truth: np.ndarray
    spacing_um: Spacing
    classes: tuple[str, ...]
    background: bool = True
    frames: bool = False
    judged: tuple[int, ...]


def stacks(names: list[str] | None = None) -> list[Stack]:
    """The stacks of these names, or all: those that need real data only where ``VOXLOOP_DATA`` names it."""
    there = dict(MADE_UP)
    if os.environ.get("VOXLOOP_DATA"):
        there |= REAL
    return [load() for name, load in there.items() if names is None or name in names]


def _em() -> Stack:
    from voxloop.volumes import samples

    sample = samples.load("em")
    part = (slice(8, 40), slice(0, 224), slice(0, 224))
    return Stack(
        name="em",
        image=np.asarray(sample.volume)[part],
        truth=np.asarray(sample.truth)[part],
        spacing_um=(0.04, 0.008, 0.008),
        classes=("background", "mitochondria", "membrane"),
        judged=(5, 12, 19, 26),
    )


def _mitochondria() -> Stack:
    folder = _data("fibsem_mitochondria")
    part = (slice(4, 28), slice(128, 384), slice(192, 448))
    return Stack(
        name="fibsem_mitochondria",
        image=_tiff(folder / "raw.tif")[part],
        truth=_mask(_tiff(folder / "mitochondria.tif")[part] > 0),
        spacing_um=(0.005, 0.005, 0.005),
        classes=("background", "mitochondria"),
        judged=(8, 9, 10, 11, 12, 13),
    )


def _embryo() -> Stack:
    folder = _data("embryo_nuclei_3d")
    return Stack(
        name="embryo_nuclei_3d",
        image=_tiff(folder / "raw.tif"),
        truth=_mask(_tiff(folder / "nuclei_mask.tif") > 0),
        spacing_um=(1.75, 0.8, 0.8),
        classes=("background", "nuclei"),
        judged=tuple(range(2, 51, 4)),
    )


def _ovule() -> Stack:
    image, labels = _hdf5(_data("ovule_nuclei_3d") / "1135_mini.h5")
    return Stack(
        name="ovule_nuclei_3d",
        image=image[20:80],
        truth=_mask(labels[20:80] > 0),
        spacing_um=(0.2837, 0.1268, 0.1268),
        classes=("background", "nuclei"),
        judged=tuple(range(2, 60, 5)),
    )


def _walls() -> Stack:
    image, cells = _hdf5(_data("ovule_walls_3d") / "sample_ovule.h5")
    walls = np.zeros(cells.shape, bool)
    for axis in range(3):
        apart = np.diff(cells.astype(int), axis=axis) != 0
        before, after = [slice(None)] * 3, [slice(None)] * 3
        before[axis], after[axis] = slice(0, -1), slice(1, None)
        walls[tuple(before)] |= apart
        walls[tuple(after)] |= apart
    return Stack(
        name="ovule_walls_3d",
        image=image,
        truth=_mask(walls),
        spacing_um=(0.235, 0.15, 0.15),
        classes=("background", "walls"),
        judged=tuple(range(10, 22)),
    )


def _axons() -> Stack:
    folder = _data("axon_sem")
    name = "sub-rat3_sample-data9_SEM"
    part = (slice(100, 612), slice(100, 612))
    truth = np.ones((512, 512), np.uint8)
    truth[_png(folder / f"{name}_seg-myelin-manual.png")[part] > 127] = 3
    truth[_png(folder / f"{name}_seg-axon-manual.png")[part] > 127] = 2
    return Stack(
        name="axon_sem",
        image=_png(folder / f"{name}.png")[part][None],
        truth=truth[None],
        spacing_um=(0.1, 0.1, 0.1),
        classes=("background", "axon", "myelin"),
        judged=(0,),
    )


def _fluorescence() -> Stack:
    folder = _data("fluo_nuclei_2d")
    names = sorted(path.stem for path in (folder / "images").glob("*.png"))
    pairs = [(_png(folder / "images" / f"{name}.png"), _tiff(folder / "labels" / f"{name}.tif")) for name in names]
    alike = [pair for pair in pairs if pair[0].shape[:2] == (256, 256)][:24:4]
    return Stack(
        name="fluo_nuclei_2d",
        image=np.stack([image[..., :3].max(axis=-1) for image, _ in alike]),
        truth=_mask(np.stack([labels for _, labels in alike]) > 0),
        spacing_um=(1.0, 1.0, 1.0),
        classes=("background", "nuclei"),
        frames=True,
        judged=tuple(range(6)),
    )


def _sandstone() -> Stack:
    folder = _data("sandstone_xrm")
    part = (slice(300, 620), slice(300, 620))
    images, truths = [], []
    for number in range(5):
        stem = folder / f"Sandstone_Versa0{number}00"
        images.append(_tiff(stem.with_suffix(".tif"))[part])
        red, green, blue = (_tiff(stem.with_name(f"{stem.name}_mask_rgb.tif"))[part] > 127).transpose(2, 0, 1)
        truths.append(np.select([red & green, red, green, blue], [4, 1, 2, 3], 0))
    return Stack(
        name="sandstone_xrm",
        image=np.stack(images),
        truth=np.stack(truths).astype(np.uint8),
        spacing_um=(2.2314, 2.2314, 2.2314),
        classes=("red", "green", "blue", "yellow"),
        background=False,
        frames=True,
        judged=tuple(range(5)),
    )


def _pores() -> Stack:
    folder = _data("sieve_plate")
    part = (slice(150, 662), slice(250, 762))
    return Stack(
        name="sieve_plate",
        image=_tiff(folder / "plateImage2D.tif")[part][None],
        truth=_mask(_tiff(folder / "plateLabel2D.tif")[part] > 0)[None],
        spacing_um=(1.0, 1.0, 1.0),
        classes=("background", "pore"),
        judged=(0,),
    )


MADE_UP: dict[str, Callable[[], Stack]] = {"em": _em}
REAL: dict[str, Callable[[], Stack]] = {
    "fibsem_mitochondria": _mitochondria,
    "embryo_nuclei_3d": _embryo,
    "ovule_nuclei_3d": _ovule,
    "ovule_walls_3d": _walls,
    "axon_sem": _axons,
    "fluo_nuclei_2d": _fluorescence,
    "sandstone_xrm": _sandstone,
    "sieve_plate": _pores,
}


def _data(name: str) -> Path:
    return Path(os.environ["VOXLOOP_DATA"]) / name


def _mask(mask: np.ndarray) -> np.ndarray:
    return np.where(mask, 2, 1).astype(np.uint8)


def _tiff(path: Path) -> np.ndarray:
    import tifffile

    return np.asarray(tifffile.imread(path))


def _png(path: Path) -> np.ndarray:
    import imageio.v3 as iio

    return np.asarray(iio.imread(path))


def _hdf5(path: Path) -> tuple[np.ndarray, np.ndarray]:
    import h5py

    with h5py.File(path) as file:
        return file["raw"][:], file["label"][:]
