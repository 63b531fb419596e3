"""A training state on disk: tensors as safetensors, the rest as JSON, a folder that is whole or not there.

Knows nothing of windows or losses; nothing in a checkpoint can run code.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from voxloop.deep.transfer import runtime
from voxloop.errors import ModelError
from voxloop.store.atomic import replace_folder

VERSION = 1


def save(
    folder: Path,
    tensors: dict[str, Tensor],
    state: dict[str, Any],
    write_more: Callable[[Path], object] | None = None,
) -> None:
    """Write a checkpoint beside ``folder`` and put it in its place; ``write_more`` adds files to it."""
    temporary = folder.with_name(f".{folder.name}.new")
    shutil.rmtree(temporary, ignore_errors=True)
    temporary.mkdir(parents=True)
    save_file(
        {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}, temporary / "state.safetensors"
    )
    (temporary / "state.json").write_text(json.dumps({"v": VERSION, **state}))
    if write_more is not None:
        write_more(temporary)
    for part in temporary.iterdir():
        with part.open("rb") as stream:
            os.fsync(stream.fileno())
    replace_folder(temporary, folder)


def load(folder: Path) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """Tensors and state of a checkpoint. Raises ModelError where it is damaged or of another version."""
    try:
        state = json.loads((folder / "state.json").read_text())
        tensors = load_file(folder / "state.safetensors")
    except (OSError, ValueError, SafetensorError) as error:
        raise ModelError(f"checkpoint {folder} cannot be read: {error}") from error
    if state.get("v") != VERSION:
        raise ModelError(f"checkpoint {folder} is of version {state.get('v')!r}; this voxloop reads {VERSION}")
    return tensors, state


def find(folder: Path, name: str) -> Path | None:
    """Where the checkpoint ``name`` is; also one that a process was putting in place when it died."""
    for candidate in (folder / name, folder / f".{name}.old"):
        if (candidate / "state.json").is_file():
            return candidate
    return None


def newest(folder: Path) -> Path | None:
    """The checkpoint that is furthest: the last one, or one that was kept at the end of a later epoch."""
    last = find(folder, "last")
    kept = sorted(folder.glob("epoch-*")) if folder.is_dir() else []
    if not kept or not (kept[-1] / "state.json").is_file():
        return last
    if last is None or _step(kept[-1]) > _step(last):
        return kept[-1]
    return last


def _step(folder: Path) -> int:
    """At which step a checkpoint was written. Raises ModelError where it is damaged."""
    try:
        return int(json.loads((folder / "state.json").read_text())["state"]["step"])
    except (OSError, ValueError, KeyError) as error:
        raise ModelError(f"checkpoint {folder} cannot be read: {error}") from error


def pack(
    network: nn.Module, average: nn.Module, optimiser: torch.optim.Optimizer
) -> tuple[dict[str, Tensor], list[Any]]:
    """All tensors of a training state by name, and the optimiser's numbers (its groups without parameters)."""
    tensors = {f"network.{name}": value for name, value in network.state_dict().items()}
    if average is not network:
        tensors |= {f"average.{name}": value for name, value in average.state_dict().items()}
    packed = optimiser.state_dict()
    for index, slots in packed["state"].items():
        tensors |= {f"optimiser.{index}.{name}": value for name, value in slots.items() if isinstance(value, Tensor)}
    tensors["random.cpu"] = torch.get_rng_state()
    device = _device(network)
    if (module := runtime(device)) is not None:
        tensors[f"random.{device.type}"] = module.get_rng_state(device)
    return tensors, packed["param_groups"]


def unpack(
    tensors: dict[str, Tensor],
    groups: list[Any],
    network: nn.Module,
    average: nn.Module,
    optimiser: torch.optim.Optimizer,
) -> None:
    """Put a packed state back."""
    network.load_state_dict(_under("network.", tensors))
    if average is not network:
        average.load_state_dict(_under("average.", tensors))
    slots: dict[int, dict[str, Tensor]] = {}
    for name, value in _under("optimiser.", tensors).items():
        index, _, slot = name.partition(".")
        slots.setdefault(int(index), {})[slot] = value
    optimiser.load_state_dict({"state": slots, "param_groups": groups})
    for parameter, kept in optimiser.state.items():  # fused steps walk memory: moments must lie as their weights do
        for slot, value in kept.items():
            if isinstance(value, Tensor) and value.shape == parameter.shape:
                kept[slot] = torch.empty_like(parameter).copy_(value)
    torch.set_rng_state(tensors["random.cpu"])
    device = _device(network)
    state = tensors.get(f"random.{device.type}")
    if state is not None and (module := runtime(device)) is not None:
        module.set_rng_state(state, device)


def _device(network: nn.Module) -> torch.device:
    """Where a network computes, and so what draws its random numbers."""
    return next(network.parameters()).device


def _under(prefix: str, tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    return {name.removeprefix(prefix): value for name, value in tensors.items() if name.startswith(prefix)}
