"""The verb ``clip``: a film of the slices or frames of an image, with what lies over them. Memory stays flat."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_args

from voxloop.errors import VolumeError, unknown
from voxloop.film.instance_shapes import ColorBy
from voxloop.film.movie import Movie, film_path, rate_of
from voxloop.geometry import AXES, Box
from voxloop.given import flag, shown
from voxloop.screen import screen
from voxloop.store.values import as_list, number, share, whole
from voxloop.workspace.choices import one_image, region_in
from voxloop.workspace.project import Project
from voxloop.workspace.shown_things import ShownThing, things_of

if TYPE_CHECKING:
    from voxloop.film.marks import MarkSource
    from voxloop.film.slices import SliceLayer

#: pixels for a voxel
_LARGEST_SCALE = 64.0


def clip(
    project: Project,
    path: str | Path,
    image: str | None = None,
    *,
    axis: str = "z",
    start: int | None = None,
    stop: int | None = None,
    step: int = 1,
    region: object = None,
    layers: Sequence[Any] | None = None,
    opacity: float = 0.5,
    fps: float = 10.0,
    scale: float | None = None,
    contrast: tuple[float, float] | None = None,
    channels: Sequence[int] | None = None,
    trail: int = 0,
    names: bool = False,
    color_by: ColorBy = "track",
    scale_bar: bool = True,
    caption: bool = True,
    overwrite: bool = False,
    progress: Callable[[int, int], object] | None = None,
) -> Path:
    """Write a film of slices, or of the frames of a video, with labels, predictions, points, boxes and tracks.

    Parameters
    ----------
    path
        Ends in ``.mp4`` (H.264) or ``.gif``.
    axis, start, stop, step
        Which planes: across ``"z"``, ``"y"`` or ``"x"``, from ``start`` up to, not including, ``stop``, every ``step``.
    region
        The part that is shown: slices (z, y, x) in voxels, or a region of ``ws.regions``; None: all.
    layers
        Names of levels, predictions, and runs that made objects or tracks, the lowest first. None: every level that
        holds anything on the image; ``[]``: the bare picture.
    opacity
        Of labels and predictions, 0 to 1.
    scale
        Pixels for the finer voxel side in the plane; proportions are physical. None: 1, or less where the longer side
        would pass 1280 pixels.
    contrast
        Intensities shown black and white; None: what suits the middle plane.
    trail
        So many frames over which tracks leave a line behind them.
    names
        Track, class and score beside points and boxes.
    color_by
        What colours of points and boxes tell apart: ``"track"``, ``"instance"``, ``"node"``, ``"class"``.
    progress
        Called with pictures written and pictures in all; what it raises stops the film, and nothing is left of it.

    Raises
    ------
    VolumeError, LabelError, PredictionError
        A plane outside, a layer that is not there or empty, no ffmpeg, a full disk; nothing is left behind.

    Examples
    --------
    >>> ws.clip("cells.mp4", layers=["predict-1"], fps=5)
    PosixPath('cells.mp4')
    """
    from voxloop.film.slices import SlicePictures

    target = film_path(path, overwrite=overwrite)
    if progress is not None and not callable(progress):
        raise VolumeError(f"progress={shown(progress)} is no function of two numbers")
    fps = rate_of(fps)
    image = one_image(project.store, image, region)
    axis = _axis_of(axis)
    resolutions = project.images.scales(image)
    info = project.images.info(image)
    box = (None if region is None else region_in(project.store, region, image)) or Box.whole(info.shape)
    planes = _planes(axis, box, start, stop, step)
    scale = None if scale is None else number("scale", scale, error=VolumeError)
    if scale is not None and not 0 < scale <= _LARGEST_SCALE:
        raise VolumeError(f"scale={scale:g}: pixels for a voxel are more than 0 and at most {_LARGEST_SCALE:g}")
    if not isinstance(color_by, str) or color_by not in get_args(ColorBy):
        raise VolumeError(unknown("color_by", shown(color_by), get_args(ColorBy)))
    opacity = share("opacity", opacity, error=VolumeError)
    trail = whole("trail", trail, 0, error=VolumeError)
    switches = [flag(name, given, error=VolumeError) for name, given in (("names", names), ("scale_bar", scale_bar))]
    caption = flag("caption", caption, error=VolumeError)
    things = things_of(project, image, layers)
    pictures = SlicePictures(
        resolutions,
        axis,
        box,
        scale=scale,
        contrast=_limits(contrast),
        channels=_channels(channels, resolutions[0]),
        layers=[layer for thing in things if (layer := _layer(thing, opacity))],
    )
    spacing = [float(value) for value in info.spacing_um]
    marks = _marks(things, axis, spacing, trail=trail, names=switches[0], color_by=color_by, framed=info.framed)
    step_um = spacing[AXES.index(axis)]
    with _told(progress, len(planes)) as tell, Movie(target, fps, overwrite=overwrite) as movie:
        for index in planes:
            brush = pictures.brush(pictures.picture(index), [s for one in marks for s in one.shapes(index)])
            if switches[1]:
                brush.scale_bar(pictures.pixel_um)
            if caption:
                where = f"frame {index}" if info.framed and axis == "z" else f"{axis} {index}"
                brush.corner(where if where.startswith("frame") else f"{where}, {index * step_um:.4g} µm")
            movie.add(brush.finish())
            tell(movie.count, len(planes))
    return target


def _axis_of(axis: object) -> str:
    if not isinstance(axis, str) or axis not in AXES:
        raise VolumeError(f"axis={shown(axis)} is none of 'z', 'y', 'x'")
    return axis


def _planes(axis: str, box: Box, start: object, stop: object, step: object) -> range:
    """Which planes are shown. Raises VolumeError where they lie outside."""
    along = box.along(axis)
    first = along.start if start is None else whole("start", start, error=VolumeError)
    last = along.stop if stop is None else whole("stop", stop, error=VolumeError)
    by = whole("step", step, 1, error=VolumeError)
    if not along.start <= first < last <= along.stop:
        raise VolumeError(
            f"start={first} and stop={last} are no planes of {axis}: those are {along.start} to {along.stop - 1}, and "
            f"stop is one more than the last, {along.stop} at most"
        )
    return range(first, last, by)


def _limits(contrast: Any) -> tuple[float, float] | None:
    if contrast is None:
        return None
    values = as_list("contrast", contrast if not isinstance(contrast, tuple) else list(contrast), error=VolumeError)
    if len(values) != 2:
        raise VolumeError(f"contrast={shown(contrast)} is not two intensities, black and white")
    low, high = (number("contrast", value, error=VolumeError) for value in values)
    if not low < high:
        raise VolumeError(f"contrast={shown(contrast)}: black is below white, such as (0, 255)")
    return low, high


def _channels(channels: Any, volume: Any) -> list[int] | None:
    if channels is None:
        return None
    from voxloop.volumes import channels_of

    count = channels_of(volume)
    given = as_list("channels", [channels] if isinstance(channels, int) else channels, error=VolumeError)
    chosen = [whole("channels", one, 0, error=VolumeError) for one in given]
    if not chosen or max(chosen) >= count or len(chosen) > 4:
        raise VolumeError(f"channels={shown(channels)}: the image has channels 0 to {count - 1}, four at most show")
    return chosen


def _layer(thing: ShownThing, opacity: float) -> SliceLayer | None:
    """The layer of voxels of a thing; None where it is drawn with lines."""
    from voxloop.film.slices import class_layer, object_layer

    if thing.kind == "classes":
        return class_layer(thing.name, thing.volume, thing.classes, opacity)
    return object_layer(thing.name, thing.volume, opacity) if thing.kind == "objects" else None


def _marks(
    things: Sequence[ShownThing],
    axis: str,
    spacing: Sequence[float],
    *,
    trail: int,
    names: bool,
    color_by: ColorBy,
    framed: bool,
) -> list[MarkSource]:
    """What is drawn with lines, in order."""
    from voxloop.film.marks import FrameClass, InstanceMarks, TrackMarks

    out: list[MarkSource] = []
    for thing in things:
        if thing.kind == "marks" and (axis == "z" or not framed):
            out.append(InstanceMarks(thing.values, axis, color_by=color_by, trail=trail, names=names))
        elif thing.kind == "pictures" and axis == "z":
            out.append(FrameClass(thing.values, axis))
        elif thing.kind == "tracks" and axis == "z":
            out.append(TrackMarks(thing.values.table(), spacing, trail=trail))
    return out


@contextmanager
def _told(progress: Callable[[int, int], object] | None, total: int) -> Iterator[Callable[[int, int], object]]:
    """Who is told how far it is: the caller, or a bar where somebody sees it."""
    stream = screen()
    if progress is not None or stream is None:
        yield progress or (lambda done, total: None)
        return
    from tqdm import tqdm

    with tqdm(total=total, desc="clip", unit=" pictures", file=stream, ncols=80) as line:
        yield lambda done, _total: line.update(done - line.n)
