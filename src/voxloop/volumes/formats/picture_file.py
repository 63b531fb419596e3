"""One picture file: what its header says, and its pixels as every viewer shows them. Knows no stacks."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from voxloop.errors import VolumeError
from voxloop.volumes.metadata import first_line

TIFF_SUFFIXES = (".tif", ".tiff")
SUFFIXES = (".png", ".jpg", ".jpeg", ".bmp", ".gif", ".webp", *TIFF_SUFFIXES)
_JPEG, _PNG = b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n"
_JPEG_SCAN, _JPEG_END, _PNG_END = b"\xff\xda", b"\xff\xd9", b"IEND\xaeB`\x82"
_TIFF_STARTS = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")
_TAIL = 2**16
_EXIF_ORIENTATION = 274
#: samples of a pixel by Pillow's name of the kind of picture
_SAMPLES = {"1": 1, "L": 1, "P": 1, "I": 1, "F": 1, "I;16": 1, "I;16B": 1, "LA": 2, "La": 2, "PA": 2}


@dataclass(frozen=True, slots=True)
class Header:
    """What a picture is: rows, columns, samples of a pixel without transparency, type, pictures in the file."""

    path: Path
    rows: int
    columns: int
    samples: int
    dtype: np.dtype
    pages: int = 1
    alpha: bool = False
    remark: str = ""
    is_tiff: bool = False

    @property
    def size(self) -> tuple[int, int]:
        return self.rows, self.columns

    @property
    def words(self) -> str:
        """``s2.png: 20 x 30, 3 colours, uint8``."""
        colours = "gray" if self.samples == 1 else f"{self.samples} colours"
        return f"{self.path.name}: {self.rows} x {self.columns}, {colours}, {self.dtype}"


def read_header(path: Path) -> Header:
    """What the header of a picture says; its end is looked for, its pixels are not. Raises VolumeError."""
    try:
        with path.open("rb") as file:
            start = file.read(32)
        if start[:4] in _TIFF_STARTS:
            return _tiff_header(path)
        return _header(path, start)
    except FileNotFoundError:
        raise VolumeError(f"picture {path} is not there") from None
    except VolumeError:
        raise
    except Exception as error:  # Pillow and tifffile raise many kinds
        raise VolumeError(f"{path} cannot be read as a picture ({first_line(error)}); is it complete?") from error


def load_picture(path: Path) -> np.ndarray:
    """One picture in memory, upright and without transparency: (y, x) or (y, x, samples). Raises VolumeError."""
    try:
        with path.open("rb") as file:
            start = file.read(4)
        if start in _TIFF_STARTS:
            import tifffile

            with tifffile.TiffFile(path) as tif:
                return without_alpha(np.asarray(tif.series[0].asarray()))
        return without_alpha(_upright(_decoded(path, start), _orientation(path)))
    except FileNotFoundError:
        raise VolumeError(f"picture {path} is not there any more") from None
    except Exception as error:  # each codec raises its own kind
        raise VolumeError(f"{path} cannot be read as a picture ({first_line(error)}); is it complete?") from error


def without_alpha(pixels: np.ndarray) -> np.ndarray:
    """Gray or colour without the transparency beside it."""
    if pixels.ndim == 3 and pixels.shape[2] == 2:
        return pixels[..., 0]
    if pixels.ndim == 3 and pixels.shape[2] == 4:
        return pixels[..., :3]
    return pixels


def _decoded(path: Path, start: bytes) -> np.ndarray:
    """Pixels by the fastest decoder; by Pillow where places in a palette are the numbers that are meant."""
    if start == _PNG[:4] or start[:3] == b"GIF":
        from PIL import Image

        with Image.open(path) as image:
            if image.mode == "P":
                return _from_palette(image)
            if image.format == "GIF":
                return np.asarray(image.convert("RGB"))
    import imagecodecs

    return np.asarray(imagecodecs.imread(str(path)))


def _from_palette(image: Any) -> np.ndarray:
    """Places in the palette; the grays that they stand for where the palette has no colours; colours of a GIF."""
    if image.format == "GIF":
        return np.asarray(image.convert("RGB"))
    places = np.asarray(image)
    palette = np.array(image.getpalette("RGB"), np.uint8).reshape(-1, 3)
    if (palette == palette[:, :1]).all() and int(places.max(initial=0)) < len(palette):
        return np.asarray(palette[places, 0])
    return places


def _header(path: Path, start: bytes) -> Header:
    from PIL import Image

    check_whole(path, start)
    with Image.open(path) as image:
        rows, columns, mode = image.height, image.width, image.mode
        # phones put a preview or a depth map behind the picture of a JPEG; only these formats hold films
        pages = int(getattr(image, "n_frames", 1)) if image.format in ("GIF", "PNG", "WEBP") else 1
        if int(image.getexif().get(_EXIF_ORIENTATION, 1)) >= 5:
            rows, columns = columns, rows
    dtype: np.dtype = np.dtype(np.uint8)
    samples = 3 if start[:3] == b"GIF" else _SAMPLES.get(mode, 3)
    alpha = samples == 2 or mode in ("RGBA", "RGBa")
    if start.startswith(_PNG):
        dtype = np.dtype(np.uint16 if start[24] == 16 else np.uint8)
    elif mode.startswith("I"):
        dtype = np.dtype(np.uint16)
    elif mode == "F":
        dtype = np.dtype(np.float32)
    remark = (
        f"{path.name} is a palette picture; its numbers are places in the palette"
        if mode == "P" and samples == 1
        else ""
    )
    return Header(path, rows, columns, 1 if samples == 2 else samples, dtype, pages, alpha, remark)


def _tiff_header(path: Path) -> Header:
    import tifffile

    with tifffile.TiffFile(path) as tif:
        page: Any = tif.pages.first
        samples = int(page.samplesperpixel)
        pages = 1
        if len(tif.pages) > 1:
            pages = max(1, tif.series[0].size // max(1, page.imagelength * page.imagewidth * samples))
            if len(tif.series) > 1:
                pages = max(pages, len(tif.series))
        alpha = samples in (2, 4)
        shown = samples - 1 if alpha else samples
        size = int(page.imagelength), int(page.imagewidth)
        return Header(path, *size, shown, np.dtype(page.dtype), pages, alpha, is_tiff=True)


def check_whole(path: Path, start: bytes) -> None:
    """Raise VolumeError for a JPEG or PNG that ends before its end mark: decoders fill the rest with gray."""
    end = _JPEG_END if start.startswith(_JPEG) else _PNG_END if start.startswith(_PNG) else None
    if end is None:
        return
    size = path.stat().st_size
    with path.open("rb") as file:
        file.seek(max(0, size - _TAIL))
        tail = file.read()
        if _ends(tail, end):
            return
        file.seek(0)
        if size > _TAIL and _ends(file.read(), end):  # phones append films to their pictures
            return
    raise VolumeError(f"{path} is cut short: the end of the picture is missing; copy it again")


def _ends(data: bytes, end: bytes) -> bool:
    """Whether the end mark comes after the last scan (a preview within a JPEG has marks of its own)."""
    at = data.rfind(end)
    return at >= 0 and (end is not _JPEG_END or data.rfind(_JPEG_SCAN) < at)


def _orientation(path: Path) -> int:
    """How the camera was held, 1 (upright) to 8, as EXIF numbers it."""
    if path.suffix.lower() in (".bmp", ".gif"):
        return 1
    from PIL import Image

    try:
        with Image.open(path) as image:
            return int(image.getexif().get(_EXIF_ORIENTATION, 1))
    except (OSError, ValueError, SyntaxError, TypeError, struct.error):
        return 1


def _upright(pixels: np.ndarray, orientation: int) -> np.ndarray:
    """The pixels as they are seen. Source: EXIF 2.3, tag 274."""
    if orientation >= 5:
        pixels = pixels.swapaxes(0, 1)
    if orientation in (3, 4, 7, 8):
        pixels = pixels[::-1]
    if orientation in (2, 3, 6, 7):
        pixels = pixels[:, ::-1]
    return pixels
