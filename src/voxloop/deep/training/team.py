"""Several processes that train one network on the same batches as one would: each takes its part of every batch.

Gradients are averaged by distributed data parallel (lightning-fabric). So that a team equals a single process, the loss
is taken over the whole batch (logits are gathered, a few megabytes a step) and batch normalisation uses the statistics
of all. What one process alone may decide (orders, clocks, files, events) the first decides, and the others follow.
Random changes of gray values and shape are drawn anew in every process, so with augmentation a team is another draw.
"""

from __future__ import annotations

import contextlib
import os
import socket
import subprocess
import threading
import time
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import torch
from torch import Tensor, nn

from voxloop.config.deep import DeepConfig
from voxloop.config.network import DEEPEST
from voxloop.deep.networks.device import resolve_device
from voxloop.errors import ConfigError
from voxloop.runs.context import TaskContext
from voxloop.runs.orders import Order

#: seconds after which a member that is not heard of ends the run
_PATIENCE = 600.0
#: networks that do not use all of their encoder
_PARTIAL = ("PSPNet", "DPT")
#: what the first tells the others about where to meet
_ENVIRONMENT = ("MASTER_ADDR", "MASTER_PORT", "NODE_RANK", "LOCAL_RANK", "WORLD_SIZE")


class Team:
    """The processes of one run; this one is number ``rank`` of ``size``. For one alone every method does nothing."""

    def __init__(self, rank: int = 0, size: int = 1, fabric: Any = None) -> None:
        self.rank, self.size = rank, size
        self._fabric = fabric
        self._control: Any = None
        if fabric is not None:
            import torch.distributed as dist

            # orders and decisions go by the processor, so that they make no GPU wait
            self._control = dist.new_group(backend="gloo", timeout=timedelta(seconds=_PATIENCE))

    @property
    def leads(self) -> bool:
        """Whether this process writes events, checkpoints and models."""
        return self.rank == 0

    def part(self, batch: int) -> slice:
        """This process's windows among the ``batch`` of all."""
        count = batch // self.size
        return slice(self.rank * count, (self.rank + 1) * count)

    def joined(self, network: nn.Module) -> nn.Module:
        """What is called in the network's place for a step: gradients of all processes are averaged on the way back."""
        if self._fabric is None:
            return network
        share_norms(network)
        wrapped: nn.Module = self._fabric.setup_module(network, move_to_device=False)
        return wrapped

    def whole(self, logits: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
        """Logits and labels of the whole batch from those of this process's part."""
        if self._fabric is None:
            return logits, labels
        import torch.distributed as dist

        marked = [torch.empty_like(labels) for _ in range(self.size)]
        dist.all_gather(marked, labels.contiguous())
        together: Tensor = _Gathered.apply(logits, self.rank, self.size)
        return together, torch.cat(marked)

    def agree(self, value: Any) -> Any:
        """The first process's value, in all of them."""
        if self._fabric is None:
            return value
        import torch.distributed as dist

        box = [value]
        dist.broadcast_object_list(box, src=0, group=self._control)
        return box[0]

    def orders(self, context: TaskContext) -> list[Order]:
        """What the first process was ordered."""
        if self._fabric is None:
            return list(context.orders())
        orders: list[Order] = self.agree(context.orders() if self.leads else None)
        return orders


@contextlib.contextmanager
def team_of(config: DeepConfig, context: TaskContext, rank: int = 0, port: int | None = None) -> Iterator[Team]:
    """The team that a config asks for: starts the other processes, meets them, and ends them with this one.

    Raises
    ------
    ConfigError
        There are not so many devices, or a batch cannot be shared out among them.
    """
    if config.devices == 1:
        yield Team()
        return
    device = resolve_device(config.device)
    _check(config, device)
    port = port or _free_port()
    others = [_start(context, number, port) for number in range(1, config.devices)] if rank == 0 else []
    before = {name: os.environ.get(name) for name in _ENVIRONMENT}
    try:
        os.environ.update(
            MASTER_ADDR="127.0.0.1",
            MASTER_PORT=str(port),
            NODE_RANK="0",
            LOCAL_RANK=str(rank),
            WORLD_SIZE=str(config.devices),
        )
        yield Team(rank, config.devices, _fabric(config, device))
    finally:
        _part(others)
        for name, value in before.items():
            os.environ.pop(name, None)
            if value is not None:
                os.environ[name] = value


def own_device(config: DeepConfig, team: Team) -> torch.device:
    """Where this process computes: the GPU after the one before it, or the processor."""
    device = resolve_device(config.device)
    if team.size == 1 or device.type != "cuda":
        return device
    return torch.device("cuda", (device.index or 0) + team.rank)


def share_norms(network: nn.Module) -> None:
    """Let batch normalisations use the statistics of all processes while they learn."""
    for module in network.modules():
        if isinstance(module, nn.modules.batchnorm._BatchNorm) and not isinstance(module, _Shared):
            kind = type(module)
            module.__class__ = type(f"Shared{kind.__name__}", (_Shared, kind), {})


class _Summed(torch.autograd.Function):
    """The sum over all processes; so is its gradient."""

    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        return _sum(x)

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> Tensor:
        return _sum(grad)


class _Gathered(torch.autograd.Function):
    """What all processes have, one after the other; each takes the gradient of its part, summed over all."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, rank: int, size: int) -> Tensor:
        import torch.distributed as dist

        ctx.part = slice(rank * len(x), (rank + 1) * len(x))
        found = [torch.empty_like(x, memory_format=torch.contiguous_format) for _ in range(size)]
        dist.all_gather(found, x.contiguous())
        return torch.cat(found)

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, None, None]:
        part: Tensor = _sum(grad)[ctx.part]
        return part, None, None


def _sum(x: Tensor) -> Tensor:
    import torch.distributed as dist

    out = x.contiguous().clone()
    dist.all_reduce(out)
    return out


class _Shared(nn.Module):
    """Batch normalisation over the batch of all processes; torch's own does that on GPUs alone."""

    def forward(self, x: Tensor) -> Tensor:
        if not self.training:
            plain: Tensor = super().forward(x)
            return plain
        norm: Any = self
        wide = x.float()
        axes = [axis for axis in range(x.ndim) if axis != 1]
        ones = torch.full((1,), x.numel() / x.shape[1], device=x.device)
        sums: Tensor = _Summed.apply(torch.cat([wide.sum(axes), wide.square().sum(axes), ones]))
        count = sums[-1].detach()
        mean, square = (sums[:-1] / count).chunk(2)
        var = (square - mean.square()).clamp_min(0)
        if norm.track_running_stats:
            with torch.no_grad():
                norm.num_batches_tracked += 1
                rate = 1 / float(norm.num_batches_tracked) if norm.momentum is None else norm.momentum
                norm.running_mean.lerp_(mean.detach().to(norm.running_mean), rate)
                norm.running_var.lerp_((var.detach() * count / (count - 1).clamp_min(1)).to(norm.running_var), rate)
        shape = [1, -1, *[1] * (x.ndim - 2)]
        scaled = (wide - mean.view(shape)) * (var + norm.eps).rsqrt().view(shape)
        if norm.weight is not None:
            scaled = scaled * norm.weight.view(shape) + norm.bias.view(shape)
        out: Tensor = scaled.to(x.dtype)
        for name in ("drop", "act"):  # what timm's normalisations do besides
            out = getattr(norm, name)(out) if hasattr(norm, name) else out
        return out


def _fabric(config: DeepConfig, device: torch.device) -> Any:
    from lightning_fabric import Fabric
    from lightning_fabric.plugins.environments.lightning import LightningEnvironment
    from lightning_fabric.strategies.ddp import DDPStrategy

    strategy = DDPStrategy(
        cluster_environment=LightningEnvironment(),
        process_group_backend="nccl" if device.type == "cuda" else "gloo",
        timeout=timedelta(seconds=_PATIENCE),
        find_unused_parameters=leaves_weights_alone(config),
    )
    first = device.index or 0
    devices: Any = list(range(first, first + config.devices)) if device.type == "cuda" else config.devices
    fabric = Fabric(accelerator=device.type, devices=devices, strategy=strategy)
    fabric.launch()
    return fabric


def leaves_weights_alone(config: DeepConfig) -> bool:
    """Whether some weights get no gradient: a frozen encoder, or one whose coarsest levels a decoder does not ask."""
    if config.volumetric:
        return False
    return bool(config.freeze_encoder_epochs) or config.architecture in _PARTIAL or config.levels < DEEPEST


def _check(config: DeepConfig, device: torch.device) -> None:
    if device.type == "cuda":
        there = torch.cuda.device_count() - (device.index or 0)
        if config.devices > there:
            raise ConfigError(f"devices={config.devices}: there are {there} GPUs from {config.device!r} on")
    elif device.type != "cpu":
        raise ConfigError(f"devices={config.devices}: only GPUs of NVIDIA and processors work together; use devices=1")


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _start(context: TaskContext, rank: int, port: int) -> subprocess.Popen[bytes]:
    from voxloop.runs import process

    arguments = ["-m", "voxloop.deep.rank", str(context.path), str(rank), str(port)]
    return process.start(arguments, context.path / "stdout.log")


def _part(others: list[subprocess.Popen[bytes]]) -> None:
    """Leave the group; those that do not end by themselves are ended."""
    import torch.distributed as dist

    if dist.is_initialized():
        dist.destroy_process_group()
    end = time.monotonic() + 10
    for other in others:
        with contextlib.suppress(subprocess.TimeoutExpired):
            other.wait(max(0.1, end - time.monotonic()))
        if other.poll() is None:
            other.kill()
            other.wait()


def end_with(parent: int) -> None:
    """End this process as soon as its parent is another one than ``parent``."""

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(1)
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()
