"""The graph of a network turned into layers that are fed with rows. Knows no images and no tiles."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from voxloop.deep.networks.convolution import conv3d
from voxloop.deep.predict.feeding import ROWS, Each, Enlarge, Maker, Streamed, TransposedRows, Window

log = logging.getLogger(__name__)

#: voxels a side, by dimensions, from which networks pad nothing; the graph is traced there, and holds for larger ones
ROOMY = {2: 128, 3: 32}

#: operations in which every voxel stands for itself
_EACH = {
    "relu", "hardtanh", "silu", "gelu", "sigmoid", "hardswish", "hardsigmoid", "leaky_relu", "elu", "tanh", "clamp",
    "clone", "alias", "dropout", "_to_copy", "softplus", "mish", "_native_batch_norm_legit_no_training", "add", "sub",
    "mul", "div", "cat", "_prelu_kernel", "prelu",
}  # fmt: skip


class NotStreamable(Exception):
    """The network looks at the whole image at once somewhere."""


def stream(module: nn.Module, channels: int, dimensions: int, stride: int) -> Streamed | None:
    """The network as layers fed with rows; None where it cannot be, or where its graph cannot be had.

    Parameters
    ----------
    module
        In evaluation mode; its parameters are used as they are, wherever they are.
    channels, dimensions
        Of what goes in; 2 for images, 3 for volumes. They must be at least :data:`ROOMY` a side.
    stride
        Sizes that are multiples of it need no rounding anywhere in the network.
    """
    parameter = next(module.parameters(), None)
    if parameter is None or module.training:
        return None
    side = max(2, -(-ROOMY[dimensions] // stride)) * stride
    sample = torch.zeros(1, channels, *[side] * dimensions, device=parameter.device)
    try:
        with torch.no_grad():
            program = torch.export.export(module, (sample,), strict=False).run_decompositions({})
        return _compile(program, module)
    except NotStreamable as reason:
        log.info("%s is not streamed: %s", type(module).__name__, reason)
    except Exception as error:  # whatever a foreign module does to the exporter
        log.info("the graph of %s cannot be had: %s", type(module).__name__, error)
    return None


#: activations that are computed in place, right behind the convolution before them
_ACTIVATIONS: dict[str, Callable[..., Tensor]] = {
    "relu": torch.relu_, "hardtanh": F.hardtanh_, "silu": partial(F.silu, inplace=True),
    "hardswish": partial(F.hardswish, inplace=True), "leaky_relu": F.leaky_relu_, "elu": F.elu_,
}  # fmt: skip


def _compile(program: Any, module: nn.Module) -> Streamed:
    signature = program.graph_signature
    named = {**dict(module.named_parameters()), **dict(module.named_buffers())}
    parameters = {**signature.inputs_to_parameters, **signature.inputs_to_buffers}
    constants: dict[str, Any] = {name: named[full] for name, full in parameters.items()}
    for name, full in getattr(signature, "inputs_to_lifted_tensor_constants", {}).items():
        constants[name] = program.constants[full]
    places: dict[str, int] = {}
    layers: list[tuple[Maker, tuple[int, ...]]] = []
    convolutions: dict[int, _Convolution] = {}
    outlet = None
    for node in program.graph.nodes:
        if node.op == "placeholder":
            if node.name not in constants:
                if places:
                    raise NotStreamable("it has several inputs")
                places[node.name] = 0
        elif node.op == "output":
            outlet = places.get(node.args[0][0].name)
        elif node.op == "call_function":
            if getattr(node.target, "__name__", "") == "getitem":
                if node.args[1] != 0:
                    raise NotStreamable(f"{node.args[0].name} has several outputs")
                places[node.name] = places[node.args[0].name]
                continue
            behind = _behind_convolution(node, places, convolutions, constants)
            if behind is not None:
                place, changed = behind
                layers[place - 1] = (changed.maker(), layers[place - 1][1])
                convolutions[place], places[node.name] = changed, place
                continue
            maker, inputs = _layer(node, places, constants)
            layers.append((maker, inputs))
            places[node.name] = len(layers)
            if node.target._schema.name in ("aten::conv2d", "aten::conv3d"):
                convolutions[len(layers)] = _Convolution.of(node, constants)
    if outlet is None:
        raise NotStreamable("what comes out does not depend on what goes in")
    return Streamed(layers, outlet)


def _layer(node: Any, places: dict[str, int], constants: dict[str, Any]) -> tuple[Maker, tuple[int, ...]]:
    name = node.target._schema.name.split("::")[-1]
    if name in _EACH:
        return _each(node, name, places, constants)

    def value(argument: Any) -> Any:
        return constants[argument.name] if hasattr(argument, "name") else argument

    source = node.args[0]
    if getattr(source, "name", None) not in places:
        raise NotStreamable(f"{node.name} starts from a constant")
    inputs = (places[source.name],)
    input_shape, output_shape = source.meta["val"].shape, node.meta["val"].shape
    dims = len(input_shape) - 2
    arguments = [value(argument) for argument in node.args[1:]]
    if name in ("conv2d", "conv3d"):
        return _Convolution.of(node, constants).maker(), inputs
    if name.startswith("conv_transpose"):
        return _transpose(dims, *arguments), inputs
    if name in ("max_pool2d", "max_pool3d", "avg_pool2d", "avg_pool3d"):
        return _pool(name, dims, *arguments), inputs
    if name.startswith("upsample_"):
        return _enlarge(node, name, input_shape, output_shape), inputs
    if "pad" in name and input_shape == output_shape:  # for sizes that are no multiple of the stride
        return partial(Each, _same, 1), inputs
    raise NotStreamable(f"{name} looks at more than some rows")


def _each(node: Any, name: str, places: dict[str, int], constants: dict[str, Any]) -> tuple[Maker, tuple[int, ...]]:
    sources: list[str] = []

    def bound(argument: Any) -> Any:
        if isinstance(argument, list | tuple):
            return [bound(part) for part in argument]
        if not hasattr(argument, "meta"):
            return argument
        if argument.name in places:
            sources.append(argument.name)
            return _Slot(len(sources) - 1)
        constant = constants[argument.name]
        if constant.ndim > ROWS and constant.shape[ROWS] > 1:
            raise NotStreamable(f"{node.name} adds a picture of fixed size")
        return constant

    arguments = [bound(argument) for argument in node.args]
    if name == "cat" and (node.args[1] if len(node.args) > 1 else node.kwargs.get("dim", 0)) != 1:
        raise NotStreamable(f"{node.name} joins along another axis than channels")
    if not sources:
        raise NotStreamable(f"{node.name} starts from a constant")
    several = name == "_native_batch_norm_legit_no_training"

    def fn(*pieces: Tensor) -> Tensor:
        output = node.target(*(_put(argument, pieces) for argument in arguments), **node.kwargs)
        result: Tensor = output[0] if several else output
        return result

    return partial(Each, fn, len(sources)), tuple(places[source] for source in sources)


def _same(rows: Tensor) -> Tensor:
    return rows


class _Slot:
    """Stands in an operation's arguments for the rows of its n-th input."""

    def __init__(self, number: int) -> None:
        self.number = number


def _put(argument: Any, pieces: Sequence[Tensor]) -> Any:
    if isinstance(argument, _Slot):
        return pieces[argument.number]
    return [_put(part, pieces) for part in argument] if isinstance(argument, list) else argument


def _every(value: Any, dims: int) -> list[int]:
    """One number an axis."""
    numbers = [int(part) for part in value] if isinstance(value, list | tuple) else [int(value)]
    return numbers * dims if len(numbers) == 1 else numbers


@dataclass(frozen=True, slots=True)
class _Convolution:
    """A convolution, with the norm and the activation behind it taken in."""

    weight: Tensor
    bias: Tensor | None
    step: list[int]
    pad: list[int]
    wide: list[int]
    groups: int
    then: Callable[[Tensor], Tensor] | None = None

    @classmethod
    def of(cls, node: Any, constants: dict[str, Any]) -> _Convolution:
        arguments: list[Any] = [constants[part.name] if hasattr(part, "name") else part for part in node.args[1:]]
        arguments += [None, 1, 0, 1, 1][len(arguments) - 1 :]
        weight, bias, stride, padding, dilation, groups = arguments
        if isinstance(padding, str):
            raise NotStreamable(f"a convolution padded as {padding!r}")
        dims = weight.ndim - 2
        return cls(weight, bias, _every(stride, dims), _every(padding, dims), _every(dilation, dims), groups)

    def take_in_norm(self, scale: Tensor, shift: Tensor) -> _Convolution:
        """With what comes out multiplied and moved, a number a channel."""
        weight = self.weight * scale.view(-1, *[1] * (self.weight.ndim - 1))
        last = torch.channels_last if weight.ndim == 4 else torch.channels_last_3d
        if self.weight.is_contiguous(memory_format=last):
            weight = weight.contiguous(memory_format=last)
        bias = shift if self.bias is None else self.bias * scale + shift
        return replace(self, weight=weight, bias=bias)

    def maker(self) -> Maker:
        run: Any = F.conv2d if self.weight.ndim == 4 else conv3d
        pad = [0, *self.pad[1:]]

        def fn(rows: Tensor) -> Tensor:
            output: Tensor = run(rows, self.weight, self.bias, self.step, pad, self.wide, self.groups)
            return output if self.then is None else self.then(output)

        return partial(Window, fn, self.wide[0] * (self.weight.shape[2] - 1) + 1, self.step[0], self.pad[0])


def _behind_convolution(
    node: Any, places: dict[str, int], convolutions: dict[int, _Convolution], constants: dict[str, Any]
) -> tuple[int, _Convolution] | None:
    """The convolution that this norm or activation stands behind alone, with it taken in; None where there is none."""
    source: Any = node.args[0] if node.args else None
    place = places.get(getattr(source, "name", ""), 0)
    if place not in convolutions or len(source.users) > 1 or convolutions[place].then is not None:
        return None
    before, name = convolutions[place], node.target._schema.name.split("::")[-1]
    if name == "_native_batch_norm_legit_no_training":
        gain, shift, mean, variance = (
            None if part is None else constants[part.name].detach().double() for part in node.args[1:5]
        )
        assert mean is not None
        assert variance is not None
        scale = (variance + node.args[6]).rsqrt() * (1 if gain is None else gain)
        moved = -mean * scale + (0 if shift is None else shift)
        kind = before.weight.dtype
        return place, before.take_in_norm(scale.to(kind), moved.to(kind))
    if name in _ACTIVATIONS:
        return place, replace(before, then=lambda rows: _ACTIVATIONS[name](rows, *node.args[1:], **node.kwargs))
    return None


def _transpose(
    dims: int,
    weight: Tensor,
    bias: Tensor | None = None,
    stride: Any = 1,
    padding: Any = 0,
    output_padding: Any = 0,
    groups: int = 1,
    dilation: Any = 1,
) -> Maker:
    step, pad, more, wide = (_every(part, dims) for part in (stride, padding, output_padding, dilation))
    run: Any = F.conv_transpose2d if dims == 2 else F.conv_transpose3d
    size = wide[0] * (weight.shape[2] - 1) + 1
    if more[0] and size <= step[0]:
        raise NotStreamable("a transposed convolution with rows behind the last that no row adds to")

    def fn(rows: Tensor) -> Tensor:
        output: Tensor = run(rows, weight, None, step, [0, *pad[1:]], [0, *more[1:]], groups, wide)
        return output

    return partial(TransposedRows, fn, bias, size, step[0], pad[0], more[0])


def _pool(name: str, dims: int, kernel: Any, stride: Any = (), padding: Any = 0, *rest: Any) -> Maker:
    size, pad = _every(kernel, dims), _every(padding, dims)
    step = _every(stride, dims) if stride else size
    if name.startswith("max"):
        dilation, *rounding = rest or (1,)
        odd = any(rounding) or dilation not in (1, [1] * dims)
        fill = float("-inf")
    else:
        odd = any(rest[:1])
        fill = 0.0
    if odd:
        raise NotStreamable("a pooling that rounds up or skips voxels")
    if name.startswith("avg") and any(pad):
        raise NotStreamable("a mean over less than its window at the edge")
    run: Any = getattr(F, name)

    def fn(rows: Tensor) -> Tensor:
        output: Tensor = run(rows, size, step, [0, *pad[1:]])
        return output

    return partial(Window, fn, size[0], step[0], pad[0], fill)


def _enlarge(node: Any, name: str, input_shape: Sequence[int], output_shape: Sequence[int]) -> Maker:
    factors = [out / into for out, into in zip(output_shape[2:], input_shape[2:], strict=True)]
    mode = {"nearest": "nearest", "bilinear": "bilinear", "trilinear": "trilinear"}.get(
        name.removeprefix("upsample_").rstrip("23d")
    )
    corners = mode in ("bilinear", "trilinear") and node.args[2]
    if mode is None or corners or not all(factor.is_integer() and factor >= 1 for factor in factors):
        raise NotStreamable(f"{name} by {factors}")

    def fn(rows: Tensor) -> Tensor:
        return F.interpolate(rows, scale_factor=factors, mode=mode)

    context = 0 if mode == "nearest" else 1
    return partial(Enlarge, fn, int(factors[0]), context)
