"""Any torch module as a model, and models that go to other programs. Knows no tiles; imports torch only when asked."""

from __future__ import annotations

import tempfile
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from voxloop.deep.exchange import runtime
from voxloop.deep.predict import model
from voxloop.errors import ModelError
from voxloop.model import ModelSpec

if TYPE_CHECKING:
    from torch import nn

    from voxloop.deep.exchange.package import Package


class TorchModel(model.NetworkModel):
    """A network with its spec: one of voxloop's, or any torch module.

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

    Examples
    --------
    torch takes seconds to import:

    >>> import torch  # doctest: +SKIP
    >>> model = vl.TorchModel(torch.nn.Conv3d(1, 2, 3, padding="same"))  # doctest: +SKIP
    >>> vl.predict(model, volume)[:, 3].shape  # doctest: +SKIP
    (2, 64, 64)
    """

    def __init__(self, module: nn.Module | None, spec: ModelSpec | None = None, *, folder: Path | None = None) -> None:
        if module is None and (folder is None or spec is None):
            raise ModelError("a TorchModel needs a torch module, or a model folder that load_model opens")
        if module is not None and (spec is None or "network" not in spec.extra):
            from voxloop.deep.exchange.inspection import add_background, inspect_module

            module, spec = inspect_module(module) if spec is None else add_background(module, spec)
        assert spec is not None
        super().__init__(spec, module=module, folder=folder)

    def save(self, folder: str | Path) -> None:
        """Write a model folder, whole or not at all.

        Weights alone do not say what they belong to, so a network that voxloop did not build is written as an ONNX
        graph, which loads as an :class:`voxloop.deep.exchange.runtime.OnnxModel`. Raises ModelError where it cannot be.
        """
        if "network" in self.spec.extra:
            super().save(folder)
            return
        spec = replace(self.spec, extra={**self.spec.extra, "activation": self.spec.activation})
        with tempfile.TemporaryDirectory() as temporary:
            graph = runtime.export_graph(self.module(), self.spec, Path(temporary) / runtime.GRAPH)
            runtime.write(Path(folder), spec, graph)

    def export(self, path: str | Path, **settings: Any) -> Package:
        """Write a bioimage.io package; see :func:`voxloop.deep.exchange.package.export_package`."""
        from voxloop.deep.exchange.package import export_package  # needs what only packages do

        return export_package(self, path, **settings)


def load(folder: str | Path) -> TorchModel:
    """Open a model folder of a network that voxloop trained; see :func:`voxloop.deep.predict.model.read`."""
    folder = Path(folder)
    return TorchModel(None, model.read(folder), folder=folder)
