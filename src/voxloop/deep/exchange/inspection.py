"""What a torch module takes and gives, found by asking it. Knows no files and no volumes."""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from voxloop.deep.exchange.titles import name_classes
from voxloop.errors import ModelError
from voxloop.model import ModelSpec, Output

if TYPE_CHECKING:
    from voxloop.geometry import Shape

#: steps that networks are made in
_STRIDES = (1, 2, 4, 8, 16, 32, 64)
#: voxels a side that any network takes, and the least that a step is tried with; by dimensions
_SIDE, _LEAST = {2: 64, 3: 32}, {2: 64, 3: 16}
#: of a network's largest output, by which two equal ones may differ in float64: what the deepest level of one says may
#: come to little in float32
_TOLERANCE = 1e-9


class AgainstRest(nn.Module):
    """A network of one logit as one of two classes: (0, logit), whose softmax is its sigmoid and the rest of it."""

    def __init__(self, inner: nn.Module) -> None:
        super().__init__()
        self.inner = inner

    def forward(self, x: Tensor) -> Tensor:
        logit: Tensor = self.inner(x)
        return torch.cat([torch.zeros_like(logit), logit], 1)


def inspect_module(module: nn.Module) -> tuple[nn.Module, ModelSpec]:
    """A module of which nothing is known but its layers, and a spec for it.

    Channels are told from the first convolution, classes from what comes out, the stride by trying sizes, the halo from
    how far an input reaches (2-D; None where that is not bounded). A module of one output says how likely a voxel is
    inside of something, so background is put before it.

    Raises
    ------
    ModelError
        It is no module, has no convolution, or does not take what its first convolution would.
    """
    if not isinstance(module, nn.Module):
        raise ModelError(f"a TorchModel needs a torch module, not {type(module).__name__}")
    first = next((m for m in module.modules() if isinstance(m, nn.Conv2d | nn.Conv3d)), None)
    if first is None:
        raise ModelError("this module has no 2-D or 3-D convolution to tell its channels from; give a spec")
    dimensions, channels = first.weight.ndim - 2, first.in_channels
    training = module.training
    try:
        outputs, stride, halo = _asked(module.eval(), channels, dimensions, first.weight)
    finally:
        module.train(training)
    names = [f"class {i + 1}" for i in range(outputs)] if outputs > 1 else ["inside"]
    side = _SIDE[dimensions] * 4 if dimensions == 2 else _SIDE[dimensions] * 2
    spec = ModelSpec(
        learner="deep",
        channels=channels,
        outputs=(Output(name="classes", kind="semantic", channels=outputs),),
        classes=name_classes(names),
        dimensions=dimensions,
        stride=stride,
        halo=halo,
        window=(1, side, side) if dimensions == 2 else (side, side, side),
    )
    return add_background(module, spec)


def add_background(module: nn.Module, spec: ModelSpec) -> tuple[nn.Module, ModelSpec]:
    """Module and spec as they are; those of a single class with background before it, since one class says nothing."""
    if [output.kind for output in spec.outputs] != ["semantic"] or spec.out_channels != 1 or len(spec.classes) != 1:
        return module, spec
    inside = spec.classes[0]
    found = name_classes(["background", inside.name])
    if inside.value == 1 and inside.name == "inside":  # named here
        classes = found
    else:
        classes = (replace(found[0], value=2 if inside.value == 1 else 1), inside)
    return AgainstRest(module), replace(spec, classes=classes, outputs=(replace(spec.outputs[0], channels=2),))


def _asked(module: nn.Module, channels: int, dimensions: int, like: Tensor) -> tuple[int, Shape, Shape | None]:
    """Output channels, stride and halo of a module."""

    def run(x: Tensor) -> Tensor:
        with torch.inference_mode():
            out: Tensor = module(x.to(like.device, like.dtype))
        return out.float().cpu()

    def accepts(size: Sequence[int]) -> bool:
        try:
            out = run(torch.zeros(1, channels, *size))
        except Exception:  # any error of a foreign module means the same here
            return False
        return [n * side for n in out.shape[2:]] == [n * given for n, given in zip(plain.shape[2:], size, strict=True)]

    side = _SIDE[dimensions]
    shape = (1, channels, *[side] * dimensions)
    try:
        plain = run(torch.zeros(shape))
        outputs = int(plain.shape[1])
    except Exception as error:
        raise ModelError(f"this module does not take {shape}: {error}; give a spec") from error
    if plain.ndim != 2 + dimensions:
        raise ModelError(f"this module gives {tuple(plain.shape)} for {shape}, no value for each voxel; give a spec")
    if dimensions == 3:
        return outputs, _steps(accepts), None
    fitting = [step for step in _STRIDES if accepts([_size(step, 2)] * 2)] or [side]
    reach = _reach(module, channels) if plain.shape[2:] == (side, side) else None
    step = None if reach is None else _step(module, channels, fitting, reach)
    if step is None:
        return outputs, (1, fitting[0], fitting[0]), None
    return outputs, (1, step, step), (0, reach or 0, reach or 0)


def _size(step: int, dimensions: int) -> int:
    """An odd multiple of a step: what a network that makes larger ones would not take."""
    return step * (-(-_LEAST[dimensions] // step) | 1)


def _steps(accepts: Callable[[Sequence[int]], bool]) -> Shape:
    """The stride of a 3-D network along each axis."""
    side, steps = _SIDE[3], []
    for axis in range(3):
        size = [side] * 3
        for step in (n for n in _STRIDES if n < side):
            size[axis] = _size(step, 3)
            if accepts(size):
                steps.append(step)
                break
        else:
            steps.append(side)
    return steps[0], steps[1], steps[2]


def _reach(module: nn.Module, channels: int) -> int | None:
    from voxloop.deep.networks.network import receptive_field

    try:
        return receptive_field(module, channels)
    except Exception:  # what cannot be measured is not known
        return None


def _step(module: nn.Module, channels: int, fitting: Sequence[int], reach: int) -> int | None:
    """The least of the steps that fit by which a picture may be cut, and gives the same further than ``reach`` away.

    A network that pads takes any size, and still makes steps. None where not even the largest will do: the network
    sees further than was measured.
    """
    width = -(-(2 * reach + 4 * max(_STRIDES)) // max(_STRIDES)) * max(_STRIDES)
    x = torch.randn(1, channels, 64, width, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    least = None
    try:
        exact = copy.deepcopy(module).cpu().double()
        with torch.inference_mode():
            whole = exact(x)
            for step in sorted(fitting, reverse=True):
                there, here = (
                    whole[..., step + reach : width - reach],
                    exact(x[..., step:])[..., reach : -reach or None],
                )
                if float((there - here).abs().max()) > _TOLERANCE * float(whole.abs().max()):
                    break
                least = step
    except Exception:  # what cannot be tried is not known
        return None
    return least
