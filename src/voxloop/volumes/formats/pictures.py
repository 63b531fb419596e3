"""A folder or list of pictures (PNG, JPEG, TIFF) of one size, or one. Decodes a picture when it is asked for."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import numpy as np

from voxloop.errors import VolumeError
from voxloop.volumes.formats import tiff
from voxloop.volumes.formats.contract import Contents, Format, Source
from voxloop.volumes.formats.picture_file import (
    SUFFIXES,
    TIFF_SUFFIXES,
    Header,
    load_picture,
    read_header,
)
from voxloop.volumes.metadata import first_line, list_some

_LISTS = (".txt", ".json")
_SEPARATELY = "add them as images of their own with ws.images.add_folder"
#: what a JSON file is that lists no pictures, by the keys at its top
_ANNOTATIONS = {"shapes": "labelme", "annotations": "COCO", "features": "GeoJSON"}


class Pictures:
    """Pictures of one size as an array (t, y, x) or (t, y, x, samples), in the widest of their types."""

    def __init__(self, headers: list[Header]) -> None:
        first = headers[0]
        self._paths = [header.path for header in headers]
        self.shape = (len(headers), *first.size, *((first.samples,) if first.samples > 1 else ()))
        self.dtype = np.result_type(*{header.dtype for header in headers})
        self.ndim = len(self.shape)
        self._last: tuple[Path, np.ndarray] | None = None

    def __getitem__(self, key: tuple[slice, ...]) -> np.ndarray:
        which, *rest = key
        return np.stack([self._load(self._paths[i])[tuple(rest)] for i in range(*which.indices(len(self._paths)))])

    def _load(self, path: Path) -> np.ndarray:
        last = self._last
        if last is not None and last[0] == path:
            return last[1]
        picture = load_picture(path)
        if picture.shape != self.shape[1:]:
            picture = picture.reshape(self.shape[1:]) if picture.size == np.prod(self.shape[1:]) else picture
        if picture.shape != self.shape[1:]:
            raise VolumeError(f"{path} decodes to shape {picture.shape}, but its stack has {self.shape[1:]}")
        if not np.can_cast(picture.dtype, self.dtype, "safe"):
            raise VolumeError(f"{path} decodes to {picture.dtype}, but its stack is {self.dtype}")
        picture = picture.astype(self.dtype, copy=False)
        self._last = path, picture
        return picture


class Film:
    """The frames of an animated picture, (t, y, x) or (t, y, x, samples); decoded as a whole, once."""

    def __init__(self, path: Path) -> None:
        from PIL import Image, ImageSequence

        with Image.open(path) as image:
            frames = [np.asarray(_plain(frame)) for frame in ImageSequence.Iterator(image)]
        shapes = {frame.shape for frame in frames}
        if len(shapes) > 1:  # some frames are gray, some coloured
            frames = [np.broadcast_to(f[..., None], (*f.shape, 3)) if f.ndim == 2 else f for f in frames]
        self._frames = np.stack(frames)
        self.shape, self.dtype, self.ndim = self._frames.shape, self._frames.dtype, self._frames.ndim

    def __getitem__(self, key: tuple[slice, ...]) -> np.ndarray:
        return np.asarray(self._frames[key])


def _plain(frame: Any) -> Any:
    return frame.convert("L" if frame.mode in ("1", "L", "LA") else "RGB")


def natural(path: Path) -> list[object]:
    """Sort key under which ``slice9`` comes before ``slice10``."""
    return [
        (0, int(part), "") if part.isdecimal() else (1, 0, part)
        for part in re.split(r"(\d+)", path.name.lower())
        if part
    ]


def pictures_in(folder: Path) -> list[Path]:
    """The pictures of a folder in natural order; hidden files and other kinds are passed over."""
    files = [p for p in folder.iterdir() if p.suffix.lower() in SUFFIXES and not p.name.startswith(".") and p.is_file()]
    return sorted(files, key=natural)


def read(source: Source) -> Contents:
    """Pictures as a stack of frames: files of a folder may be slices or not, and nothing in them says so."""
    if source.dataset is not None or source.scale:
        raise VolumeError(f"{source.text}: pictures have neither datasets nor scales; leave dataset= and scale= out")
    paths = _paths(source)
    if not paths and source.text.lower().rstrip("/").endswith((".zarr", ".n5")):
        raise VolumeError(
            f"{source.text} is called a store but holds neither zarr.json nor .zarray, .zgroup or attributes.json that "
            "can be read; is the copy complete?"
        )
    if not paths:
        raise VolumeError(f"{source.text} holds no pictures; expected files {', '.join(SUFFIXES)}")
    headers = [read_header(path) for path in paths]
    if len(paths) > 1 and _is_one_set(headers):
        return tiff.read(Source(text=str(paths[0]), path=paths[0]))
    remarks = [header.remark for header in headers[:1] if header.remark]
    if len(headers) == 1 and headers[0].pages > 1 and headers[0].is_tiff:  # a TIFF that is called .png
        return tiff.read(Source(text=str(paths[0]), path=paths[0]))
    if len(headers) == 1 and headers[0].pages > 1:
        film: Any = Film(paths[0])
        axes = "tyxs"[: film.ndim]
        return Contents(array=film, axes=axes, z_kind="frame", remarks=remarks)
    _check_alike(headers)
    spacing, more = _sizes(paths[0])
    remarks += more
    kinds = sorted({str(header.dtype) for header in headers})
    stack = Pictures(headers)
    if len(kinds) > 1:
        remarks.append(
            f"the pictures are {' and '.join(kinds)}; all are read as {stack.dtype}, numbers as they are stored"
        )
    if any(header.alpha for header in headers):
        remarks.append("what the pictures hold for transparency is left out")
    return Contents(
        array=stack,
        axes="zyxs"[: stack.ndim],
        spacing_um=spacing,
        z_kind="frame",
        chunks=(1, *stack.shape[1:]),
        remarks=remarks,
    )


def _is_one_set(headers: list[Header]) -> bool:
    """Whether the files are those over which one OME-TIFF is spread."""
    if not headers[0].path.name.lower().endswith((".ome.tif", ".ome.tiff")) or not headers[0].is_tiff:
        return False
    import tifffile

    with tifffile.TiffFile(headers[0].path) as tif:
        if not tif.is_ome:
            return False
        used = {page.parent.filename for page in tif.series[0].pages if page is not None}
    return used == {header.path.name for header in headers}


def _check_alike(headers: list[Header]) -> None:
    """Raise VolumeError, naming the first that differs, where pictures do not make one stack."""
    first = headers[0]
    for header in headers:
        if header.size != first.size:
            raise VolumeError(
                f"pictures have several sizes: {first.path.name} {first.size}, {header.path.name} {header.size}; "
                f"{_SEPARATELY}"
            )
        if header.samples != first.samples:
            raise VolumeError(
                f"pictures are of several kinds ({first.words}; {header.words}); convert all to gray or all to colour, "
                f"or {_SEPARATELY}"
            )
    stacks = [header for header in headers if header.pages > 1]
    if stacks:
        names = list_some([f"{header.path.name} ({header.pages})" for header in stacks], 4)
        raise VolumeError(f"these files hold several pictures each: {names}; {_SEPARATELY}")


def _sizes(path: Path) -> tuple[dict[str | int, float], list[str]]:
    """Pixel size of a TIFF, and what was noticed on reading it."""
    if path.suffix.lower() not in TIFF_SUFFIXES:
        return {}, []
    try:
        contents = tiff.read(Source(text=str(path), path=path))
    except VolumeError as error:
        return {}, [f"the pixel size of {path.name} cannot be read ({error})"]
    sizes = {key if isinstance(key, str) else contents.axes[key]: size for key, size in contents.spacing_um.items()}
    return {axis: size for axis, size in sizes.items() if axis in "yx"}, list(contents.remarks)


def _paths(source: Source) -> list[Path]:
    if source.items is not None:
        return [Path(item) for item in source.items]
    path = Path(str(source.path))
    if path.is_dir():
        return pictures_in(path)
    if path.suffix.lower() not in _LISTS:
        return [path]
    return [_beside(path, name) for name in _listed(path)]


def _beside(path: Path, name: str) -> Path:
    """A file that a list names: as it stands, else with the slashes of Windows turned."""
    if name.lower().startswith("file://"):
        name = unquote(urlsplit(name).path)
    place = path.parent / name
    if not place.exists() and "\\" in name:
        turned = path.parent / name.replace("\\", "/")
        return turned if turned.exists() else place
    return place


def _listed(path: Path) -> list[str]:
    data = path.read_bytes()
    encoding = "utf-16" if data[:2] in (b"\xff\xfe", b"\xfe\xff") else "utf-8-sig"
    try:
        text = data.decode(encoding)
    except UnicodeDecodeError:
        raise VolumeError(f"{path} is not written in UTF-8; save the list of pictures as UTF-8") from None
    if path.suffix.lower() != ".json":
        lines = [line.strip() for line in text.splitlines()]
        names = [line.strip("\"'").strip() for line in lines if line and not line.startswith("#")]
        return [name for name in names if name]
    try:
        names = json.loads(text)
    except ValueError as error:
        raise VolumeError(f"{path} cannot be read as a list of pictures ({first_line(error)})") from error
    if isinstance(names, dict):
        kind = next((what for key, what in _ANNOTATIONS.items() if key in names), None)
        if kind is not None:
            raise VolumeError(
                f"{path} holds {kind} annotations, which are labels and no picture; open the picture they were drawn "
                "on, and load them with ws.labels(...).load(path)"
            )
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        raise VolumeError(f"{path} must hold a list of file names")
    return [name for name in names if name]


def _accepts(source: Source) -> bool:
    if source.items is not None:
        return True
    if source.path is None:
        return False
    return source.path.is_dir() or source.path.suffix.lower() in (*SUFFIXES, *_LISTS)


FORMAT = Format(name="pictures", suffixes=(*SUFFIXES, *_LISTS, "folder"), accepts=_accepts, read=read)
