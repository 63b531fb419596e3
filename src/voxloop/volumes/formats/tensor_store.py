"""Neuroglancer precomputed and N5 through tensorstore, local or behind an address. Reads metadata only."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import numpy as np

from voxloop.errors import VolumeError
from voxloop.volumes.axes import letter_of
from voxloop.volumes.formats.contract import Contents, Format, Source
from voxloop.volumes.formats.extra import needed
from voxloop.volumes.metadata import Notes, length_unit

_PRECOMPUTED, _N5 = "precomputed://", "n5://"
_TRIES = 3
_INFO, _ATTRIBUTES = "info", "attributes.json"


def _context(tensorstore: Any) -> Any:
    """How often an address that does not answer is tried: the library's own patience is minutes."""
    few = {"max_retries": _TRIES, "initial_delay": "300ms", "max_delay": "1s"}
    return tensorstore.Context(
        dict.fromkeys(("http_request_retries", "gcs_request_retries", "s3_request_retries"), few)
    )


class Stored:
    """An array of tensorstore, from its first voxel on, that reads when it is sliced."""

    def __init__(self, store: Any) -> None:
        import tensorstore

        self._store = store[tensorstore.d[:].translate_to[0]]
        self.shape = tuple(int(size) for size in store.shape)
        self.dtype = np.dtype(store.dtype.numpy_dtype)
        self.ndim = len(self.shape)
        chunk = store.chunk_layout.read_chunk.shape
        self.chunks = tuple(int(size) for size in chunk) if chunk and all(chunk) else None

    def __getitem__(self, key: tuple[slice, ...]) -> np.ndarray:
        return np.asarray(self._store[key].read().result())


def contents_of(store: Any) -> Contents:
    """What an array of tensorstore is: labels of its domain are the axes, units of its dimensions the voxel size."""
    notes = Notes()
    stored = Stored(store)
    letters = [letter_of(label) if label else "?" for label in store.domain.labels]
    axes = "".join(letter if letters.count(letter) == 1 else "?" for letter in letters)
    sizes: dict[str | int, float] = {}
    origin: dict[str | int, float] = {}
    for place, unit in enumerate(notes.attempt("its units", lambda: list(store.dimension_units), [])):
        if unit is None or axes[place] not in "zyx?":
            continue
        um = length_unit(unit.base_unit)
        size = notes.size(f"the voxel size of axis {place}", unit.multiplier, um)
        if size is not None:
            sizes[place] = size
            origin[place] = int(store.domain.origin[place]) * size
    return Contents(
        array=stored, axes=axes, spacing_um=sizes, origin_um=origin, chunks=stored.chunks, remarks=notes.remarks
    )


def read(source: Source) -> Contents:
    """The scale of a precomputed volume, or the dataset of an N5 container."""
    tensorstore = needed("tensorstore", "This kind of store")
    place, driver = _place(source)
    if driver == _N5:
        return _read_n5(tensorstore, source, place)
    if source.dataset is not None:
        raise VolumeError(f"{source.text} is one volume; dataset={source.dataset!r} is not there")
    base = _kvstore(place)
    info = _info(tensorstore, base, source)
    scales = info.get("scales") or []
    if not scales:
        raise VolumeError(f"{source.text} names no scales; is the copy complete?")
    if source.scale >= len(scales):
        raise VolumeError(f"{source.text} has {len(scales)} scales; scale={source.scale} is not one of them")
    spec = {"driver": "neuroglancer_precomputed", "kvstore": base, "scale_index": source.scale}
    contents = contents_of(tensorstore.open(spec, read=True, open=True, context=_context(tensorstore)).result())
    return Contents(
        array=contents.array,
        axes="xyzc",  # the format's own order
        spacing_um=contents.spacing_um,
        origin_um=contents.origin_um,
        chunks=contents.chunks,
        scale_count=len(scales),
        labels=info.get("type") == "segmentation",
        remarks=contents.remarks,
    )


def _read_n5(tensorstore: Any, source: Source, place: str) -> Contents:
    path = Path(place) if "://" not in place else None
    dataset = (source.dataset or "").strip("/")
    if path is not None and not _is_n5_array(path / dataset):
        arrays = _n5_arrays(path)
        if dataset or len(arrays) != 1:
            from voxloop.volumes.formats.hdf5 import choose

            choose(source, arrays)
        dataset = next(iter(arrays))
    base = _kvstore(f"{place.rstrip('/')}/{dataset}" if dataset else place)
    contents = contents_of(
        tensorstore.open(
            {"driver": "n5", "kvstore": base}, read=True, open=True, context=_context(tensorstore)
        ).result()
    )
    notes = Notes()
    attributes = notes.attempt("its attributes", lambda: _read_json(tensorstore, base, _ATTRIBUTES), {})
    sizes = notes.attempt("the voxel size", lambda: _n5_sizes(attributes, len(contents.axes)), {})
    axes = contents.axes
    if not axes.strip("?"):  # N5 lists the fastest axis first, as its programs do
        axes = {2: "xy", 3: "xyz", 4: "xyzc"}.get(len(axes), axes)
    return Contents(
        array=contents.array,
        axes=axes,
        spacing_um={**sizes, **contents.spacing_um},
        chunks=contents.chunks,
        remarks=[*contents.remarks, *notes.remarks],
    )


def _n5_sizes(attributes: dict[str, Any], count: int) -> dict[str | int, float]:
    """Micrometres from ``pixelResolution`` or ``resolution`` with ``units``, by the place of an axis."""
    noted = attributes.get("pixelResolution")
    if isinstance(noted, dict):
        values, unit = noted.get("dimensions", ()), length_unit(noted.get("unit", "um"))
    else:
        values = noted or attributes.get("resolution") or ()
        units = attributes.get("units") or ["nm" if noted is None else "um"]
        unit = length_unit(units[0] if isinstance(units, list) else units)
    if unit is None:
        return {}
    return {place: float(value) * unit for place, value in enumerate(list(values)[:count]) if float(value) > 0}


def _is_n5_array(path: Path) -> bool:
    try:
        noted = json.loads((path / _ATTRIBUTES).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return False
    return isinstance(noted, dict) and "dimensions" in noted and "blockSize" in noted


def _n5_arrays(path: Path) -> dict[str, tuple[int, ...]]:
    """Shapes of the datasets of a container, three folders deep: blocks lie in folders too, in their millions."""
    arrays = {}
    for depth in ("*", "*/*", "*/*/*"):
        for place in sorted(path.glob(f"{depth}/{_ATTRIBUTES}")):
            if _is_n5_array(place.parent):
                noted = json.loads(place.read_text(encoding="utf-8"))
                arrays[str(place.parent.relative_to(path))] = tuple(noted["dimensions"])
    return arrays


def _place(source: Source) -> tuple[str, str]:
    """Where the store lies, and of which kind it is."""
    if source.path is not None:
        return str(source.path), _PRECOMPUTED if (source.path / _INFO).is_file() else _N5
    for kind in (_PRECOMPUTED, _N5):
        if source.text.startswith(kind):
            return source.text.removeprefix(kind), kind
    raise VolumeError(f"{source.text} is no address of a store")


def _kvstore(place: str) -> dict[str, Any] | str:
    """A place as tensorstore takes it; a path with percent signs or blanks is no address."""
    if place.startswith("file://"):
        place = unquote(urlsplit(place).path)
    if "://" not in place:
        return {"driver": "file", "path": str(Path(place).expanduser().absolute()) + "/"}
    return place.rstrip("/") + "/"


def _info(tensorstore: Any, base: Any, source: Source) -> dict[str, Any]:
    try:
        info = _read_json(tensorstore, base, _INFO)
    except Exception as error:  # every kind of store raises its own
        raise VolumeError(f"{source.text} is no precomputed volume: its info cannot be read") from error
    if not isinstance(info, dict):
        raise VolumeError(f"{source.text} is no precomputed volume: its info says nothing")
    return info


def _read_json(tensorstore: Any, base: Any, name: str) -> Any:
    return json.loads(tensorstore.KvStore.open(base, context=_context(tensorstore)).result().read(name).result().value)


def _accepts(source: Source) -> bool:
    if source.items is not None:
        return False
    if source.path is None:
        return source.text.startswith((_PRECOMPUTED, _N5))
    if not source.path.is_dir():
        return False
    if source.path.name.lower().endswith(".n5") or _is_n5_array(source.path):
        return True
    info = source.path / _INFO
    return info.is_file() and '"scales"' in info.read_text(encoding="utf-8", errors="replace")[:100_000]


FORMAT = Format(name="precomputed/N5", suffixes=(".n5", _PRECOMPUTED), accepts=_accepts, read=read)
