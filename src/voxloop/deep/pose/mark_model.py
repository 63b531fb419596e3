"""What models that say nothing of each voxel have in common: a folder, a device, weights that are checked."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from voxloop.deep.predict.fingerprint import fingerprint
from voxloop.deep.predict.model import WEIGHTS
from voxloop.errors import ConfigError, ModelError
from voxloop.model import Model, ModelSpec, Predictor, read_spec
from voxloop.store.atomic import replace_folder

if TYPE_CHECKING:
    import torch
    from torch import nn

Network = TypeVar("Network", bound="nn.Module")


class MarkModel(Model):
    """A model folder, cheap to hold; the weights are read when it is opened."""

    def __init__(self, spec: ModelSpec, folder: Path) -> None:
        self.spec = spec
        self.folder = folder

    @property
    def answers(self) -> str:
        """What it says instead of a value for each voxel, as a sentence."""
        raise NotImplementedError

    @contextmanager
    def open(self, device: str = "auto", precision: str = "float32", threads: int | None = None) -> Iterator[Predictor]:
        """Raises ModelError: it has no value for each voxel."""
        raise ModelError(self.answers)
        yield

    def save(self, folder: str | Path) -> None:
        """Write a copy of the model folder, whole or not at all."""
        folder = Path(folder)
        temporary = folder.with_name(f".{folder.name}.new")
        shutil.rmtree(temporary, ignore_errors=True)
        shutil.copytree(self.folder, temporary)
        replace_folder(temporary, folder)

    @contextmanager
    def _on(self, device: str, threads: int | None) -> Iterator[torch.device]:
        """The device that is meant, with so many threads; the thread count of torch is put back afterwards."""
        import torch

        from voxloop.deep.networks.device import resolve_device

        before = torch.get_num_threads()
        if threads is not None:
            torch.set_num_threads(threads)
        try:
            yield resolve_device(device)
        finally:
            torch.set_num_threads(before)

    def _filled(self, build: Callable[[], Network]) -> Network:
        """A network with the weights of the folder. Raises ModelError where it cannot be built, or they do not fit."""
        from safetensors import SafetensorError
        from safetensors.torch import load_file

        try:
            network = build()
            network.load_state_dict(load_file(self.folder / WEIGHTS))
        except (OSError, SafetensorError, RuntimeError, ConfigError) as error:
            text = " ".join(str(error).split())[:300]
            raise ModelError(f"the model in {self.folder} cannot be opened: {text}") from error
        return network

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.spec.extra.get('title', '')}>"


def checked_spec(folder: Path, key: str, missing: str) -> ModelSpec:
    """The spec of a model folder whose weights are those that were saved.

    Raises ModelError where ``extra`` lacks ``key`` (``missing`` says of what it does not speak), or where something is
    missing, truncated or changed.
    """
    spec = read_spec(folder)
    if key not in spec.extra:
        raise ModelError(f"{folder} does not say {missing}")
    if fingerprint(folder / WEIGHTS, spec) != spec.hash:
        raise ModelError(
            f"the weights in {folder} are not those that were saved (truncated or changed); use another model, or "
            "another checkpoint of the run"
        )
    return spec
