"""Trained networks as bioimage.io packages, for other programs; the way back is in foreign.py."""

from __future__ import annotations

import json
import os
import shutil
import tempfile
import warnings
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from voxloop.deep.exchange.foreign import bioimage_core, tensor
from voxloop.deep.exchange.foreign import import_package as import_package
from voxloop.deep.exchange.intensities import exposure_words
from voxloop.deep.exchange.runtime import export_graph, export_program
from voxloop.deep.predict.model import NetworkModel
from voxloop.errors import ModelError
from voxloop.given import flag, path_of, shown
from voxloop.model import ModelSpec

if TYPE_CHECKING:
    from torch import Tensor, nn

#: pixels, voxels a side of the test tensors
TEST_SIZE = {2: (256, 256), 3: (32, 128, 128)}
#: outputs of the two kinds of weights may differ by so much from the test tensor
TOLERANCE = 1e-4
#: what a package says of its licence where nobody else does
LICENSE = "CC-BY-4.0"


@dataclass(frozen=True, slots=True, kw_only=True)
class Package:
    """A package that was written.

    ``difference``: largest difference in probability to the test tensor, by kind of weights, as bioimageio.core finds
    it from the package; ``problems``: what it did not like; ``program``: the ``torch.export`` beside it, or why none.
    """

    path: Path
    difference: dict[str, float]
    problems: tuple[str, ...] = ()
    program: Path | None = None
    no_program: str = ""

    def __str__(self) -> str:
        parts = [f"{kind} differs by {value:.1e}" for kind, value in self.difference.items()]
        state = "; ".join(self.problems) or "valid"
        beside = ""
        if self.program:
            beside = f"; {self.program}"
        elif self.no_program:
            beside = f"; no torch.export: {self.no_program}"
        return f"{self.path}: {state}; {', '.join(parts)}{beside}"


def export_package(
    model: NetworkModel,
    path: str | Path,
    *,
    sample: np.ndarray | None = None,
    name: str = "",
    description: str = "",
    authors: Sequence[str] = (),
    overwrite: bool = False,
) -> Package:
    """Write a network as a bioimage.io package and let bioimageio.core try it.

    The package holds ONNX weights, a pytorch_state_dict where the network is one that a library builds
    (segmentation-models-pytorch in 2-D, MONAI in 3-D), and test tensors. Beside it lies ``<name>.pt2`` for
    ``torch.export`` where the network allows it.

    Parameters
    ----------
    path
        Ends in ``.zip``.
    sample
        Raw intensities (c, z, y, x) to make the test tensor of, large enough for one block; noise where not given.
    name, description, authors
        What the package says about itself.

    Raises
    ------
    ModelError
        The path or the ``.pt2`` beside it exists, the exporters are not installed, or the network cannot be written as
        ONNX.
    """
    path, overwrite = path_of(path, error=ModelError), flag("overwrite", overwrite, error=ModelError)
    if not isinstance(model, NetworkModel):
        raise ModelError(f"{shown(model)} is no network; only networks become bioimage.io packages")
    if path.suffix != ".zip":
        raise ModelError(f"a package is a .zip file, not {path.name!r}")
    beside = path.with_suffix(".pt2")
    for there in (path, beside):
        if there.exists() and not overwrite:
            raise ModelError(f"{there} exists already; overwrite=True replaces it")
    bioimage_core()
    spec = _at_scale(model.spec)
    module = _core(model.module(), spec)
    with tempfile.TemporaryDirectory() as folder:
        where = Path(folder)
        graph = export_graph(module, spec, where / "weights.onnx", _channels(spec))
        x, y = _test_tensors(module, spec, sample)
        np.save(where / "input.npy", x)
        np.save(where / "output.npy", y)
        (where / "README.md").write_text(_readme(spec, name or spec.extra.get("title", "network")))
        new = where / path.name
        _saved(_describe(spec, module, where, graph, name, description, authors), new)
        difference, problems = _tried(new)
        program, why = None, ""
        try:
            program = export_program(module, spec, where / beside.name, _channels(spec))
        except ModelError as error:
            why = str(error)
        path.parent.mkdir(parents=True, exist_ok=True)
        _put(new, path)
        beside.unlink(missing_ok=True)  # it would be of the package that was replaced
        program = None if program is None else _put(program, beside)
    return Package(path=path, difference=difference, problems=problems, program=program, no_program=why)


def _core(module: nn.Module, spec: ModelSpec) -> nn.Module:
    """Without our wrapper that pads: packages say which sizes they take instead."""
    inner = module._modules.get("core") if "network" in spec.extra else None
    return inner if inner is not None else module


def _channels(spec: ModelSpec) -> int:
    return spec.channels * int(spec.extra.get("slices", 1))


def _at_scale(spec: ModelSpec) -> ModelSpec:
    """The network itself: it works on voxels of another size than the volume's."""
    scale = float(spec.extra.get("scale", 1.0))
    zoom = spec.extra.get("zoom", (1.0, scale, scale))
    if all(step == 1 for step in zoom):
        return spec
    own: dict[str, Any] = {
        name: tuple(max(least, round(n * step)) for n, step in zip(size, zoom, strict=True))
        for name, least in (("stride", 1), ("halo", 0), ("window", 1))
        if (size := getattr(spec, name)) is not None
    }
    spacing = spec.spacing_um and tuple(size / step for size, step in zip(spec.spacing_um, zoom, strict=True))
    return replace(spec, spacing_um=spacing, **own)


def _test_tensors(module: nn.Module, spec: ModelSpec, sample: np.ndarray | None) -> tuple[np.ndarray, np.ndarray]:
    """Raw intensities (1, c, ...) and the probabilities that the network gives for them."""
    import torch

    channels = _channels(spec)
    size = TEST_SIZE[spec.dimensions]
    mean, deviation = _statistics(spec)
    rng = np.random.default_rng(0)
    shape = (1, channels, *size)
    line = (1, channels, *(1 for _ in size))
    x = (rng.normal(size=shape) * np.reshape(deviation, line) + np.reshape(mean, line)).astype(np.float32)
    if sample is not None:
        given = np.asarray(sample, np.float32)
        given = given if spec.dimensions == 3 else given.reshape(-1, *given.shape[2:])[:channels]
        if given.shape[0] == channels and all(n >= wanted for n, wanted in zip(given.shape[1:], size, strict=True)):
            x = np.ascontiguousarray(given[(None, slice(None), *(slice(0, wanted) for wanted in size))])
    low, high = _bounds(spec) or (-np.inf, np.inf)
    normalised = (x.clip(low, high) - np.reshape(mean, line)) / np.reshape(deviation, line)
    with torch.inference_mode():
        out = module.cpu().eval()(torch.from_numpy(normalised.astype(np.float32)))
        y = out.sigmoid() if spec.activation == "sigmoid" else out.softmax(1)
    return x, y.numpy()


def _statistics(spec: ModelSpec) -> tuple[list[float], list[float]]:
    slices = int(spec.extra.get("slices", 1))
    mean = spec.normalisation.get("mean", [0.0] * spec.channels)
    deviation = spec.normalisation.get("deviation", [1.0] * spec.channels)
    return [float(v) for v in np.repeat(mean, slices)], [float(v) for v in np.repeat(deviation, slices)]


def _bounds(spec: ModelSpec) -> tuple[float, float] | None:
    """Where intensities are cut off. Raises ModelError where that differs between channels: a package has no words."""
    low, high = (set(spec.normalisation.get(name, [])) for name in ("low", "high"))
    if not low:
        return None
    if len(low) > 1 or len(high) > 1:
        raise ModelError(
            "this model cuts the intensities of its channels off at bounds of their own, which a bioimage.io package "
            "cannot say; train with clip_deviations=0 to export it"
        )
    return low.pop(), high.pop()


def _describe(
    spec: ModelSpec, module: nn.Module, where: Path, graph: Path, name: str, description: str, authors: Sequence[str]
) -> Any:
    """The description of a package whose files lie in ``where``."""
    from bioimageio.spec.model import v0_5 as b

    space_in, space_out = _space_axes(spec)
    taken = b.InputTensorDescr(
        id=b.TensorId("input0"),
        test_tensor=b.FileDescr(source=where / "input.npy"),
        axes=[b.BatchAxis(), _channel_axis(_intensity_names(spec)), *space_in],
        data=b.IntervalOrRatioDataDescr(type="float32"),
        preprocessing=_preprocessing(spec),
    )
    put = b.OutputTensorDescr(
        id=b.TensorId("output0"),
        test_tensor=b.FileDescr(source=where / "output.npy"),
        axes=[b.BatchAxis(), _channel_axis([item.name for item in spec.classes]), *space_out],
        data=b.IntervalOrRatioDataDescr(type="float32"),
        postprocessing=[_postprocessing(spec)],
    )
    title = name or str(spec.extra.get("title", "network"))
    return b.ModelDescr(
        name="".join(c if c.isalnum() or c in " _-+()" else "-" for c in title)[:128],
        description=description or f"Tells apart {', '.join(item.name for item in spec.classes)}; trained with voxloop",
        authors=[b.Author(name=author) for author in authors or ["unknown"]],
        cite=[b.CiteEntry(text="voxloop", url="https://github.com/voxloop/voxloop")],
        license=b.LicenseId(LICENSE),
        documentation=b.FileDescr(source=where / "README.md"),
        inputs=[taken],
        outputs=[put],
        weights=_weights(spec, module, where, graph),
        config=b.Config(**{"voxloop": json.loads(json.dumps(_kept(spec)))}),
    )


def _space_axes(spec: ModelSpec) -> tuple[list[Any], list[Any]]:
    """Axes in space of what the network takes, and of what it gives: as large, voxel by voxel."""
    from bioimageio.spec.model import v0_5 as b

    axes = "zyx"[-spec.dimensions :]
    smallest = 64 if spec.dimensions == 2 else 16
    space_in, space_out = [], []
    for axis, step in zip(axes, spec.stride[-spec.dimensions :], strict=True):
        scale: dict[str, Any] = {}
        if spec.spacing_um is not None:
            scale = {"scale": spec.spacing_um["zyx".index(axis)], "unit": "micrometer"}
        size = b.ParameterizedSize(min=step * max(2, -(-smallest // step)), step=step)
        space_in.append(b.SpaceInputAxis(id=b.AxisId(axis), size=size, **scale))
        same = b.SizeReference(tensor_id=b.TensorId("input0"), axis_id=b.AxisId(axis))
        space_out.append(b.SpaceOutputAxis(id=b.AxisId(axis), size=same, **scale))
    return space_in, space_out


def _channel_axis(names: Sequence[str]) -> Any:
    from bioimageio.spec.model import v0_5 as b

    return b.ChannelAxis(channel_names=[b.Identifier(_identifier(name)) for name in names])


def _intensity_names(spec: ModelSpec) -> list[str]:
    count = _channels(spec)
    if count == 1:
        return ["intensity"]
    return [f"slice{i - count // 2:+d}" for i in range(count)]


def _preprocessing(spec: ModelSpec) -> list[Any]:
    """What happens to raw intensities: cut off where the model does so, then normalised."""
    from bioimageio.spec.model import v0_5 as b

    steps: list[Any] = []
    bounds = _bounds(spec)
    if bounds is not None:
        steps.append(b.ClipDescr(kwargs=b.ClipKwargs(min=bounds[0], max=bounds[1])))
    mean, deviation = _statistics(spec)
    kwargs: Any
    if len(mean) == 1:
        kwargs = b.FixedZeroMeanUnitVarianceKwargs(mean=mean[0], std=deviation[0])
    else:
        kwargs = b.FixedZeroMeanUnitVarianceAlongAxisKwargs(mean=mean, std=deviation, axis=b.AxisId("channel"))
    return [*steps, b.FixedZeroMeanUnitVarianceDescr(kwargs=kwargs)]


def _postprocessing(spec: ModelSpec) -> Any:
    """How the network's numbers become probabilities."""
    from bioimageio.spec.model import v0_5 as b

    if spec.activation == "sigmoid":
        return b.SigmoidDescr()
    return b.SoftmaxDescr(kwargs=b.SoftmaxKwargs(axis=b.AxisId("channel")))


def _weights(spec: ModelSpec, module: nn.Module, where: Path, graph: Path) -> Any:
    """The graph, and the tensors by the names of the library that builds the network, where one does."""
    import torch
    from bioimageio.spec.model import v0_5 as b

    onnx = b.OnnxWeightsDescr(source=graph, opset_version=_opset(graph))
    built = _architecture(spec, module)
    if built is None:
        return b.WeightsDescr(onnx=onnx)
    architecture, tensors = built
    torch.save(tensors, where / "weights.pt")
    state = b.PytorchStateDictWeightsDescr(
        source=where / "weights.pt",
        architecture=b.ArchitectureFromLibraryDescr(**architecture),
        pytorch_version=b.Version(torch.__version__.partition("+")[0]),
    )
    return b.WeightsDescr(onnx=onnx.model_copy(update={"parent": "pytorch_state_dict"}), pytorch_state_dict=state)


def _kept(spec: ModelSpec) -> dict[str, Any]:
    """What only voxloop understands: classes with values and colours, normalisation, field."""
    data = spec.to_json()
    data["extra"] = {k: v for k, v in spec.extra.items() if k in ("title", "slices", "network", "axes")}
    return data


def _architecture(spec: ModelSpec, module: nn.Module) -> tuple[dict[str, Any], dict[str, Tensor]] | None:
    """How a library builds the network, and its tensors by the library's names; None where none does."""
    from voxloop.deep.networks.network import NetworkConfig, smp_arguments

    if "network" not in spec.extra:
        return None
    config = NetworkConfig.from_json(spec.extra["network"])
    if not config.volumetric:
        built = {"callable": "create_model", "import_from": "segmentation_models_pytorch"}
        return {**built, "kwargs": smp_arguments(config)}, module.state_dict()
    from voxloop.deep.networks.volumetric import monai_arguments, monai_tensors

    name, arguments = monai_arguments(config)
    return {"callable": name, "import_from": "monai.networks.nets", "kwargs": arguments}, monai_tensors(module, config)


def _opset(graph: Path) -> int:
    import onnx

    return int(onnx.load(str(graph), load_external_data=False).opset_import[0].version)


def _saved(described: Any, path: Path) -> None:
    import bioimageio.core

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        bioimageio.core.save_bioimageio_package(described, output_path=path)


def _put(new: Path, path: Path) -> Path:
    """Move a file of a temporary folder, perhaps of another disk, into place; whole or not at all."""
    temporary = path.with_name(f".{path.name}.new")
    try:
        shutil.copyfile(new, temporary)
        with temporary.open("rb") as stream:
            os.fsync(stream.fileno())
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)
    return path


def _tried(path: Path) -> tuple[dict[str, float], tuple[str, ...]]:
    """Differences to the test tensor by kind of weights, computed by bioimageio.core from the package as it is."""
    core = bioimage_core()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        found = core.load_model_description(path)
        x = tensor(found.inputs[0])
        wanted = tensor(found.outputs[0])
        difference: dict[str, float] = {}
        for kind, weights in found.weights:
            if weights is None:
                continue
            pipeline = core.create_prediction_pipeline(found, weight_format=kind)
            got = core.predict(model=pipeline, inputs=x)
            (out,) = got.members.values()
            difference[kind] = float(np.abs(np.asarray(out.data) - wanted).max())
    problems = tuple(
        f"{kind} weights differ by {value:.1e} from the test tensor"
        for kind, value in difference.items()
        if not value <= TOLERANCE
    )
    return difference, problems


def _identifier(text: str) -> str:
    cleaned = "".join(c if c.isalnum() else "_" for c in text).strip("_").lower()
    return cleaned if cleaned[:1].isalpha() else f"c_{cleaned}"


def _readme(spec: ModelSpec, name: str) -> str:
    classes = "\n".join(f"- {item.name}" for item in spec.classes)
    trained = (
        f" Trained at voxels of {' x '.join(f'{v:g}' for v in spec.spacing_um)} micrometres (z, y, x)."
        if (spec.spacing_um)
        else ""
    )
    return (
        f"# {name}\n\nA network trained with voxloop. It gives one probability a class:\n\n{classes}\n\n"
        f"Intensities are normalised by what was measured on the training images.{trained}{exposure_words(spec)}\n\n"
        "## Validation\n\nCompare with your own labels before you trust it: it was validated on held-out parts of its "
        "own training images only.\n"
    )
