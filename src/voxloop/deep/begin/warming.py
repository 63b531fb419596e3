"""What the first training of a process spends its first seconds on, done in advance. Leaves nothing behind."""

from __future__ import annotations

import importlib

import torch
from torch.nn.functional import cross_entropy

from voxloop.config.presets import AUTO
from voxloop.deep.begin.memory import memory_of
from voxloop.deep.networks.network import NetworkConfig, build
from voxloop.deep.objective.optimisers import optimiser

#: imported by what is called in a training, not by the modules that call it
_LATE = (
    "dask.array", "xarray", "zarr", "imageio.plugins.pillow", "threadpoolctl",
    "voxloop.volumes.formats.registry", "voxloop.store.teaching", "voxloop.shallow.learner",
    "scipy.ndimage", "scipy.optimize", "scipy.stats", "sklearn.ensemble",
)  # fmt: skip


def warm() -> None:
    """Import what a training imports late, and take one small step with the network that we recommend."""
    for name in _LATE:
        importlib.import_module(name)
    # xarray looks for libraries of units when it makes its first coordinate
    importlib.import_module("xarray").DataArray([0], coords={"x": [0]}, dims="x")
    config, size = AUTO.changed(device="cpu"), 64  # an idle process takes no part of a GPU
    network = build(NetworkConfig(architecture=config.architecture, encoder=config.encoder, channels=1, outputs=2))
    memory_of(network, config, (1, size, size))  # torch fills its tables of what shapes become
    steps = optimiser(config, network.train())
    cross_entropy(network(torch.zeros(2, 1, size, size)), torch.zeros(2, size, size, dtype=torch.long)).backward()
    steps.step()
