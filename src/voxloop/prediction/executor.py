"""Tiles through a model on this machine: reading, computing, decoding and writing overlap, each a bounded step ahead.

Memory holds a few tiles, whatever the volume. Knows nothing of files: reading and writing are functions it is given.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import numpy as np

from voxloop.geometry import Box
from voxloop.model import Halted
from voxloop.prediction.blending import Blend, blocks_touching, outer_of
from voxloop.prediction.decode import Decoded
from voxloop.prediction.plan import Block, Plan, Tile

Read = Callable[[Box], np.ndarray]
Forward = Callable[[np.ndarray], Sequence[Any]]
ForwardPart = Callable[[np.ndarray, Box], Any]
Decode = Callable[[Any, Box], Decoded]
Write = Callable[[Tile, Decoded], None]

AHEAD = 2  # tiles read before they are needed, and tiles decoded but not yet on disk


@dataclass(frozen=True, slots=True)
class Done:
    """A tile that has been written, or was skipped; ``broken``: voxels at which the model gave no finite number.

    ``recorded``: whether its being done is on disk as well.
    """

    tile: Tile
    broken: int
    skipped: bool = False
    recorded: bool = True


def run_tiles(
    plan: Plan,
    tiles: Iterable[Tile],
    *,
    read: Read,
    forward: Forward,
    decode: Decode,
    write: Write,
    batch_voxels: int,
    forward_part: ForwardPart | None = None,
    halted: Callable[[], bool] = lambda: False,
    empty: Callable[[Box], bool] | None = None,
) -> Iterator[Done]:
    """Predict ``tiles`` in their order; yields each once it is written.

    Parameters
    ----------
    tiles
        Taken one at a time, ``AHEAD`` before their turn, so an iterator may change its mind about the rest.
    read
        Outer box to raw intensities (c, z, y, x).
    forward, decode
        Batch to outputs, one a block (or :class:`voxloop.model.Halted`, where it noticed within one); an output and the
        core within it to what is kept.
    forward_part
        A block (c, z, y, x) and the core within it to the output of the core alone, instead of ``forward``, where the
        model can leave out what it only looks at.
    batch_voxels
        Blocks of equal shape go through the model together up to this many voxels.
    halted
        Asked between batches; once true, tiles not yet computed are given up, those computed are still written.
    empty
        Whether a box holds nothing to predict: its tile is yielded as skipped, neither computed nor written.

    Raises
    ------
    Exception
        Whatever reading, the model or writing raised; tiles written before remain written.
    """
    call = _Call(plan, forward, forward_part)
    source = iter(tiles)
    reading: deque[tuple[Tile, Future[np.ndarray | None]]] = deque()

    def fetch(tile: Tile) -> np.ndarray | None:
        return None if empty is not None and empty(tile.core) else read(_seen(plan, tile))

    writing: deque[Future[Done]] = deque()
    with (
        ThreadPoolExecutor(AHEAD, "voxloop-read") as readers,
        ThreadPoolExecutor(1, "voxloop-decode") as decoders,
        ThreadPoolExecutor(AHEAD, "voxloop-write") as writers,
    ):
        try:
            while not halted():
                while len(reading) < AHEAD and (tile := next(source, None)) is not None:
                    reading.append((tile, readers.submit(fetch, tile)))
                if not reading:
                    break
                tile, raw = reading.popleft()
                block = raw.result()
                if block is None:
                    yield Done(tile, 0, skipped=True, recorded=False)
                    continue
                try:
                    decoding = _compute(plan, tile, block, call, decode, decoders, batch_voxels, halted)
                except Halted:
                    break
                if decoding is None:
                    break
                writing.append(writers.submit(_finish, tile, decoding, write))
                while writing and (writing[0].done() or len(writing) > AHEAD):
                    yield writing.popleft().result()
            while writing:
                yield writing.popleft().result()
        finally:
            for _, pending in reading:
                pending.cancel()


def _compute(
    plan: Plan,
    tile: Tile,
    raw: np.ndarray,
    call: _Call,
    decode: Decode,
    decoders: ThreadPoolExecutor,
    batch_voxels: int,
    halted: Callable[[], bool],
) -> list[tuple[Box, Future[Decoded]]] | None:
    """Run the model over a tile's blocks; None where it was halted between two batches."""
    origin = _seen(plan, tile)
    if plan.blend:
        blend = Blend(plan, tile.core)
        for batch in batches(blocks_touching(plan, tile.core), batch_voxels):
            if halted():
                return None
            for block, output in zip(batch, call.forward(_inputs(raw, origin, batch)), strict=True):
                blend.add(block, output)
        core = Box.whole(tile.core.shape)
        return [(core, decoders.submit(decode, blend.result(), core))]
    decoding: list[tuple[Box, Future[Decoded]]] = []
    for batch in batches(plan.blocks(tile), batch_voxels):
        if halted():
            return None
        outputs = call.outputs(raw, origin, batch)
        if decoding:
            decoding[-1][1].result()  # the outputs of one batch are held while the next is computed, no more
        for block in reversed(batch):
            core = block.core.within(tile.core)
            decoding.append((core, decoders.submit(decode, outputs.pop(), call.core_of(block))))
    return decoding


@dataclass(frozen=True, slots=True)
class _Call:
    """The model as blocks go through it: whole, or for their cores alone."""

    plan: Plan
    forward: Forward
    forward_part: ForwardPart | None

    def outputs(self, raw: np.ndarray, origin: Box, batch: Sequence[Block]) -> list[Any]:
        """One output a block, out of what was read from ``origin`` on."""
        if self.forward_part is None:
            return list(self.forward(_inputs(raw, origin, batch)))
        return [self.forward_part(raw[:, *block.outer.within(origin).slices], block.cut) for block in batch]

    def core_of(self, block: Block) -> Box:
        """The core of a block within its output."""
        return block.cut if self.forward_part is None else Box.whole(block.core.shape)


def _seen(plan: Plan, tile: Tile) -> Box:
    """What the blocks of a tile look at together."""
    return outer_of(plan, tile.core) if plan.blend else plan.block_of(tile.core).outer


def _inputs(raw: np.ndarray, origin: Box, batch: Sequence[Block]) -> np.ndarray:
    """The blocks of a batch (n, c, z, y, x), out of what was read from ``origin`` on."""
    inputs = [raw[:, *block.outer.within(origin).slices] for block in batch]
    return inputs[0][None] if len(inputs) == 1 else np.stack(inputs)


def _finish(tile: Tile, decoding: list[tuple[Box, Future[Decoded]]], write: Write) -> Done:
    parts = [(core, future.result()) for core, future in decoding]
    whole = assemble(tile, parts)
    write(tile, whole)
    return Done(tile, whole.broken)


def assemble(tile: Tile, parts: list[tuple[Box, Decoded]]) -> Decoded:
    """The decoded blocks of a tile as one; cores are relative to the tile."""
    if len(parts) == 1:
        return parts[0][1]
    shape = tile.core.shape
    first = parts[0][1]
    labels = np.empty(shape, first.labels.dtype)
    probabilities = uncertainty = None
    if first.probabilities is not None:
        probabilities = np.empty((len(first.probabilities), *shape), first.probabilities.dtype)
    if first.uncertainty is not None:
        uncertainty = np.empty(shape, first.uncertainty.dtype)
    for core, part in parts:
        labels[core.slices] = part.labels
        if probabilities is not None:
            probabilities[:, *core.slices] = part.probabilities
        if uncertainty is not None:
            uncertainty[core.slices] = part.uncertainty
    return Decoded(labels, probabilities, uncertainty, sum(part.broken for _, part in parts))


def batches(blocks: Iterable[Block], max_voxels: int) -> Iterator[list[Block]]:
    """Neighbouring blocks of equal outer shape, together up to ``max_voxels``; one block at least."""
    batch: list[Block] = []
    shape: tuple[int, ...] = ()
    for block in blocks:
        outer_shape = block.outer.shape
        if batch and (outer_shape != shape or (len(batch) + 1) * int(np.prod(shape)) > max_voxels):
            yield batch
            batch = []
        batch.append(block)
        shape = outer_shape
    if batch:
        yield batch
