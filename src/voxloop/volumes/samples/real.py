"""Real, expert-labelled samples: checksums, where they are looked for, and how each becomes volume and truth."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any

import numpy as np

from voxloop.errors import VolumeError
from voxloop.geometry import Spacing
from voxloop.model import ClassInfo
from voxloop.volumes.opening import open_volume
from voxloop.volumes.samples.sample import Sample

BACKGROUND = ClassInfo(value=1, name="background", color="#56b4e9", background=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class RealSample:
    """Files of a real sample and how to read them; ``picture`` chooses in a collection."""

    about: str
    origin: str
    spacing_um: Spacing | None
    classes: tuple[ClassInfo, ...]
    kind: str
    read: Callable[[str, int], tuple[Any, Any]]


def load(name: str, picture: int = 0) -> Sample:
    """A real sample, every file checked against its sha256. Raises VolumeError where it cannot be had."""
    real = REAL[name]
    raw, truth = real.read(name, picture)
    volume = open_volume(raw, spacing=real.spacing_um)
    labels = open_volume(truth, spacing=real.spacing_um)
    volume.name = labels.name = name
    labels.attrs["kind"] = "labels"
    about = f"{real.about} {real.origin}"
    return Sample(name=name, volume=volume, truth=labels, about=about, classes=real.classes, kind=real.kind)


@cache
def registry() -> dict[str, str]:
    """sha256 of every file, by its path below the data folder."""
    lines = (files("voxloop.volumes.samples") / "registry.txt").read_text().splitlines()
    return {line.rsplit(" ", 1)[0]: line.rsplit(" ", 1)[1] for line in lines}


def fetch(file: str) -> Path:
    """A local copy of one file of :func:`registry`, its sha256 checked.

    Looked for in the folder ``VOXLOOP_DATA``, in the folder or behind the address ``VOXLOOP_MIRROR``, and in the cache
    of earlier downloads. Raises VolumeError where it is in none of them, or is damaged.
    """
    for variable in ("VOXLOOP_DATA", "VOXLOOP_MIRROR"):
        place = os.environ.get(variable)
        if place and "://" not in place and (Path(place).expanduser() / file).is_file():
            return _checked(Path(place).expanduser() / file, file)
    return _downloaded(file)


def _checked(path: Path, file: str) -> Path:
    import pooch

    if pooch.file_hash(str(path), alg="sha256") != registry()[file]:
        raise VolumeError(f"{path} is damaged or another version: its sha256 is not the one on record; copy it again")
    return path


def _downloaded(file: str) -> Path:
    import pooch

    mirror = os.environ.get("VOXLOOP_MIRROR", "")
    cache_folder = pooch.os_cache("voxloop")
    if "://" not in mirror:
        kept = Path(cache_folder) / file
        if kept.is_file():
            return _checked(kept, file)
        name = file.split("/", 1)[0]
        raise VolumeError(
            f"sample {name!r} is not on this machine, and no address is on record that serves these very files "
            f"({REAL[name].origin}); set VOXLOOP_DATA or VOXLOOP_MIRROR to a folder that holds {file}, or "
            "VOXLOOP_MIRROR to the address of one; the samples 'em' and 'nuclei' need neither"
        )
    downloads = pooch.create(path=cache_folder, base_url=mirror.rstrip("/") + "/", registry=registry())
    try:
        return Path(downloads.fetch(file))
    except Exception as error:  # requests, urllib and pooch each raise their own
        text = (str(error).splitlines() or [type(error).__name__])[0][:160]
        raise VolumeError(f"{file} cannot be fetched from the mirror {mirror} ({text}); is it reachable?") from error


def _volume(file: str, **options: Any) -> np.ndarray:
    return np.asarray(open_volume(fetch(file), **options).data.compute())


def _mitochondria(name: str, _: int) -> tuple[Any, Any]:
    mask = _volume(f"{name}/mitochondria.tif") > 127
    return _volume(f"{name}/raw.tif"), np.where(mask, 2, 1).astype(np.uint8)


def _embryo(name: str, _: int) -> tuple[Any, Any]:
    import cc3d

    mask = _volume(f"{name}/nuclei_mask.tif") > 127
    return _volume(f"{name}/raw.tif"), cc3d.connected_components(mask, connectivity=26).astype(np.uint16)


def _ovule(name: str, _: int) -> tuple[Any, Any]:
    file = f"{name}/1135_mini.h5"
    return _volume(file, dataset="raw"), _volume(file, dataset="label")


def _fluo(name: str, picture: int) -> tuple[Any, Any]:
    labels = sorted(file for file in registry() if file.startswith(f"{name}/labels/"))
    label = labels[picture % len(labels)]
    return _volume(label.replace("/labels/", "/images/").replace(".tif", ".png")), _volume(label)


def _axons(name: str, picture: int) -> tuple[Any, Any]:
    stems = sorted(
        file.removesuffix(".png") for file in registry() if file.startswith(name) and file.endswith("_SEM.png")
    )
    stem = stems[picture % len(stems)]
    truth = np.ones(_volume(f"{stem}.png").shape, np.uint8)
    for value, part in ((2, "axon"), (3, "myelin")):
        truth[_volume(f"{stem}_seg-{part}-manual.png") > 127] = value
    return _volume(f"{stem}.png"), truth


REAL: dict[str, RealSample] = {
    "fibsem_mitochondria": RealSample(
        about="FIB-SEM of mouse hippocampus, 32x512x512, 5 nm, mitochondria labelled by experts.",
        origin="EPFL CVLab; labels Casser et al., arXiv:1812.06024; MIT, github.com/mental689/connectomics",
        spacing_um=(0.005, 0.005, 0.005),
        classes=(BACKGROUND, ClassInfo(value=2, name="mitochondria", color="#e69f00")),
        kind="semantic",
        read=_mitochondria,
    ),
    "embryo_nuclei_3d": RealSample(
        about="Fluorescence of an 8-cell mouse embryo, 51x120x122, 1750/800/800 nm, eight nuclei.",
        origin="Tokuoka et al. 2020, npj Syst Biol Appl 6:32; MIT, github.com/funalab/QCANet",
        spacing_um=(1.75, 0.8, 0.8),
        classes=(ClassInfo(value=1, name="nuclei"),),
        kind="instances",
        read=_embryo,
    ),
    "ovule_nuclei_3d": RealSample(
        about="Confocal stack of a plant ovule, 100x100x100, 284/127/127 nm, nuclei of low contrast.",
        origin="Vijayan et al. 2024, Development; MIT, github.com/kreshuklab/go-nuclear",
        spacing_um=(0.28371837, 0.12678642, 0.12678642),
        classes=(ClassInfo(value=1, name="nuclei"),),
        kind="instances",
        read=_ovule,
    ),
    "fluo_nuclei_2d": RealSample(
        about="65 fluorescence pictures of nuclei with one id per nucleus; the seed chooses the picture.",
        origin="BBBC038v1, Caicedo et al. 2019, Nature Methods 16:1247, masks corrected by the community; CC0",
        spacing_um=None,
        classes=(ClassInfo(value=1, name="nuclei"),),
        kind="instances",
        read=_fluo,
    ),
    "axon_sem": RealSample(
        about="SEM of rat spinal cord, 100 nm, axons and myelin by hand; the seed chooses one of two pictures.",
        origin="doi:10.5281/zenodo.5498378; MIT, github.com/axondeepseg/data_axondeepseg_sem",
        spacing_um=(0.1, 0.1, 0.1),
        classes=(BACKGROUND, ClassInfo(value=2, name="axon"), ClassInfo(value=3, name="myelin", color="#009e73")),
        kind="semantic",
        read=_axons,
    ),
}
