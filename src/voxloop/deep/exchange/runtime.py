"""Networks as ONNX files: any torch module leaves its code behind here, and any package that has one can be opened.

An ONNX file is a graph of known operations, run by onnxruntime: opening one executes nothing from the file.
"""

from __future__ import annotations

import json
import logging
import shutil
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from voxloop.deep.exchange.decoders import DECODERS
from voxloop.deep.exchange.layout import PackageLayout
from voxloop.deep.predict.fingerprint import fingerprint
from voxloop.errors import ConfigError, ModelError
from voxloop.model import ModelSpec, Predictor, read_spec
from voxloop.store.atomic import replace_folder
from voxloop.store.values import whole

if TYPE_CHECKING:
    from torch import nn

_log = logging.getLogger(__name__)

GRAPH = "model.onnx"
#: how onnxruntime calls a GPU
CUDA = "CUDAExecutionProvider"
#: of arrays that a graph takes, by onnxruntime's words; float32 elsewhere
DTYPES: dict[str, Any] = {"tensor(float16)": np.float16, "tensor(double)": np.float64}
#: what turns the graph's output into probabilities
ACTIVATIONS = ("softmax", "sigmoid", "none")


class OnnxModel:
    """A model folder of ``spec.json`` and ``model.onnx``.

    ``spec.normalisation`` holds ``mean`` and ``deviation`` of each channel, ``low`` and ``high`` where intensities are
    cut off before; ``spec.extra["activation"]`` says what makes probabilities of what comes out (or whose network it
    is, of :data:`voxloop.deep.exchange.decoders.DECODERS`),
    ``"background"`` whether background is put before channels that say each something by itself: it is 1 - their
    largest, and all are divided by their sum (absent: channels are shares already). A graph with a single output
    channel says foreground; background is the rest. ``"layout"``: see
    :class:`voxloop.deep.exchange.layout.PackageLayout`.
    """

    def __init__(self, folder: Path, spec: ModelSpec) -> None:
        self.folder, self.spec = Path(folder), spec

    @contextmanager
    def open(self, device: str = "auto", precision: str = "float32", threads: int | None = None) -> Iterator[Predictor]:
        """The graph in onnxruntime: on a GPU where onnxruntime has one and ``device`` allows it, else the processor.

        Raises
        ------
        ConfigError
            The device is asked for by name and onnxruntime has none, or another precision than float32.
        ModelError
            The graph is damaged, or onnxruntime is not installed.
        """
        onnxruntime = _runtime()
        check_precision(precision)
        wanted = providers(device, onnxruntime.get_available_providers())
        options = onnxruntime.SessionOptions()
        options.log_severity_level = 3
        if threads is not None and (threads := whole("threads", threads, least=0, error=ModelError)):
            options.intra_op_num_threads = threads
        try:
            session = onnxruntime.InferenceSession(str(self.folder / GRAPH), options, providers=wanted)
        except Exception as error:  # onnxruntime has errors of its own for everything
            raise ModelError(f"{self.folder / GRAPH} cannot be opened: {_line(error)}") from error
        if device.strip().lower() not in ("auto", "cpu") and CUDA not in session.get_providers():
            raise ConfigError(  # it takes the processor without a word where libraries of the GPU are missing
                f"device={device!r}: onnxruntime could not start on the GPU (its CUDA libraries do not fit); use 'cpu'"
            )
        yield _OnnxPredictor(session, self.spec)

    def predict(self, block: np.ndarray) -> np.ndarray:
        """One block (c, z, y, x) of raw intensities to (outputs, z, y, x) float32."""
        with self.open() as predictor:
            probabilities: np.ndarray = predictor(np.asarray(block)[None])[0]
        return probabilities

    def save(self, folder: str | Path) -> None:
        """Copy the model folder."""
        if Path(folder).resolve() != self.folder.resolve():
            shutil.copytree(self.folder, folder, dirs_exist_ok=True)

    def __repr__(self) -> str:
        classes = ", ".join(item.name for item in self.spec.classes)
        measured = self.spec.extra.get("measured")
        fixed = f"; intensities by {measured} of the image it was imported with" if measured else ""
        return f"<OnnxModel {self.spec.extra.get('title', self.folder.name)}: {classes}{fixed}>"


class _OnnxPredictor:
    def __init__(self, session: Any, spec: ModelSpec) -> None:
        self._session, self._spec = session, spec
        entry = session.get_inputs()[0]
        self._name, self._dtype = entry.name, DTYPES.get(entry.type, np.float32)
        layout = spec.extra.get("layout")
        self._layout = PackageLayout.plain(spec.dimensions) if layout is None else PackageLayout.from_json(layout)
        self._alone = self._layout.alone or entry.shape[self._layout.input.index("b")] == 1
        self._slices = int(spec.extra.get("slices", 1))
        mean = spec.normalisation.get("mean", [0.0] * spec.channels)
        deviation = spec.normalisation.get("deviation", [1.0] * spec.channels)
        self._mean, self._deviation = (np.asarray(v, np.float32)[None, :, None, None, None] for v in (mean, deviation))
        self._low = _bounds(spec.normalisation.get("low"), -np.inf)
        self._high = _bounds(spec.normalisation.get("high"), np.inf)
        self._activation = spec.extra.get("activation", "softmax")
        self._background = spec.extra.get("background")

    def __call__(self, batch: np.ndarray) -> np.ndarray:
        """Raw intensities (n, c, z, y, x) to (n, out, z, y, x) float32."""
        batch = np.asarray(batch)
        if batch.ndim != 5 or batch.shape[1] != self._spec.channels:
            raise ModelError(
                f"this model takes blocks (n, c, z, y, x) of {self._spec.channels} channel(s), not shape {batch.shape}"
            )
        n, _, z, y, x = batch.shape
        pixels = self._normalised(batch)
        if self._spec.dimensions == 2:
            pixels = _planes(pixels, self._slices)
        out = self._outputs(self._layout.grown(pixels), (z, y, x))
        probabilities = self._probabilities(out[..., : pixels.shape[2], :y, :x])
        if self._spec.dimensions == 2:
            probabilities = probabilities.reshape(n, z, -1, y, x).transpose(0, 2, 1, 3, 4)
        return np.ascontiguousarray(probabilities)

    def _normalised(self, batch: np.ndarray) -> np.ndarray:
        """Intensities as the network learnt them, float32; 0 where they are no numbers."""
        pixels = batch.astype(np.float32)
        if self._low is not None or self._high is not None:
            pixels = np.clip(pixels, self._low, self._high)
        return np.asarray(np.nan_to_num((pixels - self._mean) / self._deviation, posinf=0.0, neginf=0.0))

    def _outputs(self, pixels: np.ndarray, size: tuple[int, ...]) -> np.ndarray:
        """What the network says of each voxel (n, out, z, y, x); ``size`` is that of the block that was asked for."""
        parts = [pixels]
        if self._alone:
            parts = np.split(pixels, len(pixels))
        out = np.concatenate([self._layout.taken(self._run(part, size)) for part in parts])
        if out.shape[2:] != pixels.shape[2:]:
            taken, made = (" x ".join(map(str, shape[2:])) for shape in (pixels.shape, out.shape))
            raise ModelError(
                f"this network makes {made} voxels of {taken}; only networks that say something of each voxel can be "
                "predicted with"
            )
        return out

    def _run(self, part: np.ndarray, size: tuple[int, ...]) -> np.ndarray:
        try:
            out = self._session.run(None, {self._name: self._layout.given(part).astype(self._dtype, copy=False)})[0]
        except Exception as error:
            raise ModelError(
                f"the network does not take blocks of {' x '.join(map(str, size))} voxels; it steps by "
                f"{self._spec.stride}: {_line(error)}"
            ) from error
        return np.asarray(out, np.float32)

    def _probabilities(self, out: np.ndarray) -> np.ndarray:
        if self._activation in DECODERS:
            return DECODERS[self._activation](out)
        if self._activation == "softmax":
            out = np.exp(out - out.max(axis=1, keepdims=True))
            out /= out.sum(axis=1, keepdims=True)
        elif self._activation == "sigmoid":
            out = (1 + np.tanh(out / 2)) / 2  # the same, and large values do not overflow
        if self._background or out.shape[1] == 1:
            out = np.concatenate([1 - out.max(axis=1, keepdims=True), out], axis=1)
        if self._background is not None:  # channels that each say something by themselves
            out = out + np.finfo(np.float32).tiny  # where all say nothing, none is likelier than another
            out /= out.sum(axis=1, keepdims=True)
        return out


def _planes(pixels: np.ndarray, slices: int) -> np.ndarray:
    """(n, c, z, y, x) to (n * z, c * slices, 1, y, x), slices from below to above; ends of a block repeat."""
    n, c, z, y, x = pixels.shape
    half = slices // 2
    near = np.clip(np.arange(z)[:, None] + np.arange(-half, half + 1), 0, z - 1)
    return pixels[:, :, near].transpose(0, 2, 1, 3, 4, 5).reshape(n * z, c * slices, 1, y, x)


def _bounds(values: Sequence[float | None] | None, nowhere: float) -> np.ndarray | None:
    """For each channel, where intensities are cut off; None where none is."""
    if values is None:
        return None
    return np.array([nowhere if value is None else value for value in values], np.float32)[None, :, None, None, None]


def providers(device: str, there: Sequence[str]) -> list[Any]:
    """What onnxruntime is to run on, best first, of what is there. Raises ConfigError where the named one is not."""
    name = device.strip().lower()
    kind, _, number = name.partition(":")
    if kind not in ("auto", "cpu", "cuda") or not (number or "0").isdigit():
        raise ConfigError(f"device={device!r}: an ONNX network runs on 'cpu' or 'cuda'; 'auto' takes the better one")
    if kind == "cpu":
        return ["CPUExecutionProvider"]
    if CUDA in there:
        return [(CUDA, {"device_id": int(number or 0)}), "CPUExecutionProvider"]
    if kind == "cuda":
        raise ConfigError(
            f"device={device!r}: this is an ONNX network, and the onnxruntime that is installed has no GPU; use 'cpu' "
            "or 'auto', install onnxruntime-gpu in its place, or predict a torch module here with vl.predict"
        )
    if _gpu_seen():
        _log.warning("this ONNX network runs on the processor: onnxruntime has no GPU; onnxruntime-gpu would use yours")
    return ["CPUExecutionProvider"]


def check_precision(precision: str) -> None:
    """Raises ConfigError where a graph, which carries its number format in itself, is to be computed in another."""
    if precision not in ("auto", "float32"):
        raise ConfigError(f"precision={precision!r}: an ONNX network runs as it was written; use 'float32' or 'auto'")


def _gpu_seen() -> bool:
    """There is a GPU; torch is asked only where it is there already, since importing it takes seconds."""
    torch = sys.modules.get("torch")
    return bool(torch.cuda.is_available()) if torch is not None else Path("/dev/nvidiactl").exists()


def load(folder: str | Path) -> OnnxModel:
    """Open a model folder with an ONNX graph. Raises ModelError where it is not what was saved."""
    folder = Path(folder)
    spec = read_spec(folder)
    if fingerprint(folder / GRAPH, spec) != spec.hash:
        raise ModelError(f"the network in {folder} is not what was saved (truncated or changed); save it again")
    return OnnxModel(folder, spec)


def write(folder: Path, spec: ModelSpec, graph: Path) -> OnnxModel:
    """Make a model folder of an ONNX file; the whole folder appears at once."""
    temporary = folder.with_name(f".{folder.name}.new")
    shutil.rmtree(temporary, ignore_errors=True)
    temporary.mkdir(parents=True)
    shutil.copy(graph, temporary / GRAPH)
    spec = replace(spec, learner="onnx")
    spec = replace(spec, hash=fingerprint(temporary / GRAPH, spec))
    (temporary / "spec.json").write_text(json.dumps(spec.to_json(), indent=1))
    replace_folder(temporary, folder)
    return OnnxModel(folder, spec)


def export_graph(module: nn.Module, spec: ModelSpec, path: Path, channels: int | None = None) -> Path:
    """Write a torch module as ONNX that takes any batch and any size that is a multiple of the stride.

    Parameters
    ----------
    module
        (n, channels, [z,] y, x) to (n, outputs, [z,] y, x).
    channels
        That go in; those of the spec where not given.

    Raises
    ------
    ModelError
        The exporter is not installed, or the network does something that it cannot express.
    """
    import logging
    import warnings

    import torch

    try:
        import onnxscript  # noqa: F401  (what torch exports with)
    except ImportError:
        raise ModelError("exporting to ONNX needs onnx and onnxscript; pip install 'voxloop[exchange]'") from None
    sample, shapes = _sample(spec, channels or spec.channels)
    home = next(module.parameters(), torch.empty(0)).device
    quiet = logging.getLogger("torch.onnx")
    level = quiet.level
    quiet.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings(), torch.inference_mode(False), torch.no_grad():
            warnings.simplefilter("ignore")
            made = torch.onnx.export(
                module.cpu().eval(),
                (sample,),
                dynamo=True,
                dynamic_shapes=(shapes,),
                input_names=["input0"],
                output_names=["output0"],
                verbose=False,
            )
            assert made is not None
            made.save(str(path), external_data=False)
    except Exception as error:
        raise ModelError(f"this network cannot be written as ONNX: {_line(error)}") from error
    finally:
        quiet.setLevel(level)
        module.to(home)
    return path


def export_program(module: nn.Module, spec: ModelSpec, path: Path, channels: int | None = None) -> Path:
    """Write a torch module with ``torch.export``. Raises ModelError where the network does not allow it."""
    import torch

    sample, shapes = _sample(spec, channels or spec.channels)
    try:
        with torch.no_grad():
            program = torch.export.export(module.cpu().eval(), (sample,), dynamic_shapes=(shapes,))
        torch.export.save(program, path)
    except Exception as error:
        raise ModelError(f"torch.export does not take this network: {_line(error)}") from error
    return path


def _sample(spec: ModelSpec, channels: int) -> tuple[Any, dict[int, Any]]:
    """Something to trace with, and which of its axes may be of any size, in steps of the stride."""
    import torch
    from torch.export import Dim

    steps = spec.stride[1:] if spec.dimensions == 2 else spec.stride
    names = "yx" if spec.dimensions == 2 else "zyx"
    least = 64 if spec.dimensions == 2 else 32
    sizes = [step * max(3, -(-least // step)) + step * i for i, step in enumerate(steps)]
    shapes: dict[int, Any] = {0: Dim.DYNAMIC}
    for axis, (name, step) in enumerate(zip(names, steps, strict=True), start=2):
        free = Dim(name, min=2, max=1 << 16)
        shapes[axis] = step * free if step > 1 else free
    return torch.zeros(2, channels, *sizes), shapes


def _runtime() -> Any:
    try:
        import onnxruntime
    except ImportError:
        raise ModelError(
            "this model is an ONNX network, which onnxruntime runs; pip install 'voxloop[exchange]'"
        ) from None
    return onnxruntime


def _line(error: Exception) -> str:
    return " ".join(str(error).split())[:300]
