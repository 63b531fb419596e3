"""Channels of a large volume: rate and memory of a Gaussian and of a chain, beside scipy's; preview of one plane.

The volume lies on disk as zarr and is read by the block; what comes out is summed and thrown away.
"""

from __future__ import annotations

import argparse
import resource
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from voxloop.channels import FILTERS, ChannelChain, ChannelRecipe
from voxloop.channels.preview import preview
from voxloop.geometry import Box
from voxloop.volumes import open_volume, read_block, save_volume
from voxloop.volumes import scales as volume_scales

#: voxels a second of a Gaussian; bytes of a chain; seconds of a preview
RATE, MEMORY_MB, PREVIEW_S = 50e6, 1000.0, 0.3
CHAIN = (
    ChannelRecipe(name="smooth", filter="gaussian"),
    ChannelRecipe(name="edges", filter="gradient", source="smooth"),
    ChannelRecipe(name="centred", filter="local_centre", source="smooth"),
    ChannelRecipe(name="both", filter="difference", source="centred", other="edges"),
)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="a smaller volume")
    parser.add_argument("--previews", action="store_true", help="the preview of each filter instead")
    given = parser.parse_args()
    if given.previews:
        return _previews()
    side = 192 if given.quick else 512
    with tempfile.TemporaryDirectory() as folder:
        volume = _volume(Path(folder), side)
        chain = ChannelChain(volume, CHAIN)
        _warm(chain)
        print(f"{side}^3, uint8, zarr; Gaussian of sigma 2 voxels")
        rate, _ = _through("Gaussian, all of it", side, lambda: _sum(chain, "smooth"))
        _, more = _through("chain of four", side, lambda: _sum(chain, "both"))
        picture = np.asarray(volume[: min(side, 256)]).astype(np.float32)
        peer = _scipy(picture)
        print(f"{'Gaussian, against scipy in memory':>40} {rate / peer:9.2f} x")
        began = time.perf_counter()
        size = min(side, 900)
        chain.read("smooth", Box((side // 2, 0, 0), (side // 2 + 1, size, size)))
        preview = time.perf_counter() - began
        print(f"{f'one plane of {size}^2':>40} {preview:9.3f} s  target < {PREVIEW_S} s")
    good = rate >= RATE and more <= MEMORY_MB and preview <= PREVIEW_S
    return 0 if good else 1


def _previews() -> int:
    """Of every filter with its usual settings, through the stack and within planes: what is shown of 900 x 900."""
    rng = np.random.default_rng(0)
    volume = open_volume(rng.integers(0, 255, (48, 900, 900), dtype=np.uint8), axes="zyx", spacing=0.01)
    scales, plane = volume_scales(volume), Box((24, 0, 0), (25, 900, 900))
    slow = 0
    for name, kind in FILTERS.items():
        for dimensions in ("3d", "2d"):
            if dimensions == "3d" and name in ("gabor", "clahe"):
                continue
            settings = {} if name in ("gabor", "clahe") else {"dimensions": dimensions}
            other = {"other": 0} if kind.sources == 2 else {}
            chain = ChannelChain(
                volume, [ChannelRecipe.of({"name": name, "filter": name, "settings": settings, **other})]
            )
            chain.settings(name)  # what is measured is so once, whatever is moved after that
            began = time.perf_counter()
            found = preview(chain, name, scales, plane)
            if found.volume is not None:
                read_block(found.volume, plane)
            taken = time.perf_counter() - began
            slow += taken > PREVIEW_S
            words = "" if found.coarser == 1 else f"on a {found.coarser} times coarser image"
            words = "not shown" if found.volume is None else words
            print(f"{name:>22} {dimensions} {taken:7.2f} s; a plane itself {found.seconds:7.2f} s {words}", flush=True)
    return 1 if slow else 0


def _volume(folder: Path, side: int) -> Any:
    rng = np.random.default_rng(0)
    slab = rng.integers(0, 255, (side, side, side), dtype=np.uint8)
    save_volume(slab, folder / "volume.zarr", spacing=0.01, chunks=(64, 128, 128))
    del slab
    return open_volume(folder / "volume.zarr")


def _warm(chain: ChannelChain) -> None:
    for name in chain.recipes:
        chain.read(name, Box((0, 0, 0), (8, 64, 64)))


def _sum(chain: ChannelChain, name: str) -> float:
    return float(chain.lazy(name).data.sum(dtype=np.float64).compute(num_workers=2))


def _through(what: str, side: int, act: Callable[[], object]) -> tuple[float, float]:
    before, began = _peak_mb(), time.perf_counter()
    act()
    seconds = time.perf_counter() - began
    rate, more = side**3 / seconds, _peak_mb() - before
    print(f"{what:>40} {seconds:9.2f} s {rate / 1e6:7.1f} Mvoxels/s, {more:6.0f} MB more", flush=True)
    return rate, more


def _scipy(picture: np.ndarray) -> float:
    from scipy import ndimage as ndi

    began = time.perf_counter()
    ndi.gaussian_filter(picture, 2.0, truncate=3.0)
    seconds = time.perf_counter() - began
    rate = picture.size / seconds
    print(f"{'scipy, in memory, one thread':>40} {seconds:9.2f} s {rate / 1e6:7.1f} Mvoxels/s")
    return rate


def _peak_mb() -> float:
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / (1e6 if sys.platform == "darwin" else 1e3)


if __name__ == "__main__":
    sys.exit(main())
