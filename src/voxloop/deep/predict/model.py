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

import numpy as np

from voxloop.deep.predict.fingerprint import fingerprint
from voxloop.errors import ModelError
from voxloop.model import ModelSpec, Predictor, read_spec

if TYPE_CHECKING:
    import torch
    from torch import nn

    from voxloop.deep.exchange.package import Package

WEIGHTS = "weights.safetensors"


class TorchModel:
    """A network with its spec.

    Parameters
    ----------
    module
        (n, channels, y, x) normalised to (n, outputs, y, x) logits, or the same of blocks (n, channels, z, y, x). A
        single logit says how likely a voxel is inside, so there are two classes then, background and that.
    spec
        What goes in and comes out. None: found by trying the module (:mod:`voxloop.deep.exchange.inspection`),
        intensities taken as they are.

    Raises
    ------
    ModelError
        There is no module, or no spec and it does not tell what it takes.
    """

    def __init__(self, module: nn.Module | None, spec: ModelSpec | None = None, *, folder: Path | None = None) -> None:
        if module is None and (folder is None or spec is None):
            raise ModelError("a TorchModel needs a torch module, or a model folder that load_model opens")
        if module is not None and (spec is None or "network" not in spec.extra):
            from voxloop.deep.exchange.inspection import against_rest, inspected

            module, spec = inspected(module) if spec is None else against_rest(module, spec)
        assert spec is not None
        self._module = module
        self._folder = folder
        self.spec: ModelSpec = spec

    @contextmanager
    def open(self, device: str = "auto", precision: str = "float32", threads: int | None = None) -> Iterator[Predictor]:
        """The network on a device, ready to predict; the thread count of torch is put back afterwards."""
        import torch

        from voxloop.deep.networks.convolution import slacken
        from voxloop.deep.networks.device import resolve_device, resolve_precision
        from voxloop.deep.predict.predictor import NetworkPredictor

        before = torch.get_num_threads()
        if threads:
            torch.set_num_threads(threads)
        where = resolve_device(device)
        module = self._built()
        home = next(module.parameters(), torch.empty(0)).device
        try:
            yield NetworkPredictor(module, self.spec, where, resolve_precision(precision, where))
        finally:
            if self._module is not None:
                slacken(module.to(home))  # it is the caller's
            torch.set_num_threads(before)

    def predict(self, block: np.ndarray) -> np.ndarray:
        """One block (c, z, y, x) of raw intensities to (outputs, z, y, x) float32."""
        with self.open() as predictor:
            found: np.ndarray = predictor(np.asarray(block)[None])[0]
        return found

    def save(self, folder: str | Path) -> None:
        """Write a model folder, whole or not at all.

        Weights alone do not say what they belong to, so a network that voxloop did not build is written as an ONNX
        graph, which loads as an :class:`voxloop.deep.exchange.runtime.OnnxModel`. Raises ModelError where it cannot be.
        """
        from voxloop.deep.training.checkpoint import replace as put_in_place

        folder = Path(folder)
        if "network" not in self.spec.extra:
            self._save_graph(folder)
            return
        temporary = folder.with_name(f".{folder.name}.new")
        write(temporary, self.spec, self._built().state_dict())
        put_in_place(temporary, folder)

    def _save_graph(self, folder: Path) -> None:
        import tempfile

        from voxloop.deep.exchange import runtime

        kind = self.spec.activation
        with tempfile.TemporaryDirectory() as temporary:
            graph = runtime.export_graph(self.module(), self.spec, Path(temporary) / runtime.GRAPH)
            runtime.write(folder, replace(self.spec, extra={**self.spec.extra, "activation": kind}), graph)

    def module(self) -> nn.Module:
        """The torch module: the caller's own, or one built anew from the model folder."""
        return self._built()

    def export(self, path: str | Path, **settings: Any) -> Package:
        """Write a bioimage.io package; see :func:`voxloop.deep.exchange.package.export_package`."""
        from voxloop.deep.exchange.package import export_package

        return export_package(self, path, **settings)

    def __getstate__(self) -> dict[str, Any]:
        return {"_module": self._module, "_folder": self._folder, "spec": self.spec}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)

    def __repr__(self) -> str:
        classes = ", ".join(item.name for item in self.spec.classes)
        return f"<TorchModel {self.spec.extra.get('title', 'network')}: {classes}>"

    def _built(self) -> nn.Module:
        return self._module if self._module is not None else _build(self._folder, self.spec)  # type: ignore[arg-type]


def load(folder: str | Path) -> TorchModel:
    """Open a model folder. The weights are checked against their checksum now and read when the model is opened.

    Raises ModelError where something is missing, truncated or changed since it was written.
    """
    folder = Path(folder)
    spec = read_spec(folder)
    if "network" not in spec.extra:
        raise ModelError(f"{folder} does not say which network its weights belong to")
    if fingerprint(folder / WEIGHTS, spec) != spec.hash:
        raise ModelError(
            f"the weights in {folder} are not those that were saved (truncated or changed); use another model, or "
            f"another checkpoint of the run"
        )
    return TorchModel(None, spec, folder=folder)


def write(folder: Path, spec: ModelSpec, tensors: dict[str, torch.Tensor]) -> ModelSpec:
    """Write weights and spec into a new ``folder``; the spec with its hash."""
    import shutil

    from safetensors.torch import save_file

    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    save_file({name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}, folder / WEIGHTS)
    spec = replace(spec, hash=fingerprint(folder / WEIGHTS, spec))
    (folder / "spec.json").write_text(json.dumps(spec.to_json(), indent=1))
    for part in folder.iterdir():
        with part.open("rb") as stream:
            os.fsync(stream.fileno())
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
