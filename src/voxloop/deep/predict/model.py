"""A trained network as the rest of the package sees it: a folder of safetensors and JSON, opened when it is needed.

Importing this module, loading a folder and pickling a model do not import torch; opening one does.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from voxloop.deep.predict.fingerprint import fingerprint
from voxloop.errors import ModelError
from voxloop.model import Model, ModelSpec, Predictor, read_spec
from voxloop.store.atomic import replace_folder
from voxloop.store.values import whole

if TYPE_CHECKING:
    import torch
    from torch import nn

WEIGHTS = "weights.safetensors"


class NetworkModel(Model):
    """A network that voxloop built, with its spec.

    Parameters
    ----------
    spec
        What goes in and comes out, and under ``extra["network"]`` which network it is.
    module
        (n, channels, y, x) normalised to (n, outputs, y, x) logits, or the same of blocks (n, channels, z, y, x).
        None: it is built, and its weights are read, whenever the model is opened.
    folder
        Where the weights lie; needed without a module.
    """

    def __init__(self, spec: ModelSpec, *, module: nn.Module | None = None, folder: Path | None = None) -> None:
        self.spec = spec
        self._module = module
        self._folder = folder

    @contextmanager
    def open(self, device: str = "auto", precision: str = "float32", threads: int | None = None) -> Iterator[Predictor]:
        """The network on a device, ready to predict; the thread count of torch is put back afterwards."""
        import torch

        from voxloop.deep.networks.convolution import slacken
        from voxloop.deep.networks.device import resolve_device, resolve_precision
        from voxloop.deep.predict.predictor import NetworkPredictor

        before = torch.get_num_threads()
        if threads is not None and (threads := whole("threads", threads, least=0, error=ModelError)):
            torch.set_num_threads(threads)
        where = resolve_device(device)
        module = self.module()
        home = next(module.parameters(), torch.empty(0)).device
        try:
            yield NetworkPredictor(module, self.spec, where, resolve_precision(precision, where, predicting=True))
        finally:
            if self._module is not None:
                slacken(module.to(home))  # it is the caller's
            torch.set_num_threads(before)

    def save(self, folder: str | Path) -> None:
        """Write a model folder, whole or not at all."""
        folder = Path(folder)
        temporary = folder.with_name(f".{folder.name}.new")
        write(temporary, self.spec, self.module().state_dict())
        replace_folder(temporary, folder)

    def module(self) -> nn.Module:
        """The torch module: the caller's own, or one built anew from the model folder."""
        if self._module is not None:
            return self._module
        assert self._folder is not None  # a model has either
        return _build(self._folder, self.spec)

    def __getstate__(self) -> dict[str, Any]:
        return {"_module": self._module, "_folder": self._folder, "spec": self.spec}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)

    def __repr__(self) -> str:
        classes = ", ".join(item.name for item in self.spec.classes)
        return f"<{type(self).__name__} {self.spec.extra.get('title', 'network')}: {classes}>"


def load(folder: str | Path) -> NetworkModel:
    """Open a model folder; see :func:`read`."""
    folder = Path(folder)
    return NetworkModel(read(folder), folder=folder)


def read(folder: Path) -> ModelSpec:
    """The spec of a model folder whose weights are checked against their checksum; they are not read yet.

    Raises ModelError where something is missing, truncated or changed since it was written.
    """
    spec = read_spec(folder)
    if "network" not in spec.extra:
        raise ModelError(f"{folder} does not say which network its weights belong to")
    if fingerprint(folder / WEIGHTS, spec) != spec.hash:
        raise ModelError(
            f"the weights in {folder} are not those that were saved (truncated or changed); use another model, or "
            f"another checkpoint of the run"
        )
    return spec


def write(folder: Path, spec: ModelSpec, tensors: dict[str, torch.Tensor]) -> ModelSpec:
    """Write weights and spec into a new ``folder``; the spec with its hash."""
    import shutil

    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    spec = write_files(folder, spec, tensors)
    for part in folder.iterdir():
        with part.open("rb") as stream:
            os.fsync(stream.fileno())
    return spec


def write_files(folder: Path, spec: ModelSpec, tensors: dict[str, torch.Tensor]) -> ModelSpec:
    """The files of a model folder, put beside what is in ``folder`` already; not synced. The spec with its hash."""
    from safetensors.torch import save_file

    save_file({name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}, folder / WEIGHTS)
    spec = replace(spec, hash=fingerprint(folder / WEIGHTS, spec))
    (folder / "spec.json").write_text(json.dumps(spec.to_json(), indent=1))
    return spec


def _build(folder: Path, spec: ModelSpec) -> nn.Module:
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    from voxloop.deep.networks.network import NetworkConfig, build
    from voxloop.errors import ConfigError

    try:
        network = build(NetworkConfig.from_json(spec.extra["network"]))
        network.load_state_dict(load_file(folder / WEIGHTS))
    except (OSError, SafetensorError, RuntimeError, ConfigError, KeyError) as error:
        raise ModelError(f"the model in {folder} cannot be opened: {' '.join(str(error).split())[:300]}") from error
    return network
