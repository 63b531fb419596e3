"""bioimage.io packages of others, and our own, as models of voxloop. Knows no tiles."""

from __future__ import annotations

import hashlib
import io
import json
import math
import tempfile
import warnings
import zipfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np

from voxloop.archives import check_archive
from voxloop.deep.exchange.decoders import check_decoder
from voxloop.deep.exchange.intensities import normalisation_of
from voxloop.deep.exchange.layout import AXES, PackageLayout
from voxloop.deep.exchange.runtime import OnnxModel, write
from voxloop.deep.exchange.titles import is_background, name_classes
from voxloop.deep.objective.object_channels import ARROWS
from voxloop.errors import ModelError
from voxloop.geometry import Shape, Spacing
from voxloop.model import ModelSpec, Output
from voxloop.volumes import as_volume, channels_of, read_block, shape_zyx

#: an image of so many voxels is measured whole, a larger one in pieces of so many voxels (zyx), as many along each axis
MEASURED, PIECE, PIECES = 2**24, (4, 256, 256), 4
#: micrometres
_UNITS = {"angstrom": 1e-4, "nanometer": 1e-3, "micrometer": 1.0, "millimeter": 1e3, "centimeter": 1e4, "meter": 1e6}


def import_package(
    source: str | Path,
    folder: str | Path,
    *,
    image: Any = None,
    statistics: tuple[Any, Any] | None = None,
    background: bool | None = None,
    objects: str | None = None,
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
    background
        What becomes of output channels that say each something by itself (sigmoid), as foreground and boundary. True:
        a class of their own for each, and background before them, which is 1 - their largest; all are then divided by
        their sum. False: the channels are the classes, divided by their sum. None: True where no channel is called
        background.
    objects
        ``"cellpose"``: the channels are flows along y and x and the logit of cell; ``"stardist"``: a probability and
        rays, as many voxels as go in (grid 1). They are decoded as these programs do it, and ``ws.objects`` finds
        objects of the prediction. A halo as wide as an object keeps tiles from being seen.

    Raises
    ------
    ModelError
        It is no package of a network, has no ONNX weights, several inputs, a step that is not known here, gives
        anything but a probability for each voxel, or measures each picture and has neither image nor statistics.
    """
    from bioimageio.spec import ValidationContext

    core = bioimage_core()
    if _is_packed(source):
        check_archive(Path(source), error=ModelError)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            # without a look at the files that it names: they may lie anywhere, and behind any address
            with ValidationContext(perform_io_checks=False):
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
    remedy = (
        f"vl.bioimageio.import_package({str(source)!r}, {str(folder)!r}, image=volume), and predict with that folder"
    )
    spec = _spec_of(found, image, statistics, background, remedy, objects)
    with tempfile.TemporaryDirectory() as temporary:
        graph = Path(temporary) / "weights.onnx"
        graph.write_bytes(_weights(found.weights.onnx, source))
        return write(Path(folder), spec, graph)


def _is_packed(source: str | Path) -> bool:
    try:
        return zipfile.is_zipfile(str(source))
    except ValueError:  # a zero byte in its name
        return False


def _weights(onnx: Any, source: str | Path) -> bytes:
    """The graph that a package holds. Raises ModelError where it names one elsewhere, or another than it was."""
    named, root = str(onnx.source), Path(source)
    root = root if root.is_dir() else root.parent
    packed = _is_packed(source)
    # a package of somebody else must not have this machine ask an address, or read a file beside it
    elsewhere = "://" in named or Path(named).is_absolute() or ".." in Path(named).parts
    if elsewhere or not (packed or (root / named).resolve().is_relative_to(root.resolve())):
        raise ModelError(
            f"{source} names weights that are not in the package: {named[:200]}; download them yourself, put them "
            "beside its rdf.yaml and name that file"
        )
    try:
        graph: bytes = onnx.get_reader().read()
    except Exception as error:
        raise ModelError(f"{source}: its weights cannot be read: {_line(error)}") from error
    wanted = str(onnx.sha256 or "")
    if wanted and hashlib.sha256(graph).hexdigest() != wanted:
        raise ModelError(f"{source} is damaged: its weights are not those that it was made with")
    return graph


def _spec_of(
    package: Any,
    image: Any,
    statistics: tuple[Any, Any] | None,
    background: bool | None,
    remedy: str,
    objects: str | None = None,
) -> ModelSpec:
    """A spec for what a package describes; what voxloop once wrote in it counts first."""
    ours = _ours(package)
    if ours is not None:
        return ours
    taken, put = package.inputs[0], package.outputs[0]
    geometry = _geometry(taken, put)
    sample = None
    if image is not None:
        sample = partial(_sample, image)
    normalisation, measured = normalisation_of(
        taken.preprocessing,
        taken.axes,
        tensor=str(taken.id),
        sample=sample,
        statistics=statistics,
        remedy=remedy,
    )
    titles = _channel_names(put) or ["inside"]
    if objects is None:
        activation, apart = _activation(put, len(titles))
        with_background = _put_before(titles, apart, background)
        classes = name_classes(["background", *titles] if with_background else titles)
        output = Output(name="classes", kind="semantic", channels=len(classes))
    else:
        check_decoder(objects, len(titles), geometry.dimensions)
        activation, apart, with_background, classes = objects, False, False, ARROWS
        output = Output(name="objects", kind="flow", channels=len(classes))
    extra: dict[str, Any] = {"activation": activation, "title": str(package.name), "layout": geometry.layout.to_json()}
    if apart:
        extra["background"] = with_background
    if measured:
        extra["measured"] = measured
    return ModelSpec(
        learner="onnx",
        dimensions=geometry.dimensions,
        channels=len(_channel_names(taken) or [""]),
        classes=classes,
        outputs=(output,),
        normalisation=normalisation,
        stride=geometry.stride,
        halo=geometry.halo,
        window=geometry.window,
        spacing_um=geometry.spacing_um,
        extra=extra,
    )


def _ours(package: Any) -> ModelSpec | None:
    """The spec that voxloop wrote in a package; None where another program made it."""
    written = None
    if package.config is not None:
        written = (package.config.model_extra or {}).get("voxloop")
    if not written:
        return None
    spec = ModelSpec.from_json({**json.loads(json.dumps(written)), "learner": "onnx"})
    return replace(spec, extra={**spec.extra, "activation": spec.activation})


def _channel_names(tensor: Any) -> list[str]:
    """Names along the channel axis of a tensor; empty where it has none."""
    for axis in tensor.axes:
        if axis.type == "channel":
            return [str(name) for name in axis.channel_names]
    return []


@dataclass(frozen=True, slots=True)
class _Geometry:
    """What a spec says of blocks, zyx, and how the tensors of the package are laid out."""

    dimensions: int
    stride: Shape
    halo: Shape | None
    window: Shape
    spacing_um: Spacing | None
    layout: PackageLayout


def _geometry(given: Any, output: Any) -> _Geometry:
    """Blocks as a package takes them. Raises ModelError where a volume cannot be tiled with them."""
    taken, put = _letters(given.axes), _letters(output.axes)
    picture = _tiled_axes(taken)
    for axis in picture:
        _check_size(axis, taken[axis], put.get(axis), str(given.id))

    def each(what: Callable[[str], Any]) -> list[Any]:
        return [what(axis) if axis in picture else 1 for axis in "zyx"]

    step = each(lambda axis: int(taken[axis].size.step))
    least = each(lambda axis: int(taken[axis].size.min))
    halo = each(lambda axis: int(getattr(put[axis], "halo", 0)))
    spacing_um = each(lambda axis: _micrometres(taken[axis]))
    if len(picture) == 2:  # planes: nothing is known of what lies between them
        halo[0], spacing_um[0] = 0, spacing_um[1]
    return _Geometry(
        dimensions=len(picture),
        stride=_shape(step),
        halo=_shape(halo) if any(halo) else None,
        window=_shape([-(-a // b) * b for a, b in zip(least, step, strict=True)]),
        spacing_um=None if None in spacing_um else _shape(spacing_um),
        layout=PackageLayout(input="".join(taken), output="".join(put), least=_shape(least), step=_shape(step)),
    )


def _tiled_axes(taken: Mapping[str, Any]) -> list[str]:
    """Axes of a picture, of those that the network takes. Raises ModelError where one cannot be of any size."""
    single = [axis for axis, described in taken.items() if axis in "zyx" and isinstance(described.size, int)]
    fixed = [axis for axis in single if taken[axis].size != 1 or axis != "z"]
    if fixed:
        raise ModelError(f"this network takes blocks of one size only along {', '.join(fixed)}; it cannot be tiled")
    picture = [axis for axis in "zyx" if axis in taken and axis not in single]
    for axis in picture:
        if not hasattr(taken[axis].size, "step"):
            raise ModelError(
                f"this network takes blocks whose size along {axis} hangs on another axis; it cannot be tiled"
            )
    return picture


def _letters(axes: Sequence[Any]) -> dict[str, Any]:
    """Axes of a tensor by letter, in its order. Raises ModelError for what voxloop has no axis for."""
    found: dict[str, Any] = {}
    for axis in axes:
        letter = {"batch": "b", "channel": "c"}.get(axis.type, str(axis.id) if axis.type == "space" else "")
        if letter not in tuple(AXES) or letter in found:
            raise ModelError(
                f"this network has an axis {str(axis.id)!r} of {axis.type}; only batch, channel, z, y, x work"
            )
        found[letter] = axis
    if not {"y", "x"} <= set(found):
        raise ModelError(f"this network takes no pictures or volumes: its axes are {', '.join(found)}")
    return found


def _check_size(axis: str, given: Any, out: Any, tensor: str) -> None:
    """Raises ModelError where what comes out along an axis is not as large as what goes in, voxel by voxel."""
    size: Any = getattr(out, "size", None)
    if str(getattr(size, "axis_id", "")) != axis or str(getattr(size, "tensor_id", "")) != tensor:
        raise ModelError(f"this network does not give along {axis} what it takes there; it cannot be tiled")
    if not math.isclose(out.scale, given.scale):
        raise ModelError(
            f"this network gives voxels {out.scale / given.scale:g} times as large along {axis} as it takes; only "
            "networks that say something of each voxel can be predicted with"
        )
    if size.offset:
        more = f"{abs(size.offset)} voxels {'less' if size.offset < 0 else 'more'}"
        raise ModelError(
            f"this network gives {more} along {axis} than it takes; "
            " only networks that say something of each voxel can be predicted with (pad its convolutions)"
        )


def _micrometres(axis: Any) -> float | None:
    unit = _UNITS.get(str(axis.unit))
    return None if unit is None else float(axis.scale) * unit


def _shape(values: Sequence[Any]) -> Any:
    return values[0], values[1], values[2]


def _put_before(titles: Sequence[str], apart: bool, background: bool | None) -> bool:
    """Whether a background class comes before the channels."""
    if not apart:
        if background:
            raise ModelError(
                f"channels {', '.join(titles)} share out a probability of 1 already (softmax), so nothing is left for "
                "a background; leave background=None"
            )
        return False
    if background is None:
        return len(titles) == 1 or not any(map(is_background, titles))
    if not background and len(titles) == 1:
        raise ModelError(
            f"background=False: {titles[0]} is the only class then, with nothing beside it; leave background=None"
        )
    return background


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


def _activation(output: Any, channels: int) -> tuple[str, bool]:
    """What makes probabilities, and whether each channel says something by itself.

    As the package says; without a word the test tensor tells probabilities from logits.
    """
    if getattr(output.data, "values", None) is not None:
        raise ModelError("this package gives labels, not probabilities; only networks that give probabilities work")
    steps = [step for step in output.postprocessing if step.id != "ensure_dtype"]
    if len(steps) == 1 and steps[0].id == "sigmoid":
        return "sigmoid", True
    if len(steps) == 1 and steps[0].id == "softmax" and channels > 1:
        along = str(steps[0].kwargs.axis)
        if along not in [str(found.id) for found in output.axes if found.type == "channel"]:
            raise ModelError(
                f"this package takes the softmax along {along}; only along channels it gives probabilities"
            )
        return "softmax", False
    if steps:
        names = ", ".join(step.id for step in steps)
        raise ModelError(
            f"this package ends in {names}, which gives no probabilities; sigmoid, softmax or no step at all work"
        )
    values = tensor(output).astype(np.float64)
    if values.min() < 0 or values.max() > 1:
        return ("softmax", False) if channels > 1 else ("sigmoid", True)
    channel = next((i for i, axis in enumerate(output.axes) if axis.type == "channel"), 0)
    shares = channels > 1 and np.allclose(values.sum(channel), 1, atol=1e-3)
    return "none", not shares


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
