"""A network fed with rows: every layer keeps the few rows that its next output needs, and each row is computed once.

Tiles with a halo compute a voxel as often as halos overlap, the whole image at once holds every activation of every
layer. In between lies this: rows of an image (planes of a volume) go in from the top, every layer passes on what is
certain by then, a skip connection waits for the deeper path, and what comes out equals the whole forward to rounding.
Memory holds as many rows as the network looks ahead, not as many as there are. Line buffers of this kind are known
from hardware for convolutional networks (Alwani et al. 2016, "Fused-layer CNN accelerators"); here they run on
the graph of any network of plain convolutions. What looks at the whole image at once (global pooling, attention, norms
over an image) cannot be fed so, and :func:`streamed` says no.
"""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

log = logging.getLogger(__name__)

#: spatial axis along which rows are fed: (n, c, *rows*, ...)
ROWS = 2
#: width of the sample on which the memory of a network is found, by dimensions; rows in it; feeds without growth
_SAMPLE, _FAR, _STEADY = {2: 128, 3: 32}, 4096, 4
#: voxels a side, by dimensions, from which networks pad nothing; the graph is traced there, and holds for larger ones
ROOMY = {2: 128, 3: 32}

_EACH = {
    "relu", "hardtanh", "silu", "gelu", "sigmoid", "hardswish", "hardsigmoid", "leaky_relu", "elu", "tanh", "clamp",
    "clone", "alias", "dropout", "_to_copy", "softplus", "mish", "_native_batch_norm_legit_no_training", "add", "sub",
    "mul", "div", "cat", "_prelu_kernel", "prelu",
}  # fmt: skip


class NotStreamable(Exception):  # noqa: N818 - an answer, not a fault
    """The network looks at the whole image at once somewhere."""


class Queue:
    """Rows that wait, in the pieces in which they came."""

    def __init__(self) -> None:
        self._pieces: deque[Tensor] = deque()
        self.rows = 0

    def push(self, piece: Tensor) -> None:
        if piece.shape[ROWS]:
            self._pieces.append(piece)
            self.rows += piece.shape[ROWS]

    def take(self, rows: int) -> Tensor:
        """The next ``rows`` rows, one at least."""
        self.rows -= rows
        taken = []
        while rows:
            piece = self._pieces.popleft()
            count = piece.shape[ROWS]
            if count > rows:
                self._pieces.appendleft(piece.narrow(ROWS, rows, count - rows))
                piece, count = piece.narrow(ROWS, 0, rows), rows
            taken.append(piece)
            rows -= count
        return taken[0] if len(taken) == 1 else torch.cat(taken, ROWS)

    @property
    def held(self) -> int:
        return sum(_bytes(piece) for piece in self._pieces)


class Each:
    """A layer in which every row stands for itself; several inputs wait for each other."""

    def __init__(self, fn: Callable[..., Tensor], inputs: int) -> None:
        self._fn = fn
        self._waiting = [Queue() for _ in range(inputs)]

    @property
    def held(self) -> int:
        """Bytes of rows that wait."""
        return sum(queue.held for queue in self._waiting)

    def feed(self, pieces: Sequence[Tensor | None], last: bool) -> Tensor | None:
        if len(pieces) == 1:
            return None if pieces[0] is None else self._fn(pieces[0])
        for queue, piece in zip(self._waiting, pieces, strict=True):
            if piece is not None:
                queue.push(piece)
        rows = min(queue.rows for queue in self._waiting)
        return self._fn(*(queue.take(rows) for queue in self._waiting)) if rows else None


class Window:
    """A convolution or pooling over ``size`` rows, every ``step``-th, with ``pad`` rows of ``fill`` around the image."""

    def __init__(self, fn: Callable[[Tensor], Tensor], size: int, step: int, pad: int, fill: float = 0.0) -> None:
        self._fn, self._size, self._step, self._pad, self._fill = fn, size, step, pad, fill
        self._held: Tensor | None = None
        self._skip = 0  # rows to come that no window begins with
        self._begun = False

    @property
    def held(self) -> int:
        return _bytes(self._held)

    def feed(self, pieces: Sequence[Tensor | None], last: bool) -> Tensor | None:
        parts = [part for part in (self._held, pieces[0]) if part is not None]
        if not parts:
            return None
        if self._pad:
            if not self._begun:
                parts.insert(0, _filled(parts[0], self._pad, self._fill))
            if last:
                parts.append(_filled(parts[0], self._pad, self._fill))
        self._begun = True
        rows = parts[0] if len(parts) == 1 else torch.cat(parts, ROWS)
        skipped = min(self._skip, rows.shape[ROWS])
        self._skip -= skipped
        have = rows.shape[ROWS] - skipped
        count = (have - self._size) // self._step + 1 if have >= self._size else 0
        used = count * self._step
        self._skip += max(0, used - have)
        start = skipped + min(used, have)
        self._held = None if last else rows.narrow(ROWS, start, rows.shape[ROWS] - start)
        if not count:
            return None
        needed = (count - 1) * self._step + self._size
        return self._fn(rows if (skipped, needed) == (0, have) else rows.narrow(ROWS, skipped, needed))


class Enlarge:
    """Each row becomes ``factor`` rows that also look at ``context`` rows on either side."""

    def __init__(self, fn: Callable[[Tensor], Tensor], factor: int, context: int) -> None:
        self._fn, self._factor, self._context = fn, factor, context
        self._held: Tensor | None = None
        self._done = 0  # of the rows held, those that were passed on and are there to be looked at

    @property
    def held(self) -> int:
        return _bytes(self._held)

    def feed(self, pieces: Sequence[Tensor | None], last: bool) -> Tensor | None:
        parts = [part for part in (self._held, pieces[0]) if part is not None]
        if not parts:
            return None
        rows = parts[0] if len(parts) == 1 else torch.cat(parts, ROWS)
        have = rows.shape[ROWS]
        stop = have if last else have - self._context
        if stop <= self._done:
            self._held = rows
            return None
        made = self._fn(rows).narrow(ROWS, self._done * self._factor, (stop - self._done) * self._factor)
        keep = max(0, stop - self._context)
        self._done, self._held = stop - keep, rows.narrow(ROWS, keep, have - keep)
        return made


class Transposed:
    """A transposed convolution: every row adds to ``size`` rows, ``step`` rows further each time."""

    def __init__(
        self, fn: Callable[[Tensor], Tensor], bias: Tensor | None, size: int, step: int, pad: int, more: int
    ) -> None:
        self._fn, self._bias, self._size, self._step, self._crop, self._pad, self._more = (
            fn, bias, size, step, pad, pad, more,
        )  # fmt: skip
        self._tail: Tensor | None = None  # rows that the next row adds to
        self._begun = False

    @property
    def held(self) -> int:
        return _bytes(self._tail)

    def feed(self, pieces: Sequence[Tensor | None], last: bool) -> Tensor | None:
        piece, full = pieces[0], self._tail
        if piece is not None:
            full = self._fn(piece)
            if self._begun and self._size < self._step:
                full = torch.cat([_filled(full, self._step - self._size, 0.0), full], ROWS)
            if self._tail is not None:
                full.narrow(ROWS, 0, self._tail.shape[ROWS]).add_(self._tail)
            self._begun = True
        elif not last:
            return None
        if full is None:
            return None
        shared = max(0, self._size - self._step)
        if last:
            extra = self._more - self._pad
            full = torch.cat([full, _filled(full, extra, 0.0)], ROWS) if extra > 0 else full
            done = full.shape[ROWS] + min(extra, 0)
        else:
            done = full.shape[ROWS] - shared
            self._tail = full.narrow(ROWS, done, shared).clone() if shared else None
        cropped = min(self._crop, max(0, done))
        self._crop -= cropped
        if done <= cropped:
            return None
        rows = full.narrow(ROWS, cropped, done - cropped)
        return rows if self._bias is None else rows + self._bias.view(1, -1, *[1] * (rows.ndim - 2))


Layer = Each | Window | Enlarge | Transposed
#: makes the layer of a node, fresh for every image
Maker = Callable[[], Layer]


class Streamed:
    """A network as layers that are fed with rows; made by :func:`streamed`."""

    def __init__(self, layers: list[tuple[Maker, tuple[int, ...]]], outlet: int) -> None:
        self._layers, self._outlet = layers, outlet
        self._readers = [0] * (len(layers) + 1)
        for _, inputs in layers:
            for number in inputs:
                self._readers[number] += 1

    def enlarged(self, factors: Sequence[int], mode: str) -> Streamed:
        """The network with its output enlarged, bilinear or trilinear, by whole ``factors``."""
        if all(factor == 1 for factor in factors):
            return self

        def fn(rows: Tensor) -> Tensor:
            return F.interpolate(rows, scale_factor=[float(factor) for factor in factors], mode=mode)

        return Streamed(
            [*self._layers, (partial(Enlarge, fn, int(factors[0]), 1), (self._outlet,))], len(self._layers) + 1
        )

    def __call__(self, pixels: Tensor, rows: int, seen: Callable[[int], object] | None = None) -> Iterator[Tensor]:
        """Feed an image (n, c, y, x) or volume (n, c, z, y, x), ``rows`` at a time.

        Yields the rows that have come out, in order: together what the network makes of the whole. ``seen`` is told
        the bytes that are held, after every layer.
        """
        layers = [make() for make, _ in self._layers]
        waiting = [0] * len(layers)
        total = pixels.shape[ROWS]
        for start in range(0, total, rows):
            last = start + rows >= total
            made: list[Tensor | None] = [pixels.narrow(ROWS, start, min(rows, total - start))]
            left = list(self._readers)
            for number, (layer, (_, inputs)) in enumerate(zip(layers, self._layers, strict=True)):
                made.append(layer.feed([made[source] for source in inputs], last))
                if seen is not None:
                    waiting[number] = layer.held
                    seen(sum(waiting) + sum(_bytes(piece) for piece in made[1:]))
                for source in inputs:
                    left[source] -= 1
                    if not left[source] and source != self._outlet:
                        made[source] = None
            found = made[self._outlet]
            if found is not None:
                yield found

    def bytes_per_column(self, channels: int, dimensions: int, rows: int, device: torch.device) -> float:
        """Bytes held at the most for every voxel of a row (2-D) or plane (3-D) that is fed; found by feeding noise."""
        side = _SAMPLE[dimensions]
        peak = 0
        grew = fed = 0

        def seen(held: int) -> None:
            nonlocal peak, grew
            if held > peak:
                peak, grew = held, fed

        with torch.inference_mode():
            sample = torch.zeros(1, channels, _FAR, *[side] * (dimensions - 1), device=device)
            for fed, _ in enumerate(self(sample, rows, seen)):
                if fed > grew + _STEADY:
                    break
        return peak / float(side ** (dimensions - 1))


def streamed(module: nn.Module, channels: int, dimensions: int, stride: int) -> Streamed | None:
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
        return _compiled(program, module)
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


def _compiled(program: Any, module: nn.Module) -> Streamed:
    signature = program.graph_signature
    named = {**dict(module.named_parameters()), **dict(module.named_buffers())}
    known = {**signature.inputs_to_parameters, **signature.inputs_to_buffers}
    constants: dict[str, Any] = {name: named[full] for name, full in known.items()}
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
    taken, given = source.meta["val"].shape, node.meta["val"].shape
    dims = len(taken) - 2
    arguments = [value(argument) for argument in node.args[1:]]
    if name in ("conv2d", "conv3d"):
        return _Convolution.of(node, constants).maker(), inputs
    if name.startswith("conv_transpose"):
        return _transposed(dims, *arguments), inputs
    if name in ("max_pool2d", "max_pool3d", "avg_pool2d", "avg_pool3d"):
        return _pool(name, dims, *arguments), inputs
    if name.startswith("upsample_"):
        return _enlarge(node, name, taken, given), inputs
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
        found = node.target(*(_put(argument, pieces) for argument in arguments), **node.kwargs)
        result: Tensor = found[0] if several else found
        return result

    return partial(Each, fn, len(sources)), tuple(places[source] for source in sources)


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
    found = [int(part) for part in value] if isinstance(value, list | tuple) else [int(value)]
    return found * dims if len(found) == 1 else found


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
        given = [constants[part.name] if hasattr(part, "name") else part for part in node.args[1:]]
        weight, bias, stride, padding, dilation, groups = (*given, *(None, 1, 0, 1, 1)[len(given) - 1 :])
        if isinstance(padding, str):
            raise NotStreamable(f"a convolution padded as {padding!r}")
        dims = weight.ndim - 2
        return cls(weight, bias, _every(stride, dims), _every(padding, dims), _every(dilation, dims), groups)

    def normed(self, scale: Tensor, shift: Tensor) -> _Convolution:
        """With what comes out multiplied and moved, a number a channel."""
        weight = self.weight * scale.view(-1, *[1] * (self.weight.ndim - 1))
        if self.weight.is_contiguous(memory_format=torch.channels_last) and self.weight.ndim == 4:
            weight = weight.contiguous(memory_format=torch.channels_last)
        return replace(self, weight=weight, bias=shift if self.bias is None else self.bias * scale + shift)

    def maker(self) -> Maker:
        run: Any = F.conv2d if self.weight.ndim == 4 else F.conv3d
        pad = [0, *self.pad[1:]]

        def fn(rows: Tensor) -> Tensor:
            found: Tensor = run(rows, self.weight, self.bias, self.step, pad, self.wide, self.groups)
            return found if self.then is None else self.then(found)

        return partial(Window, fn, self.wide[0] * (self.weight.shape[2] - 1) + 1, self.step[0], self.pad[0])


def _behind_convolution(
    node: Any, places: dict[str, int], convolutions: dict[int, _Convolution], constants: dict[str, Any]
) -> tuple[int, _Convolution] | None:
    """The convolution that this norm or activation stands behind alone, with it taken in; None where there is none."""
    source = node.args[0] if node.args else None
    place = places.get(getattr(source, "name", None))  # type: ignore[arg-type]
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
        return place, before.normed(scale.to(kind), moved.to(kind))
    if name in _ACTIVATIONS:
        return place, replace(before, then=lambda rows: _ACTIVATIONS[name](rows, *node.args[1:], **node.kwargs))
    return None


def _transposed(
    dims: int, weight: Tensor, bias: Tensor | None = None, stride: Any = 1, padding: Any = 0, output_padding: Any = 0,
    groups: int = 1, dilation: Any = 1,
) -> Maker:  # fmt: skip
    step, pad, more, wide = (_every(part, dims) for part in (stride, padding, output_padding, dilation))
    run: Any = F.conv_transpose2d if dims == 2 else F.conv_transpose3d
    size = wide[0] * (weight.shape[2] - 1) + 1
    if more[0] and size <= step[0]:
        raise NotStreamable("a transposed convolution with rows behind the last that no row adds to")

    def fn(rows: Tensor) -> Tensor:
        found: Tensor = run(rows, weight, None, step, [0, *pad[1:]], [0, *more[1:]], groups, wide)
        return found

    return partial(Transposed, fn, bias, size, step[0], pad[0], more[0])


def _pool(
    name: str, dims: int, kernel: Any, stride: Any = (), padding: Any = 0, *rest: Any
) -> Maker:  # fmt: skip
    size, pad = _every(kernel, dims), _every(padding, dims)
    step = _every(stride, dims) if stride else size
    if any(rest[1:] if name.startswith("max") else rest[:1]) or (name.startswith("max") and rest and rest[0] not in (
        1, [1] * dims,
    )):  # fmt: skip
        raise NotStreamable("a pooling that rounds up or skips voxels")
    if name.startswith("avg") and any(pad):
        raise NotStreamable("a mean over less than its window at the edge")
    run: Any = getattr(F, name)
    fill = float("-inf") if name.startswith("max") else 0.0

    def fn(rows: Tensor) -> Tensor:
        found: Tensor = run(rows, size, step, [0, *pad[1:]])
        return found

    return partial(Window, fn, size[0], step[0], pad[0], fill)


def _enlarge(node: Any, name: str, taken: Sequence[int], given: Sequence[int]) -> Maker:
    factors = [out / into for out, into in zip(given[2:], taken[2:], strict=True)]
    mode = {"nearest": "nearest", "bilinear": "bilinear", "trilinear": "trilinear"}.get(
        name.removeprefix("upsample_").rstrip("23d")
    )
    corners = mode in ("bilinear", "trilinear") and node.args[2]
    if mode is None or corners or not all(factor.is_integer() and factor >= 1 for factor in factors):
        raise NotStreamable(f"{name} by {factors}")

    def fn(rows: Tensor) -> Tensor:
        return F.interpolate(rows, scale_factor=factors, mode=mode)

    return partial(Enlarge, fn, int(factors[0]), 0 if mode == "nearest" else 1)


def _bytes(piece: Tensor | None) -> int:
    return 0 if piece is None else piece.numel() * piece.element_size()


def _filled(like: Tensor, rows: int, value: float) -> Tensor:
    """So many rows of one value, laid out in memory as the others: joining two layouts would copy all of them."""
    shape = list(like.shape)
    shape[ROWS] = rows
    last = torch.channels_last if like.ndim == 4 else torch.channels_last_3d
    kept = last if like.is_contiguous(memory_format=last) else torch.contiguous_format
    return torch.full(shape, value, dtype=like.dtype, device=like.device).contiguous(memory_format=kept)
