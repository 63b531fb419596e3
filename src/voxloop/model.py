"""What a trained model is to the rest of the package, whoever trained it. Pure: no torch, no sklearn.

A model folder holds ``spec.json`` (a :class:`ModelSpec`) and whatever its learner keeps beside it. The learner named
in the spec loads it: one of ours, or one that a plugin registers in the entry-point group ``voxloop.learners``.
"""

from __future__ import annotations

import gc
import importlib
import json
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import asdict, dataclass, field
from functools import cache
from importlib.metadata import entry_points
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Protocol, runtime_checkable

from voxloop.errors import ModelError, unknown
from voxloop.given import path_of
from voxloop.plain_files import read_plain

if TYPE_CHECKING:
    import numpy as np

    from voxloop.geometry import Box, Shape, Spacing

OutputKind = Literal["semantic", "boundary_distance", "flow", "points", "picture"]
SPEC_VERSION = 1

#: learner -> "module:function" that opens a model folder; plugins add theirs as entry points of the same form
LEARNERS = {
    "shallow": "voxloop.shallow.model:load",
    "deep": "voxloop.deep.exchange.torch_model:load",
    "pose": "voxloop.deep.pose.model:load",
    "detect": "voxloop.deep.pose.model:load",
    "pictures": "voxloop.deep.pose.classifier:load",
    "onnx": "voxloop.deep.exchange.runtime:load",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class ClassInfo:
    """One class that a model tells apart: its value in label arrays (from 1), name and colour (``#rrggbb``)."""

    value: int
    name: str
    color: str = "#e69f00"
    background: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Output:
    """A group of output channels that are decoded together."""

    name: str
    kind: OutputKind
    channels: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelSpec:
    """What goes in, what comes out, and the geometry that tiling needs.

    ``stride``, ``halo`` and ``window`` are voxels in zyx. ``halo`` is the receptive field to one side: a voxel further
    than that from a block's cut face does not depend on what lies behind it (None: unbounded, or not known).
    ``stride`` is what block shapes and origins must be multiples of. ``normalisation`` holds statistics fixed at
    training time; the predictor applies them, so raw intensities go in. ``classes`` are in the order of the semantic
    output channels.
    """

    learner: str
    channels: int
    classes: tuple[ClassInfo, ...]
    outputs: tuple[Output, ...]
    spacing_um: Spacing | None = None
    dimensions: int = 2
    stride: Shape = (1, 1, 1)
    halo: Shape | None = (0, 0, 0)
    window: Shape | None = None
    normalisation: dict[str, Any] = field(default_factory=dict)
    hash: str = ""
    extra: dict[str, Any] = field(default_factory=dict)

    @property
    def activation(self) -> Literal["softmax", "sigmoid"]:
        """What makes outputs of logits: one probability for each class, or each channel from 0 to 1 by itself."""
        alone = all(output.kind in ("boundary_distance", "flow") for output in self.outputs)
        return "sigmoid" if alone else "softmax"

    @property
    def out_channels(self) -> int:
        return sum(output.channels for output in self.outputs)

    def to_json(self) -> dict[str, Any]:
        return {"v": SPEC_VERSION, **asdict(self)}

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> ModelSpec:
        """Rebuild from :meth:`to_json`'s dict. Raises ModelError for what another version or hand wrote."""
        data = dict(data)
        version = data.pop("v", None)
        if version is None:
            raise ModelError(f"spec.json says no version; this voxloop reads version {SPEC_VERSION}")
        if version != SPEC_VERSION:
            raise ModelError(f"this model says it is of version {version!r}; this voxloop reads {SPEC_VERSION}")
        try:
            data["classes"] = tuple(ClassInfo(**item) for item in data["classes"])
            data["outputs"] = tuple(Output(**item) for item in data["outputs"])
            for name in ("spacing_um", "stride", "halo", "window"):
                if data.get(name) is not None:
                    data[name] = tuple(data[name])
            return cls(**data)
        except (TypeError, KeyError) as error:
            raise ModelError(f"spec.json of this model is not complete: {error}") from error


class Predictor(Protocol):
    """An opened model. The caller pads, tiles and cuts the halo."""

    def __call__(self, batch: np.ndarray) -> np.ndarray:
        """Raw intensities (n, c, z, y, x), any real dtype, to (n, out, z, y, x) float32 (semantic: probabilities)."""
        ...


@runtime_checkable
class Model(Protocol):
    """A trained model, closed: cheap to hold, picklable, knows its spec."""

    spec: ModelSpec

    def open(
        self, device: str = "auto", precision: str = "float32", threads: int | None = None
    ) -> AbstractContextManager[Predictor]: ...

    def predict(self, block: np.ndarray) -> np.ndarray:
        """One block (c, z, y, x) to (out, z, y, x) float32."""
        import numpy as np

        with self.open() as predictor:
            output: np.ndarray = predictor(np.asarray(block)[None])[0]
        return output


class DeviceMemory(Protocol):
    """The memory of a GPU, as a predictor that runs on one tells it."""

    def reset(self) -> None: ...
    def peak(self) -> int:
        """The most bytes taken since :meth:`reset`, beyond what was taken then."""
        ...

    def free(self) -> int:
        """Bytes that can still be taken."""
        ...


@runtime_checkable
class OnDevice(Protocol):
    """A predictor that may run on a GPU; ``device_memory`` is None where it runs on the processor."""

    device_memory: DeviceMemory | None


@runtime_checkable
class PartPredictor(Protocol):
    """A predictor that can leave out what is only looked at."""

    def region(self, block: np.ndarray, inner: Box) -> np.ndarray:
        """Probabilities (classes, z, y, x) of a part of a raw block (c, z, y, x)."""
        ...


@runtime_checkable
class FocusedPredictor(Protocol):
    """A predictor that computes a small part of a large block with little more than the part."""

    def focused(self, block: np.ndarray, inner: Box) -> np.ndarray | None:
        """Outputs (out, z, y, x) of a part of a raw block (c, z, y, x); None where the whole takes no longer."""
        ...


@runtime_checkable
class DecodingPredictor(Protocol):
    """A predictor that makes labels and uint8 images itself, without holding all probabilities at once."""

    def reduce(
        self,
        batch: np.ndarray,
        *,
        values: np.ndarray,
        measure: str | None,
        keep: bool,
        by_rows: bool = False,
        halted: Callable[[], bool] | None = None,
    ) -> list[tuple[Any, ...]]:
        """Labels, probabilities, uncertainty and the count of broken voxels of each block of a batch."""
        ...


@runtime_checkable
class RowPredictor(Protocol):
    """A predictor whose network may be fed with rows instead of the whole block at once."""

    def bytes_per_column(self) -> float | None:
        """Bytes held for each voxel of a row; None where this network cannot be fed."""
        ...

    def in_rows(self, size: tuple[int, int, int]) -> bool:
        """Whether a block zyx that is given as a whole is fed with rows all the same, in as little memory."""
        ...


@runtime_checkable
class HastyPredictor(Protocol):
    """A predictor that another program than its own may compute, faster."""

    def hasten(self, backend: str, sample: np.ndarray) -> str:
        """Let it, where it says the same of a raw block (n, c, z, y, x); in words, or "" where nothing changes."""
        ...


def hasten(predictor: object, backend: str, sample: np.ndarray) -> str:
    """Let another program compute a predictor, where it can be; see :class:`HastyPredictor`."""
    return predictor.hasten(backend, sample) if isinstance(predictor, HastyPredictor) else ""


def device_memory(predictor: object) -> DeviceMemory | None:
    """The memory of the GPU that a predictor runs on; None on the processor."""
    return predictor.device_memory if isinstance(predictor, OnDevice) else None


def predict_part(predictor: Predictor, block: np.ndarray, inner: Box) -> np.ndarray:
    """Probabilities (out, z, y, x) float32 of a part of a raw block (c, z, y, x)."""
    if isinstance(predictor, PartPredictor):
        return predictor.region(block, inner)
    focused = predictor.focused(block, inner) if isinstance(predictor, FocusedPredictor) else None
    if focused is not None:
        return focused
    part: np.ndarray = predictor(block[None])[0][:, *inner.slices]
    return part


class Halted(Exception):
    """Raised by a predictor that was told to stop in the middle of a block."""


def resolve(dotted: str) -> Any:
    """The object that ``package.module:name`` names."""
    module, _, name = dotted.partition(":")
    collecting = gc.isenabled()
    gc.disable()  # modules are no garbage, and looking for some among them is a fifth of the time that torch takes
    try:
        return getattr(importlib.import_module(module), name)
    finally:
        if collecting:
            gc.enable()


def learners() -> dict[str, str]:
    """Every known learner and the ``module:function`` that opens its model folders."""
    return {**dict(_plugins()), **LEARNERS}


@cache
def _plugins() -> tuple[tuple[str, str], ...]:
    """Names and values of entry points, of which every package that is installed is asked once."""
    return tuple((point.name, point.value) for point in entry_points(group="voxloop.learners"))


def read_spec(folder: str | Path) -> ModelSpec:
    """The spec of a model folder, without loading the model. Raises ModelError."""
    path = path_of(folder, error=ModelError) / "spec.json"
    try:
        return ModelSpec.from_json(json.loads(read_plain(path)))
    except (FileNotFoundError, NotADirectoryError):
        raise ModelError(f"{path.parent} is not a model folder: {_no_model(path.parent)}") from None
    except (OSError, json.JSONDecodeError, UnicodeDecodeError, RecursionError) as error:
        raise ModelError(f"{path} is damaged ({error}); use another checkpoint of the run") from error


def _no_model(path: Path) -> str:
    """Why there is no model at a path, and what works with what is there."""
    if not path.exists():
        return "there is nothing"
    described = path / "rdf.yaml", path / "bioimageio.yaml"
    if path.suffix in (".zip", ".yaml") or any(part.exists() for part in described):
        into = path.with_name(f"{path.stem}-model")
        return f"packages of bioimage.io become one with vl.bioimageio.import_package({str(path)!r}, {str(into)!r})"
    return "it has no spec.json"


def load_model(folder: str | Path) -> Model:
    """Open a model folder that any learner saved.

    Nothing in the folder is executed: weights are safetensors, classifiers skops with a fixed allow-list.
    Raises ModelError where the folder is no model, damaged, or of a learner that is not installed.

    Examples
    --------
    >>> model = vl.load_model(ws.runs["shallow-1"].path / "model")
    >>> model.spec.outputs[0].kind, [one.name for one in model.spec.classes]
    ('semantic', ['cell', 'background'])
    """
    spec = read_spec(folder)
    known = learners()
    if spec.learner not in known:
        raise ModelError(unknown("learner", spec.learner, known))
    model: Model = resolve(known[spec.learner])(Path(folder))
    return model
