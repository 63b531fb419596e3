"""What a user should know of a volume before working on it. Pure: looks at metadata and at one plane it is given."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np

from voxloop.geometry import AXES
from voxloop.panels.form.file_list import size_text

if TYPE_CHECKING:
    from xarray import DataArray

#: voxels are read in chunks; one larger than this makes every look slow
LARGE_CHUNK = 256 * 2**20
#: from this ratio on slices are far apart for their pixel size
ANISOTROPIC = 3.0

CheckVerdict = Literal["good", "warning", "error", "info"]


@dataclass(frozen=True, slots=True)
class Check:
    """One finding: what was looked at, what it is, and whether it is a worry."""

    what: str
    words: str
    verdict: CheckVerdict = "info"


def facts(volume: DataArray) -> list[Check]:
    """Shape, type, size, spacing and chunks, from metadata alone."""
    from voxloop.volumes import channels_of, shape_zyx

    shape, channels = shape_zyx(volume), channels_of(volume)
    voxels = " × ".join(f"{n:,}" for n in shape) + (f", {channels} channels" if channels > 1 else "")
    frames = volume.attrs.get("z_kind") == "frame"
    checks = [
        Check("Voxels", f"{voxels} (z × y × x)"),
        Check("Type", f"{volume.dtype}, {size_text(volume.nbytes)} in memory"),
    ]
    if frames:
        checks.append(Check("Slices", "separate pictures: neighbours are never mixed"))
    checks.append(_voxel_size(volume, frames))
    if volume.attrs.get("axes_from") == "assumed" and max(shape[0], channels) > 1:
        order = " × ".join(map(str, volume.dims))
        checks.append(
            Check("Axes", f"{order}, assumed: the file does not name them; look whether it is right", "warning")
        )
    checks += [Check("Note", words, "warning") for words in volume.attrs.get("remarks", ())]
    chunk = _chunk_bytes(volume)
    if chunk > LARGE_CHUNK:
        words = (
            f"stored in blocks of {size_text(chunk)}: every look reads that much; a chunked copy (copy=True) is faster"
        )
        checks.append(Check("Blocks", words, "warning"))
    return checks


def _voxel_size(volume: DataArray, frames: bool) -> Check:
    from voxloop.volumes import spacing_of, spacing_sources

    spacing, sources = spacing_of(volume), spacing_sources(volume)
    needed = "yx" if frames or volume.sizes["z"] == 1 else "zyx"
    unknown = [axis for axis, source in zip(AXES, sources, strict=True) if source == "assumed" and axis in needed]
    why = "give it, since filters and measurements are in micrometres"
    if len(unknown) == len(needed):
        return Check("Voxel size", f"unknown; {why}", "warning")
    where = "as given" if "metadata" not in sources else "from the file"
    if unknown:
        names = " and ".join(unknown)
        words = f"{spacing_text(spacing)}: {names} is assumed, the rest {where}; {why}"
        return Check("Voxel size", words, "warning")
    words = f"{spacing_text(spacing)}, {where}"
    ratio = max(spacing) / min(spacing)
    if ratio >= ANISOTROPIC and not frames:
        words += f"; {ratio:.1f} times coarser along {AXES[int(np.argmax(spacing))]}, which learners take into account"
    return Check("Voxel size", words, "good")


def plane_checks(plane: np.ndarray) -> list[Check]:
    """What the voxels of one plane say: not-a-numbers, no contrast, saturation. ``plane``: any shape, any real type."""
    finite = np.isfinite(plane) if plane.dtype.kind == "f" else np.ones(plane.shape, bool)
    if not finite.any():
        return [Check("Values", "the middle slice holds no finite number", "error")]
    checks = []
    if not finite.all():
        share = 1 - finite.mean()
        checks.append(
            Check("Values", f"{share:.1%} of the middle slice are no numbers (NaN); they are treated as 0", "warning")
        )
    values = plane[finite]
    low, high = values.min(), values.max()
    if low == high:
        return [
            *checks,
            Check("Contrast", f"the middle slice is {low:g} everywhere; is this the right dataset?", "warning"),
        ]
    words = f"{low:g} to {high:g} in the middle slice"
    if plane.dtype.kind in "ui":
        top = np.iinfo(plane.dtype).max
        saturated = float((values == top).mean())
        if saturated > 0.02:
            return [*checks, Check("Values", f"{words}; {saturated:.0%} saturated at {top}", "warning")]
    return [*checks, Check("Values", words, "good")]


def spacing_text(spacing_um: tuple[float, float, float]) -> str:
    """``40 × 8 × 8 nm`` or ``1.75 × 0.8 × 0.8 µm``."""
    unit, factor = ("nm", 1000.0) if max(spacing_um) < 1 else ("µm", 1.0)
    return " × ".join(f"{value * factor:.4g}" for value in spacing_um) + f" {unit}"


def _chunk_bytes(volume: DataArray) -> int:
    chunks = volume.chunks or tuple((n,) for n in volume.shape)
    return int(np.prod([max(sizes) for sizes in chunks], dtype=np.int64)) * volume.dtype.itemsize
