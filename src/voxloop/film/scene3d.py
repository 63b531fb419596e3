"""What stands in a three-dimensional view: image planes, surfaces, a box that cuts; pictures and turntables of it.

Everything in micrometres, in the order x, y, z. Drawn without a screen; the panel shows the same scene in the browser.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from voxloop.errors import VolumeError, unknown
from voxloop.film.brush import Brush, in_words
from voxloop.film.camera import Camera3D
from voxloop.film.colors import rgb
from voxloop.film.contrast import Limits
from voxloop.film.movie import LARGEST_SIDE, Movie, film_path, rate_of
from voxloop.film.raster import DepthBuffer, ImagePlane, Surface
from voxloop.film.slices import SlicePictures
from voxloop.geometry import AXES, Box
from voxloop.given import flag, path_of, shown
from voxloop.volumes import shape_zyx, spacing_of
from voxloop.volumes.volume import origin_of

if TYPE_CHECKING:
    from xarray import DataArray

#: pixels of the longer side of an image plane
TEXTURE = 768
#: bytes of planes that are read together: seldom more than one is wanted
_PLANES_BYTES = 4 * 2**20
BACKGROUND = "#17181a"
PICTURES = (".png", ".jpg", ".jpeg", ".tif", ".tiff")
_EDGE = (120, 124, 130)
_LONGEST_FILM = 600.0

Told = Callable[[int, int], object]


class Scene3D:
    """Image planes and surfaces in a box.

    Attributes
    ----------
    surfaces
        Of classes, predictions and objects, by name.
    planes
        Which image planes show, by axis: ``{"z": 12}``. Change it as you like.
    opacity
        Of each surface, by name, 0 (hidden) to 1; ``"planes"`` is that of the image planes.
    clip
        What is shown, in voxels; None: everything.
    """

    def __init__(
        self,
        resolutions: Sequence[DataArray],
        surfaces: Sequence[Surface] = (),
        planes: Mapping[str, int] | None = None,
        *,
        clip: Box | None = None,
        contrast: Limits | None = None,
    ) -> None:
        finest = resolutions[0]
        self.shape = shape_zyx(finest)
        if self.shape[0] == 1 or finest.attrs.get("z_kind") == "frame":
            raise VolumeError(
                "single pictures and frames are flat; three dimensions are of stacks (ws.clip films slices)"
            )
        self.surfaces = {surface.name: surface for surface in surfaces}
        self.opacity = {**{surface.name: surface.opacity for surface in surfaces}, "planes": 1.0}
        self.planes: dict[str, int] = {}
        self.clip = clip
        self._spacing = np.array(spacing_of(finest))
        self._origin = np.array(origin_of(finest))
        self._whole = Box.whole(self.shape)
        self._pictures: dict[str, SlicePictures] = {}
        self._resolutions, self._contrast = resolutions, contrast
        for axis, index in (planes or {}).items():
            self.set_plane(axis, index)

    @property
    def low(self) -> np.ndarray:
        """The corner of the volume, µm (x, y, z)."""
        return np.asarray((self._origin - self._spacing / 2)[::-1])

    @property
    def high(self) -> np.ndarray:
        """The corner across."""
        return np.asarray(self.low + (np.array(self.shape) * self._spacing)[::-1])

    @property
    def cut(self) -> tuple[np.ndarray, np.ndarray]:
        """The corners of what is shown, µm (x, y, z)."""
        box = self._whole if self.clip is None else self.clip
        first, last = np.array(box.start), np.array(box.stop)
        low = (self._origin + (first - 0.5) * self._spacing)[::-1]
        return low, low + ((last - first) * self._spacing)[::-1]

    @property
    def triangles(self) -> int:
        return sum(len(surface.faces) for surface in self.surfaces.values())

    def set_plane(self, axis: str, index: int | None) -> None:
        """Show the image plane ``index`` across an axis; None: none. Raises VolumeError for one outside."""
        if axis not in AXES:
            raise VolumeError(f"axis {shown(axis)} is none of 'z', 'y', 'x'")
        if index is None:
            self.planes.pop(axis, None)
            return
        size = self.shape[AXES.index(axis)]
        if isinstance(index, bool) or not isinstance(index, int | np.integer) or not 0 <= index < size:
            raise VolumeError(f"plane {shown(index)} across {axis} is not there; they are 0 to {size - 1}")
        self.planes[axis] = int(index)

    def image_plane(self, axis: str, index: int) -> ImagePlane:
        """A plane of the image as a picture that stands in the scene; any thread."""
        if axis not in self._pictures:
            um = [step * size for step, size, name in zip(self._spacing, self.shape, AXES, strict=True) if name != axis]
            step = min(float(step) for step, name in zip(self._spacing, AXES, strict=True) if name != axis)
            scale = min(1.0, TEXTURE * step / max(um))
            self._pictures[axis] = SlicePictures(
                self._resolutions, axis, self._whole, scale=scale, contrast=self._contrast, room=_PLANES_BYTES
            )
        at = 2 - AXES.index(axis)
        low, high = self.low.copy(), self.high.copy()
        low[at] = high[at] = self._origin[AXES.index(axis)] + index * self._spacing[AXES.index(axis)]
        x, y, z = (float(value) for value in low)
        x1, y1, z1 = (float(value) for value in high)
        picture = self._pictures[axis].picture(index)
        return ImagePlane(at, picture, (x, y, z), (x1, y1, z1), self.opacity["planes"])

    def camera(self, view: str | Camera3D = "isometric", size: tuple[int, int] = (960, 720)) -> Camera3D:
        """The camera of a preset, which sees all that is shown; a camera as it is. Raises VolumeError."""
        if isinstance(view, Camera3D):
            return view
        return Camera3D.of_view(view, *self.cut, size[0] / size[1])

    # --------------------------------------------------------------------------------------------------- pictures

    def render(
        self,
        view: str | Camera3D = "isometric",
        size: tuple[int, int] = (960, 720),
        *,
        background: str = BACKGROUND,
        smooth: bool = True,
        scale_bar: bool = True,
    ) -> np.ndarray:
        """The scene as a picture (rows, columns, 3) uint8. ``size`` is (columns, rows)."""
        size = _size(size)
        camera = self.camera(view, size)
        planes = [self.image_plane(axis, index) for axis, index in self.planes.items()]
        return self._drawn(camera, size, planes, _color(background), smooth=smooth, scale_bar=scale_bar)

    def picture(
        self,
        path: str | Path,
        view: str | Camera3D = "isometric",
        size: tuple[int, int] = (1280, 960),
        *,
        background: str = BACKGROUND,
        scale_bar: bool = True,
        overwrite: bool = False,
    ) -> Path:
        """Write the scene as ``.png``, ``.jpg`` or ``.tif``; it needs neither a screen nor a browser.

        ``view`` is ``"front"``, ``"back"``, ``"side"``, ``"top"``, ``"isometric"`` or a camera. Raises VolumeError.
        """
        from PIL import Image

        target = path_of(path, error=VolumeError)
        if target.suffix.lower() not in PICTURES:
            raise VolumeError(f"{shown(str(path))} is no picture: name it .png, .jpg or .tif")
        if target.exists() and not flag("overwrite", overwrite, error=VolumeError):
            raise VolumeError(f"{target} exists; choose another name or say overwrite=True")
        picture = self.render(view, size, background=background, scale_bar=scale_bar)
        temporary = target.with_name(f".{target.stem}.{os.getpid()}.part{target.suffix}")
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(picture).save(temporary)
            temporary.replace(target)
        except OSError as error:
            raise VolumeError(f"{target} cannot be written ({error.strerror or error})") from error
        finally:
            temporary.unlink(missing_ok=True)
        return target

    def turntable(
        self,
        path: str | Path,
        seconds: float = 6.0,
        turns: float = 1.0,
        size: tuple[int, int] = (960, 720),
        *,
        view: str | Camera3D = "isometric",
        fps: float = 25.0,
        background: str = BACKGROUND,
        smooth: bool = True,
        overwrite: bool = False,
        progress: Told | None = None,
    ) -> Path:
        """Write a film (``.mp4``, ``.gif``) of the scene that turns about its upright axis.

        ``progress`` is called with pictures written and pictures in all; what it raises stops the film, and nothing is
        left of it. Raises VolumeError.
        """
        target, size, fps = film_path(path, overwrite=overwrite), _size(size), rate_of(fps)
        seconds, turns = _number("seconds", seconds), _number("turns", turns)
        if not 0 < seconds <= _LONGEST_FILM:
            raise VolumeError(f"seconds={seconds:g}: a turntable takes up to {_LONGEST_FILM:g} seconds")
        first, ground = self.camera(view, size), _color(background)
        planes = [self.image_plane(axis, index) for axis, index in self.planes.items()]
        count = max(2, round(seconds * fps))
        with Movie(target, fps, overwrite=overwrite) as movie:
            for number in range(count):
                camera = first.turned(360 * turns * number / count)
                movie.add(self._drawn(camera, size, planes, ground, smooth=smooth, scale_bar=False))
                if progress is not None:
                    progress(number + 1, count)
        return target

    def _drawn(
        self,
        camera: Camera3D,
        size: tuple[int, int],
        planes: Sequence[ImagePlane],
        background: tuple[int, int, int],
        *,
        smooth: bool,
        scale_bar: bool,
    ) -> np.ndarray:
        from PIL import Image

        fine = 2 if smooth else 1
        low, high = self.cut
        rim = 0.05 * self._spacing.min()  # what lies exactly on the cut is shown whole
        cut = (None, None) if self.clip is None else (low - rim, high + rim)
        buffer = DepthBuffer(camera, (size[0] * fine, size[1] * fine), background, *cut)
        for plane in planes:
            buffer.add_plane(plane)
        for name, surface in self.surfaces.items():
            buffer.add_surface(replace(surface, opacity=self.opacity[name]))
        for first, last in edges_of(low, high):
            buffer.add_line(first, last, _EDGE)
        drawn = buffer.picture()
        if smooth:
            drawn = np.asarray(Image.fromarray(drawn).reduce(fine))
        if not scale_bar:
            return drawn
        brush = Brush(drawn, size=max(1.0, max(size) / 960))
        brush.scale_bar(2 * camera.distance * np.tan(np.radians(camera.fov / 2)) / size[1])
        sides = [f"{name} {in_words(float(b - a))}" for name, a, b in zip("xyz", low, high, strict=True)]
        brush.corner(", ".join(sides))
        return brush.finish()


def edges_of(low: np.ndarray, high: np.ndarray) -> list[tuple[np.ndarray, np.ndarray]]:
    """The twelve edges of a box."""
    corners = [np.where([n & 1, n & 2, n & 4], high, low) for n in range(8)]
    pairs = [(a, a | bit) for a in range(8) for bit in (1, 2, 4) if not a & bit]
    return [(corners[a], corners[b]) for a, b in pairs]


def _size(size: Any) -> tuple[int, int]:
    """Columns and rows of a picture. Raises VolumeError."""
    try:
        columns, rows = (int(n) for n in size)
    except (TypeError, ValueError, OverflowError):
        raise VolumeError(f"size={shown(size)} is not two numbers, columns and rows, such as (960, 720)") from None
    if not (16 <= columns <= LARGEST_SIDE and 16 <= rows <= LARGEST_SIDE):
        raise VolumeError(f"size={shown(size)}: pictures have 16 to {LARGEST_SIDE} pixels on a side")
    return columns, rows


def _number(what: str, given: Any) -> float:
    try:
        value = float(given)
    except (TypeError, ValueError, OverflowError):
        value = float("nan")
    if isinstance(given, bool) or not np.isfinite(value):
        raise VolumeError(f"{what}={shown(given)} is no number")
    return value


def _color(given: Any) -> tuple[int, int, int]:
    names = {"black": "#000000", "white": "#ffffff", "dark": BACKGROUND}
    words = names.get(given, given) if isinstance(given, str) else given
    try:
        if len(words) != 7 or words[0] != "#":
            raise ValueError
        return rgb(words)
    except (TypeError, ValueError, IndexError):
        raise VolumeError(unknown("colour", shown(given), [*names, "#rrggbb"])) from None
