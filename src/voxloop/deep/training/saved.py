"""What an earlier process of a run has left: read before what is learned from is put together."""

from __future__ import annotations

import torch

from voxloop.config.deep import DeepConfig
from voxloop.config.places import LoopSettings
from voxloop.deep.networks.device import cores
from voxloop.deep.training import checkpoint
from voxloop.runs.context import TaskContext
from voxloop.store.layout import RunPlace


class SavedTraining:
    """The last checkpoint of a run, as far as there is one; ``tensors`` and ``state`` are empty where a run begins.

    Settles how many threads torch computes with, and seeds it. ``size``: processes that share the cores.
    """

    def __init__(self, context: TaskContext, config: DeepConfig | LoopSettings, size: int = 1) -> None:
        last = checkpoint.newest(RunPlace(context.path).checkpoints)
        self.tensors, self.state = checkpoint.load(last) if last else ({}, {})
        self.threads = int(config.threads or self.state.get("threads") or max(1, cores() // size))
        torch.set_num_threads(self.threads)
        torch.manual_seed(config.seed)

    @property
    def resumed(self) -> bool:
        """Whether there is one to go on from."""
        return bool(self.state)
