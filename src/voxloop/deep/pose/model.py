"""A trained learner of places on disk, and opened: pictures in, instances out."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from voxloop.deep.predict.fingerprint import fingerprint
from voxloop.deep.predict.model import WEIGHTS, write
from voxloop.errors import ModelError
from voxloop.model import ClassInfo, Model, ModelSpec, Output, Predictor, read_spec
from voxloop.store.atomic import replace_folder

if TYPE_CHECKING:
    from torch import nn

    from voxloop.deep.pose.finding import Finder, Found
    from voxloop.deep.pose.plan import PlacePlan
    from voxloop.geometry import Box


@dataclass(frozen=True, slots=True)
class PlaceFinder:
    """An opened learner of places."""

    _make: Callable[[], Finder]
    _plan: PlacePlan

    @property
    def names(self) -> tuple[str, ...]:
        """Nodes, or classes."""
        return self._plan.names

    @property
    def axes(self) -> int:
        """2 in frames, 3 in volumes."""
        return self._plan.stages[0].backbone.axes

    def volume(
        self, read: Callable[[Box], np.ndarray], shape: tuple[int, ...], threshold: float | None = None
    ) -> Found:
        """Instances of a volume, tile by tile; ``read`` gives raw grays (c, z, y, x) of a box."""
        from voxloop.deep.pose.pictures import AlbumPicture, Placed

        nothing = Placed(np.zeros((0, len(self._plan.names), 3)))
        return self._make().find([AlbumPicture("volume", None, shape, read, nothing)], threshold)[0]

    def frames(self, frames: np.ndarray, threshold: float | None = None) -> list[Found]:
        """Instances of frames (n, c, y, x) of raw grays, surest first; coordinates (y, x) in pixels."""
        from voxloop.deep.pose.pictures import AlbumPicture, Placed

        nothing = Placed(np.zeros((0, len(self._plan.names), 2)))
        pictures = []
        for number, frame in enumerate(np.asarray(frames)):

            def read(box: Any, frame: np.ndarray = frame) -> np.ndarray:
                return np.asarray(frame[(slice(None), None, *box.slices[1:])])

            pictures.append(AlbumPicture("frame", number, frame.shape[1:], read, nothing))
        return (
            self._make().find(pictures, threshold) if pictures else []
        )  # of each batch its own: grays are kept by name


class PlaceModel(Model):
    """Networks that find animals, points or boxes. Cheap to hold; the weights are read when it is opened.

    Attributes
    ----------
    spec
        What it takes; ``extra["plan"]`` says what it finds and how.
    """

    def __init__(self, spec: ModelSpec, folder: Path) -> None:
        self.spec = spec
        self.folder = folder

    @contextmanager
    def open(self, device: str = "auto", precision: str = "float32", threads: int | None = None) -> Iterator[Predictor]:
        """Raises ModelError: it answers with instances, not with a value for each voxel."""
        raise ModelError(
            f"this model finds {self.plan.kind}, it says nothing of each voxel; ws.predict(run, ...) finds them"
        )
        yield

    @property
    def plan(self) -> PlacePlan:
        from voxloop.deep.pose.plan import PlacePlan

        return PlacePlan.from_json(self.spec.extra["plan"])

    @contextmanager
    def opened(
        self, device: str = "auto", precision: str = "auto", threads: int | None = None
    ) -> Iterator[PlaceFinder]:
        """The networks on a device, ready to find; the thread count of torch is put back afterwards."""
        import torch

        from voxloop.deep.networks.device import resolve_device, resolve_precision
        from voxloop.deep.pose.finding import Finder
        from voxloop.deep.pose.pictures import Reader

        before = torch.get_num_threads()
        if threads is not None:
            torch.set_num_threads(threads)
        where = resolve_device(device)
        plan = self.plan
        try:
            networks = self.networks(where)
            grays, number = self.spec.normalisation, resolve_precision(precision, where)
            yield PlaceFinder(lambda: Finder(plan, networks, Reader(grays["mean"], grays["std"]), where, number), plan)
        finally:
            torch.set_num_threads(before)

    def networks(self, device: Any) -> dict[str, nn.Module]:
        """The networks by stage, in evaluation mode. Raises ModelError where the weights do not fit."""
        from safetensors import SafetensorError
        from safetensors.torch import load_file

        from voxloop.deep.networks.device import move_network

        stages = build_networks(self.plan)
        try:
            stages.load_state_dict(load_file(self.folder / WEIGHTS))
        except (OSError, SafetensorError, RuntimeError) as error:
            text = " ".join(str(error).split())[:300]
            raise ModelError(f"the model in {self.folder} cannot be opened: {text}") from error
        return {name: move_network(network, device).eval() for name, network in stages.items()}

    def save(self, folder: str | Path) -> None:
        """Write a copy of the model folder, whole or not at all."""
        import shutil

        folder = Path(folder)
        temporary = folder.with_name(f".{folder.name}.new")
        shutil.rmtree(temporary, ignore_errors=True)
        shutil.copytree(self.folder, temporary)
        replace_folder(temporary, folder)

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.spec.extra.get('title', '')}>"


def load(folder: str | Path) -> PlaceModel:
    """Open a model folder. Raises ModelError where something is missing, truncated or changed."""
    folder = Path(folder)
    spec = read_spec(folder)
    if "plan" not in spec.extra:
        raise ModelError(f"{folder} does not say what it finds")
    if fingerprint(folder / WEIGHTS, spec) != spec.hash:
        raise ModelError(
            f"the weights in {folder} are not those that were saved (truncated or changed); use another model, or "
            "another checkpoint of the run"
        )
    return PlaceModel(spec, folder)


def build_networks(plan: PlacePlan, encoder_weights: str | None = None) -> Any:
    """A ``ModuleDict`` with a network for each stage."""
    from torch import nn

    from voxloop.deep.pose.backbone import Backbone

    return nn.ModuleDict({stage.name: Backbone(stage.backbone, encoder_weights) for stage in plan.stages})


def spec_of(
    plan: PlacePlan, learner: str, colors: Sequence[str], channels: int, spacing: Any, statistics: dict[str, Any]
) -> ModelSpec:
    """What a trained learner takes and gives."""
    shown = list(colors) or ["#e69f00"]
    classes = tuple(
        ClassInfo(value=number + 1, name=name, color=shown[number % len(shown)])
        for number, name in enumerate(plan.names)
    )
    return ModelSpec(
        learner=learner,
        channels=channels,
        classes=classes,
        outputs=(Output(name=plan.kind, kind="points", channels=len(plan.names)),),
        spacing_um=spacing,
        dimensions=plan.stages[0].backbone.axes,
        halo=None,
        normalisation=statistics,
        extra={"plan": plan.to_json(), "title": f"{plan.pipeline}, {', '.join(plan.names)}"},
    )


def write_places(folder: Path, spec: ModelSpec, networks: nn.Module) -> None:
    """Put a model folder in place of the one there is."""
    temporary = folder.with_name(f".{folder.name}.new")
    write(temporary, spec, networks.state_dict())
    replace_folder(temporary, folder)
