"""bioimage.io packages of others, and our own, as models of voxloop. Knows no tiles."""

from __future__ import annotations

import io
import json
import tempfile
import warnings
from dataclasses import replace
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np

from voxloop.deep.intensities import normalisation_of
from voxloop.deep.runtime import OnnxModel, write
from voxloop.errors import ModelError
from voxloop.model import ClassInfo, ModelSpec, Output
from voxloop.volumes.volume import as_volume, channels_of, read_block, shape_zyx

#: an image of so many voxels is measured whole, a larger one in pieces of so many voxels (zyx), as many along each axis
MEASURED, PIECE, PIECES = 2**24, (4, 256, 256), 4


def import_package(
    source: str | Path, folder: str | Path, *, image: Any = None, statistics: tuple[Any, Any] | None = None
) -> OnnxModel:
    """Make a model folder of a bioimage.io package: a ``.zip``, a folder, or its ``rdf.yaml``.

    Only ONNX weights are opened: those of other kinds are, or come with, code that would run.

    Parameters
    ----------
    image
        For packages that measure each picture by itself (``zero_mean_unit_variance``, ``scale_range``, ``clip`` at
        percentiles): a volume, or an array (c, z, y, x), (z, y, x) or (y, x). It is measured once, small ones whole and
        large ones in pieces spread over them, and what was found is kept in the model, the same for every tile and
        every image: ``model.spec.extra["measured"]`` says it in words. Not looked at where numbers are fixed.
    statistics
        In its place, what the package would measure: mean and deviation, or the values at its lower and upper
        percentile; one number, or one for each channel.

    Raises
    ------
    ModelError
        It is no package of a network, has no ONNX weights, several inputs, a step that is not known here, or measures
        each picture and there is neither image nor statistics.
    """
    core = bioimage_core()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            found = core.load_model_description(str(source))
    except Exception as error:
        raise ModelError(f"{source} is no bioimage.io package of a network: {_line(error)}") from error
    if found.weights.onnx is None:
        kinds = [kind for kind, value in found.weights if value is not None]
        raise ModelError(
            f"{source} has {', '.join(kinds)} weights, but voxloop opens only ONNX, which cannot run foreign code; "
            "convert it with 'bioimageio add-weights'"
        )
    if len(found.inputs) != 1:
        raise ModelError(f"{source} takes {len(found.inputs)} inputs; only networks of one can be predicted with")
    remedy = f"vl.import_package({str(source)!r}, {str(folder)!r}, image=volume), and predict with that folder"
    spec = _spec_of(found, image, statistics, remedy)
    with tempfile.TemporaryDirectory() as temporary:
        graph = Path(temporary) / "weights.onnx"
        graph.write_bytes(found.weights.onnx.get_reader().read())
        return write(Path(folder), spec, graph)


def _spec_of(found: Any, image: Any, statistics: tuple[Any, Any] | None, remedy: str) -> ModelSpec:
    """A spec for what a package describes; what voxloop once wrote in it counts first."""
    given = found.inputs[0]
    ours = (found.config.model_extra or {}).get("voxloop") if found.config is not None else None
    sizes = {str(axis.id): axis.size for axis in given.axes if axis.type == "space"}
    if not sizes or "time" in {axis.type for axis in given.axes}:
        raise ModelError("this network takes no pictures or volumes")
    fixed = [axis for axis, size in sizes.items() if isinstance(size, int) and size != 1]
    if fixed:
        raise ModelError(f"this network takes blocks of one size only along {', '.join(fixed)}; it cannot be tiled")
    if ours:
        spec = ModelSpec.from_json({**json.loads(json.dumps(ours)), "learner": "onnx"})
        if spec.extra.get("slices", 1) != 1:
            raise ModelError("this network looks at several slices at once; open the model folder it was made of")
        return replace(spec, extra={**spec.extra, "activation": spec.activation})
    normalisation, measured = normalisation_of(
        given.preprocessing, given.axes, tensor=str(given.id), sample=None if image is None else lambda: _sample(image),
        statistics=statistics, remedy=remedy,
    )  # fmt: skip
    output = found.outputs[0]
    channels = next((len(axis.channel_names) for axis in given.axes if axis.type == "channel"), 1)
    titles = next(([str(n) for n in axis.channel_names] for axis in output.axes if axis.type == "channel"), ["inside"])
    activation = _activation(output, len(titles))
    if len(titles) == 1:
        titles = ["background", titles[0]]
    steps = [int(getattr(size, "step", 1) or 1) for size in sizes.values()]
    stride = (1, *steps) if len(steps) == 2 else tuple(steps)
    scales = [float(axis.scale) for axis in given.axes if axis.type == "space"]
    known = all(str(axis.unit) == "micrometer" for axis in given.axes if axis.type == "space")
    spacing = (scales[0], *scales) if len(scales) == 2 else tuple(scales)
    return ModelSpec(
        learner="onnx", channels=channels, dimensions=len(steps), stride=stride,  # type: ignore[arg-type]
        classes=tuple(ClassInfo(value=i + 1, name=title, background=i == 0 and title in ("background", "bg"))
                      for i, title in enumerate(titles)),
        outputs=(Output(name="classes", kind="semantic", channels=len(titles)),), halo=None,
        spacing_um=spacing if known else None,  # type: ignore[arg-type]
        normalisation=normalisation,
        extra={"activation": activation, "title": str(found.name), **({"measured": measured} if measured else {})},
    )  # fmt: skip


def _sample(image: Any) -> np.ndarray:
    """Intensities (c, n) of an image, from pieces spread over it where it is large."""
    volume = as_volume(image)
    shape = shape_zyx(volume)
    if np.prod(shape, dtype=float) <= MEASURED:
        return read_block(volume).reshape(channels_of(volume), -1)
    pieces = [
        read_block(volume, tuple(slice(a, min(a + n, size)) for a, n, size in zip(corner, PIECE, shape, strict=True)))
        for corner in product(*(_starts(size, piece) for size, piece in zip(shape, PIECE, strict=True)))
    ]
    return np.concatenate([piece.reshape(len(piece), -1) for piece in pieces], 1)


def _starts(size: int, piece: int) -> list[int]:
    """Where pieces of an axis begin, from end to end; the last of an axis that is shorter is all of it."""
    last = max(0, size - piece)
    return sorted({round(last * i / (PIECES - 1)) for i in range(PIECES)})


def _activation(output: Any, channels: int) -> str:
    """What makes probabilities: as the package says; without a word, logits of classes are taken for granted."""
    named = [step.id for step in output.postprocessing if step.id not in ("ensure_dtype",)]
    for kind in ("softmax", "sigmoid"):
        if kind in named:
            return kind
    if named:
        raise ModelError(f"this package ends in a step that gives no probabilities: {', '.join(named)}")
    return "softmax" if channels > 1 else "none"


def bioimage_core() -> Any:
    try:
        import bioimageio.core
    except ImportError:
        raise ModelError("bioimage.io packages need bioimageio.core; pip install 'voxloop[exchange]'") from None
    return bioimageio.core


def _line(error: Exception) -> str:
    return " ".join(str(error).split())[:300]


def tensor(found: Any) -> np.ndarray:
    """A test tensor of a package."""
    array: np.ndarray = np.load(io.BytesIO(found.test_tensor.get_reader().read()))
    return array
