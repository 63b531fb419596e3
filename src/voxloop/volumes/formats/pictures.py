"""A folder or list of pictures (PNG, JPEG, TIFF) of one size, or one. Decodes a picture when it is asked for."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import numpy as np

from voxloop.errors import VolumeError
from voxloop.volumes.formats import tiff
from voxloop.volumes.formats.contract import Format, Found, Source

_TIFF = (".tif", ".tiff")
SUFFIXES = (".png", ".jpg", ".jpeg", ".bmp", ".gif", ".webp", *_TIFF)
_LISTS = (".txt", ".json")


class Pictures:
    """Pictures of one size as an array (t, y, x) or (t, y, x, samples)."""

    def __init__(self, paths: list[Path]) -> None:
        self.paths = paths
        first = load_picture(paths[0])
        self.shape = (len(paths), *first.shape)
        self.dtype = first.dtype
        self.ndim = len(self.shape)

    def __getitem__(self, key: tuple[slice, ...]) -> np.ndarray:
        which, *rest = key
        return np.stack([self._load(self.paths[i])[tuple(rest)] for i in range(*which.indices(len(self.paths)))])

    def _load(self, path: Path) -> np.ndarray:
        picture = load_picture(path)
        if picture.shape != self.shape[1:]:
            raise VolumeError(f"{path} decodes to shape {picture.shape}, but its stack has {self.shape[1:]}")
        return picture


def load_picture(path: Path) -> np.ndarray:
    """One picture in memory: (y, x) or (y, x, samples). Raises VolumeError."""
    try:
        if path.suffix.lower() in _TIFF:
            import tifffile

            return np.asarray(tifffile.imread(path, key=0))
        import imagecodecs

        return np.asarray(imagecodecs.imread(str(path)))
    except FileNotFoundError:
        raise VolumeError(f"picture {path} is not there any more") from None
    except Exception as error:  # each codec raises its own kind
        text = (str(error).splitlines() or [type(error).__name__])[0][:160]
        raise VolumeError(f"{path} cannot be read as a picture ({text}); is it complete?") from error


def picture_size(path: Path) -> tuple[int, int]:
    """Rows and columns from the header alone."""
    try:
        if path.suffix.lower() in _TIFF:
            import tifffile

            with tifffile.TiffFile(path) as tif:
                page: Any = tif.pages.first
                return int(page.imagelength), int(page.imagewidth)
        from PIL import Image

        with Image.open(path) as image:
            return image.height, image.width
    except FileNotFoundError:
        raise VolumeError(f"picture {path} is not there") from None
    except Exception as error:
        raise VolumeError(f"{path} cannot be read as a picture ({error}); is it complete?") from error


def natural(path: Path) -> list[object]:
    """Sort key under which ``slice9`` comes before ``slice10``."""
    return [
        (0, int(part), "") if part.isdigit() else (1, 0, part) for part in re.split(r"(\d+)", path.name.lower()) if part
    ]


def pictures_in(folder: Path) -> list[Path]:
    """The pictures of a folder in natural order; hidden files and other kinds are passed over."""
    found = [p for p in folder.iterdir() if p.suffix.lower() in SUFFIXES and not p.name.startswith(".") and p.is_file()]
    return sorted(found, key=natural)


def read(source: Source) -> Found:
    """Pictures as a stack of frames: files of a folder may be slices or not, and nothing in them says so."""
    paths = _paths(source)
    if not paths:
        raise VolumeError(f"{source.text} holds no pictures; expected files {', '.join(SUFFIXES)}")
    sizes = [picture_size(path) for path in paths]
    for path, size in zip(paths, sizes, strict=True):
        if size != sizes[0]:
            raise VolumeError(
                f"pictures have several sizes: {paths[0].name} {sizes[0]}, {path.name} {size}; "
                "add them as images of their own with ws.images.add_folder"
            )
    stack = Pictures(paths)
    if stack.ndim not in (3, 4):
        raise VolumeError(f"{paths[0]} has {stack.ndim - 1} axes; a picture has two, or three with colours")
    spacing = (
        tiff.read(Source(text=str(paths[0]), path=paths[0])).spacing_um if paths[0].suffix.lower() in _TIFF else {}
    )
    return Found(
        array=stack,
        axes="zyxs"[: stack.ndim],
        spacing_um=spacing,
        z_kind="frame",
        chunks=(1, *stack.shape[1:]),
    )


def _paths(source: Source) -> list[Path]:
    if source.items is not None:
        return [Path(item) for item in source.items]
    path = Path(str(source.path))
    if path.is_dir():
        return pictures_in(path)
    if path.suffix.lower() not in _LISTS:
        return [path]
    return [path.parent / name for name in _listed(path)]


def _listed(path: Path) -> list[str]:
    try:
        text = path.read_text()
        names = json.loads(text) if path.suffix.lower() == ".json" else [line.strip() for line in text.splitlines()]
    except (OSError, UnicodeDecodeError, json.JSONDecodeError) as error:
        raise VolumeError(f"{path} cannot be read as a list of pictures ({error})") from error
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        raise VolumeError(f"{path} must hold a list of file names")
    return [name for name in names if name and not name.startswith("#")]


def _accepts(source: Source) -> bool:
    if source.items is not None:
        return True
    if source.path is None:
        return False
    return source.path.is_dir() or source.path.suffix.lower() in (*SUFFIXES, *_LISTS)


FORMAT = Format(name="pictures", suffixes=(*SUFFIXES, *_LISTS, "folder"), accepts=_accepts, read=read)
