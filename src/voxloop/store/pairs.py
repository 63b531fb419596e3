"""Folders of pictures, and of their masks, as images with labels, in one step. Reads no voxels itself."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from voxloop.errors import VoxloopError, WorkspaceError
from voxloop.given import flag, path_of

if TYPE_CHECKING:
    import pandas as pd

    from voxloop.store.document import ImageInfo
    from voxloop.store.mask_values import Values
    from voxloop.store.workspace import Store

#: what programs and people put behind, or before, the name of a picture to name its mask
_WORDS = (
    "masks", "mask", "labels", "label", "lbl", "segmentation", "seg", "gt", "groundtruth", "ground_truth",
    "annotations", "annotation", "anno",
    "instances", "instance", "cp_masks", "truth", "target", "roi", "rois", "outlines",
)  # fmt: skip
_PICTURE_WORDS = ("images", "image", "img", "raw", "im", "input", "picture", "volume", "0000")
#: what becomes an image where a folder has no masks
_PICTURES = {".png", ".jpg", ".jpeg", ".tif", ".tiff", ".bmp"}
_JOINT = r"[-_. ]+"
#: two parts of a file's name that are no part of its stem
_DOUBLE = (".ome.tif", ".ome.tiff", ".nii.gz", ".ome.zarr", ".zarr.zip", ".seg.nrrd")


def add_pairs(
    store: Store,
    images: str | Path,
    masks: str | Path | None = None,
    *,
    level: str | None = None,
    zero: str | None = None,
    values: Values | None = None,
    copy: bool = False,
    alone: bool = False,
    **arguments: Any,
) -> pd.DataFrame:
    """Add pictures and their masks, all of them or none; ``alone``: pictures without a mask as well.

    The verb of the workspace says the rest. Raises WorkspaceError, VolumeError, LabelError.
    """
    import pandas as pd

    from voxloop.volumes.formats.pictures import natural

    store.check_writable()
    pairs, rest = match(_files(images), None if masks is None else _files(masks))
    if not pairs:
        raise WorkspaceError(_no_pairs(images, masks, rest))
    chosen = _level(store, level)
    added = [picture for picture, _ in pairs]
    if alone:
        added = sorted([*added, *(path for path, kind in rest if kind == "picture")], key=natural)
    names: dict[Path, str] = {}
    with store.images.together() as adding:
        for picture in added:
            names[picture] = store.images.free_name(stem(picture), tuple(names.values()))
            adding(store.images.prepare(names[picture], picture, copy=copy, **arguments))
    rows: list[dict[str, Any]] = []
    try:
        for picture, mask in pairs:
            try:
                edit = store.labels(chosen, names[picture]).load(mask, zero=zero, values=values)
            except VoxloopError as error:
                raise type(error)(f"{mask.name}: {error}; nothing was added") from error
            rows.append({"image": names[picture], "picture": str(picture), "mask": str(mask), "voxels": edit.voxels})
    except BaseException:
        store.images.remove(list(names.values()))
        raise
    rows += [
        {"picture" if kind == "picture" else "mask": str(path)} | ({"image": names[path]} if path in names else {})
        for path, kind in rest
    ]
    return pd.DataFrame(rows, columns=["image", "picture", "mask", "voxels"])


def add_folder(
    store: Store, path: str | Path, masks: str | Path | None, *, copy: bool = False, **arguments: Any
) -> list[str]:
    """Names of the images that a folder of pictures became, with what is labelled in ``masks``; all, or none.

    Raises WorkspaceError, VolumeError, LabelError.
    """
    from voxloop.store.document import safe_name
    from voxloop.volumes.formats.pictures import natural

    folder = path_of(path, error=WorkspaceError)
    if not folder.is_dir():
        raise WorkspaceError(f"{folder} is no folder; add a single picture with ws.images.add(name, path)")
    if masks is not None:
        beside = path_of(masks, error=WorkspaceError).resolve() == folder.resolve()
        table = add_pairs(store, folder, None if beside else masks, copy=copy, alone=True, **arguments)
        added = set(table["image"].dropna())
        return [name for name in store.images.names if name in added]
    for what in ("level", "zero", "values"):
        if arguments.pop(what, None) is not None:
            raise WorkspaceError(f"{what}= says something of masks; give their folder too, masks=")
    pictures = [p for p in folder.iterdir() if p.suffix.lower() in _PICTURES and not p.name.startswith(".")]
    if not pictures:
        raise WorkspaceError(f"{folder} holds no pictures ({', '.join(sorted(_PICTURES))})")
    there: dict[str, list[str]] = {}
    for one in () if flag("copy", copy, error=WorkspaceError) else store.document.images:
        there.setdefault(_source_of(one), []).append(one.name)
    names: list[str] = []
    with store.images.together() as adding:
        for file in sorted(pictures, key=natural):
            info = store.images.prepare(store.images.free_name(file.stem, names), file, copy=copy, **arguments)
            named = re.compile(rf"{re.escape(safe_name(file.stem))}(-\d+)*")
            same = [name for name in there.get(_source_of(info), ()) if named.fullmatch(name)]
            names.append(same[0] if same else info.name)
            if not same:
                adding(info)
    return names


def _source_of(image: ImageInfo) -> str:
    """What is the same of images of the same file, unchanged and opened alike."""
    return repr((image.source, image.fingerprint, image.arguments, image.spacing_um))


def found_pairs(images: str | Path, masks: str | Path | None = None) -> str:
    """Which pictures and masks :func:`add_pairs` would pair, in words; adds nothing. Raises WorkspaceError."""
    pairs, alone = match(_files(images), None if masks is None else _files(masks))
    pictures = [path.name for path, kind in alone if kind == "picture"]
    others = [path.name for path, kind in alone if kind == "mask"]
    words = [f"{len(pairs):,} pairs"]
    if pairs:
        words[0] += f", such as {pairs[0][0].name} with {pairs[0][1].name}"
    for what, names in (("pictures without a mask", pictures), ("masks without a picture", others)):
        if names:
            more = f" and {len(names) - 3:,} more" if len(names) > 3 else ""
            words.append(f"{len(names):,} {what}: {', '.join(names[:3])}{more}")
    return "; ".join(words)


def _level(store: Store, level: str | None) -> str:
    if level is None and len(store.levels.painted) != 1:
        names = ", ".join(map(repr, store.levels.painted)) or "none; ws.levels.add makes one"
        raise WorkspaceError(f"say into which level the masks go, level=: there are {names}")
    return store.levels[store.levels.painted[0] if level is None else level].name


def match(
    pictures: Sequence[Path], masks: Sequence[Path] | None
) -> tuple[list[tuple[Path, Path]], list[tuple[Path, str]]]:
    """Pairs of a picture and its mask, and what is left with what it is (``"picture"`` or ``"mask"``).

    Raises WorkspaceError where several masks fit one picture.
    """
    if masks is None:
        masks = [path for path in pictures if _without(stem(path), _WORDS) is not None]
        pictures = [path for path in pictures if path not in masks]
    by_key: dict[str, list[Path]] = {}
    for path in masks:
        by_key.setdefault(_key(path), []).append(path)
    pairs: list[tuple[Path, Path]] = []
    used: set[Path] = set()
    for picture in pictures:
        fitting = by_key.get(_key(picture), [])
        exact = [path for path in fitting if stem(path) == stem(picture)]
        fitting = exact if len(exact) == 1 else fitting
        if len(fitting) > 1:
            listed = ", ".join(path.name for path in fitting[:4])
            raise WorkspaceError(f"several masks fit {picture.name}: {listed}; leave one, or put the others elsewhere")
        if fitting and fitting[0] in used:
            raise WorkspaceError(
                f"{fitting[0].name} fits {picture.name} and another picture; rename one so that they differ"
            )
        if fitting:
            used.add(fitting[0])
            pairs.append((picture, fitting[0]))
    paired = {picture for picture, _ in pairs}
    alone = [(path, "picture") for path in pictures if path not in paired]
    return pairs, alone + [(path, "mask") for path in masks if path not in used]


def stem(path: Path) -> str:
    """The name of a file without what says its format."""
    lower = path.name.lower()
    for double in _DOUBLE:
        if lower.endswith(double):
            return path.name[: -len(double)]
    return path.stem


def _key(path: Path) -> str:
    """What the names of a picture and of its mask have in common."""
    name = unicodedata.normalize("NFC", stem(path)).lower()  # a Mac writes accents as letters of their own
    for words in (_WORDS, _PICTURE_WORDS):
        name = _without(name, words) or name
    return re.sub(_JOINT, "_", name)


def _without(name: str, words: Sequence[str]) -> str | None:
    """A name without one of these words at its end or beginning; None where it has none of them."""
    listed = "|".join(sorted((re.escape(word) for word in words), key=len, reverse=True))
    short = re.sub(rf"({_JOINT})({listed})$", "", name, flags=re.IGNORECASE)
    if short == name:
        short = re.sub(rf"^({listed})({_JOINT})", "", name, flags=re.IGNORECASE)
    return None if short == name else short


def _files(folder: str | Path) -> list[Path]:
    """What of a folder could be a picture: files and stores of the formats there are, in natural order."""
    from voxloop.volumes.formats.pictures import natural
    from voxloop.volumes.formats.registry import formats

    if not isinstance(folder, str | Path):
        raise WorkspaceError(f"{str(folder)[:60]!r} is no folder")
    try:
        place = Path(folder).expanduser().absolute()
        there = place.is_dir()
    except (OSError, RuntimeError, ValueError):  # a name too long, the home of nobody
        there = False
    if not there:
        raise WorkspaceError(f"{str(folder)[:200]!r} is no folder")
    suffixes = tuple(suffix for each in formats() for suffix in each.suffixes if suffix.startswith("."))
    found = [path for path in place.iterdir() if path.name.lower().endswith((*suffixes, ".zip", ".geojson"))]
    return sorted((path for path in found if not path.name.startswith(".") and path.suffix != ".txt"), key=natural)


def _no_pairs(images: str | Path, masks: str | Path | None, alone: Sequence[tuple[Path, str]]) -> str:
    if not alone:
        return f"{images} holds no pictures"
    names = ", ".join(path.name for path, kind in alone if kind == "picture") or "none"
    others = ", ".join(path.name for path, kind in alone if kind == "mask") or "none"
    where = f"in {images}" if masks is None else f"in {images} and {masks}"
    return (
        f"no picture {where} has a mask of its name (pictures: {names[:120]}; masks: {others[:120]}); call the mask of "
        "a.tif a.tif in another folder, or a_mask.tif"
    )
