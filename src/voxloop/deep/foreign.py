"""bioimage.io packages of others, and our own, as models of voxloop. Knows no tiles."""

from __future__ import annotations

import io
import json
import tempfile
import warnings
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from voxloop.deep.runtime import OnnxModel, write
from voxloop.errors import ModelError
from voxloop.model import ClassInfo, ModelSpec, Output


def import_package(
    source: str | Path, folder: str | Path, *, statistics: tuple[float, float] | None = None
) -> OnnxModel:
    """Make a model folder of a bioimage.io package: a ``.zip``, a folder, or its ``rdf.yaml``.

    Only ONNX weights are opened: those of other kinds are, or come with, code that would run.

    Parameters
    ----------
    statistics
        Mean and standard deviation of intensities, for packages that normalise each picture by its own: the same for
        every tile, or tiles would not fit each other.

    Raises
    ------
    ModelError
        It is no package of a network, has no ONNX weights, several inputs, or a step that is not known here.
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
    spec = _spec_of(found, statistics)
    with tempfile.TemporaryDirectory() as temporary:
        graph = Path(temporary) / "weights.onnx"
        graph.write_bytes(found.weights.onnx.get_reader().read())
        return write(Path(folder), spec, graph)


def _spec_of(found: Any, statistics: tuple[float, float] | None) -> ModelSpec:
    """A spec for what a package describes; what voxloop once wrote in it counts first."""
    given = found.inputs[0]
    ours = (found.config.model_extra or {}).get("voxloop") if found.config is not None else None
    sizes = {str(axis.id): axis.size for axis in given.axes if axis.type == "space"}
    if not sizes or "time" in {axis.type for axis in given.axes}:
        raise ModelError("this network takes no pictures or volumes")
    fixed = [axis for axis, size in sizes.items() if isinstance(size, int) and size != 1]
    if fixed:
        raise ModelError(f"this network takes blocks of one size only along {', '.join(fixed)}; it cannot be tiled")
    mean, deviation = _normalisation(given, statistics)
    if ours:
        spec = ModelSpec.from_json({**json.loads(json.dumps(ours)), "learner": "onnx"})
        if spec.extra.get("slices", 1) != 1:
            raise ModelError("this network looks at several slices at once; open the model folder it was made of")
        return replace(spec, extra={**spec.extra, "activation": spec.activation})
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
        normalisation={"mean": mean * (channels if len(mean) == 1 else 1),
                       "deviation": deviation * (channels if len(deviation) == 1 else 1)},
        extra={"activation": activation, "title": str(found.name)},
    )  # fmt: skip


def _normalisation(given: Any, statistics: tuple[float, float] | None) -> tuple[list[float], list[float]]:
    mean, deviation = [0.0], [1.0]
    for step in given.preprocessing:
        kwargs = step.kwargs
        if step.id == "ensure_dtype":
            continue
        if step.id == "fixed_zero_mean_unit_variance":
            mean, deviation = np.atleast_1d(kwargs.mean).tolist(), np.atleast_1d(kwargs.std).tolist()
        elif step.id == "scale_linear":
            gain, offset = np.atleast_1d(kwargs.gain), np.atleast_1d(kwargs.offset)
            mean, deviation = (-offset / gain).tolist(), (1 / gain).tolist()
        elif step.id == "zero_mean_unit_variance" and statistics is not None:
            mean, deviation = [float(statistics[0])], [float(statistics[1])]
        elif step.id in ("zero_mean_unit_variance", "scale_range"):
            raise ModelError(
                f"this package normalises each picture by itself ({step.id}), so tiles would not fit each other; give "
                "statistics=(mean, deviation) of your images, which is then used everywhere"
                if step.id == "zero_mean_unit_variance"
                else "this package stretches each picture between percentiles of its own (scale_range), which tiles "
                "cannot do"
            )
        else:
            raise ModelError(f"this package prepares pictures in a way that is not known here: {step.id}")
    return mean, deviation


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
