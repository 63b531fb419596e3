"""A network fed with rows: every layer keeps the few rows that its next output needs, and each row is computed once.

Tiles with a halo compute a voxel as often as halos overlap, the whole image at once holds every activation of every
layer. In between lies this: rows of an image (planes of a volume) go in from the top, every layer passes on what is
certain by then, a skip connection waits for the deeper path, and what comes out equals the whole forward to rounding.
Memory holds as many rows as the network looks ahead, not as many as there are. Line buffers of this kind are known
from hardware for convolutional networks (Alwani et al. 2016, "Fused-layer CNN accelerators"); here they run on
the graph of any network of plain convolutions. What looks at the whole image at once (global pooling, attention, norms
over an image) cannot be fed so.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from functools import partial

import torch
from torch import Tensor
from torch.nn import functional as F

#: spatial axis along which rows are fed: (n, c, *rows*, ...)
ROWS = 2
#: width of the sample on which the memory of a network is found, by dimensions; rows in it; feeds without growth
_SAMPLE, _FAR, _STEADY = {2: 128, 3: 32}, 4096, 4


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
        return _join(taken)

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


class Holding:
    """A layer that keeps the last rows of its one input until more have come."""

    _held: Tensor | None = None

    @property
    def held(self) -> int:
        """Bytes of rows that wait."""
        return _bytes(self._held)

    def _with_held(self, piece: Tensor | None) -> list[Tensor]:
        """What was held, and what has come; no rows only where there are no others.

        Joined to none, rows would be copied, and laid out in memory another way.
        """
        parts = [part for part in (self._held, piece) if part is not None]
        return [part for part in parts if part.shape[ROWS]] or parts[:1]


class Window(Holding):
    """A convolution or pooling over ``size`` rows, every ``step``-th; ``pad`` rows of ``fill`` lie around the image."""

    def __init__(self, fn: Callable[[Tensor], Tensor], size: int, step: int, pad: int, fill: float = 0.0) -> None:
        self._fn, self._size, self._step, self._pad, self._fill = fn, size, step, pad, fill
        self._skip = 0  # rows to come that no window begins with
        self._begun = False

    def feed(self, pieces: Sequence[Tensor | None], last: bool) -> Tensor | None:
        parts = self._with_held(pieces[0])
        if not parts:
            return None
        if self._pad:
            if not self._begun:
                parts.insert(0, _fill_rows(parts[0], self._pad, self._fill))
            if last:
                parts.append(_fill_rows(parts[0], self._pad, self._fill))
        self._begun = True
        rows = _join(parts)
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
        if (skipped, needed) != (0, have):
            rows = rows.narrow(ROWS, skipped, needed)
        return self._fn(rows)


class Enlarge(Holding):
    """Each row becomes ``factor`` rows that also look at ``context`` rows on either side."""

    def __init__(self, fn: Callable[[Tensor], Tensor], factor: int, context: int) -> None:
        self._fn, self._factor, self._context = fn, factor, context
        self._done = 0  # of the rows held, those that were passed on and are there to be looked at

    def feed(self, pieces: Sequence[Tensor | None], last: bool) -> Tensor | None:
        parts = self._with_held(pieces[0])
        if not parts:
            return None
        rows = _join(parts)
        have = rows.shape[ROWS]
        stop = have if last else have - self._context
        if stop <= self._done:
            self._held = rows
            return None
        made = self._fn(rows).narrow(ROWS, self._done * self._factor, (stop - self._done) * self._factor)
        keep = max(0, stop - self._context)
        self._done, self._held = stop - keep, rows.narrow(ROWS, keep, have - keep)
        return made


class TransposedRows:
    """A transposed convolution: every row adds to ``size`` rows, ``step`` rows further each time."""

    def __init__(
        self, fn: Callable[[Tensor], Tensor], bias: Tensor | None, size: int, step: int, pad: int, more: int
    ) -> None:
        self._fn, self._bias, self._size, self._step, self._crop, self._pad, self._more = (
            fn,
            bias,
            size,
            step,
            pad,
            pad,
            more,
        )
        self._shared = max(0, size - step)  # rows that the next row adds to
        self._tail: Tensor | None = None  # those, and the ones that are cut off at the end

    @property
    def held(self) -> int:
        return _bytes(self._tail)

    def feed(self, pieces: Sequence[Tensor | None], last: bool) -> Tensor | None:
        if pieces[0] is not None:
            made = self._after_tail(self._fn(pieces[0]))
        elif last and self._tail is not None:
            made = self._tail
        else:
            return None
        if last:
            extra = self._more - self._pad
            made = torch.cat([made, _fill_rows(made, extra, 0.0)], ROWS) if extra > 0 else made
            done = made.shape[ROWS] + min(extra, 0)
        else:
            done = max(0, made.shape[ROWS] - max(self._shared, self._pad))
            self._tail = made.narrow(ROWS, done, made.shape[ROWS] - done).clone()
        cropped = min(self._crop, max(0, done))
        self._crop -= cropped
        if done <= cropped:
            return None
        rows = made.narrow(ROWS, cropped, done - cropped)
        return rows if self._bias is None else rows + self._bias.view(1, -1, *[1] * (rows.ndim - 2))

    def _after_tail(self, made: Tensor) -> Tensor:
        """What rows add, behind what was held of the ones before."""
        if self._tail is None:
            return made
        if self._shared:
            made.narrow(ROWS, 0, self._shared).add_(
                self._tail.narrow(ROWS, self._tail.shape[ROWS] - self._shared, self._shared)
            )
        before = [self._tail.narrow(ROWS, 0, self._tail.shape[ROWS] - self._shared)]
        if self._size < self._step:
            before.append(_fill_rows(made, self._step - self._size, 0.0))
        parts = [part for part in (*before, made) if part.shape[ROWS]]
        return _join(parts)


Layer = Each | Window | Enlarge | TransposedRows
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

    def enlarge(self, factors: Sequence[int], mode: str) -> Streamed:
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
        for piece in pixels.split(rows, ROWS):
            yield from self._pass_on(layers, piece, seen)
        for number in range(len(layers)):
            yield from self._pass_on(layers, None, seen, number)

    def _pass_on(
        self, layers: list[Layer], piece: Tensor | None, seen: Callable[[int], object] | None, first: int = 0
    ) -> Iterator[Tensor]:
        """Give the first layer a piece; or None: layer ``first`` ends, behind those that have. Yields what comes out.

        One after the other, layers give in the end as few rows at once as before.
        """
        made: list[Tensor | None] = [piece, *[None] * first]
        left = list(self._readers)
        for number in range(first, len(layers)):
            ends = piece is None and number == first
            inputs = self._layers[number][1]
            made.append(layers[number].feed([made[source] for source in inputs], ends))
            if ends and made[-1] is None:
                return
            if seen is not None:
                seen(sum(layer.held for layer in layers) + sum(_bytes(rows) for rows in made[1:]))
            for source in inputs:
                left[source] -= 1
                if not left[source] and source != self._outlet:
                    made[source] = None
        output = made[self._outlet]
        if output is not None:
            yield output

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


def _bytes(piece: Tensor | None) -> int:
    return 0 if piece is None else piece.numel() * piece.element_size()


def _join(pieces: Sequence[Tensor]) -> Tensor:
    return pieces[0] if len(pieces) == 1 else torch.cat(list(pieces), ROWS)


def _fill_rows(like: Tensor, rows: int, value: float) -> Tensor:
    """So many rows of one value, laid out in memory as the others: joining two layouts would copy all of them."""
    shape = list(like.shape)
    shape[ROWS] = rows
    last = torch.channels_last if like.ndim == 4 else torch.channels_last_3d
    layout = last if like.is_contiguous(memory_format=last) else torch.contiguous_format
    return torch.full(shape, value, dtype=like.dtype, device=like.device).contiguous(memory_format=layout)
