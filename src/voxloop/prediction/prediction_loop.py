"""A prediction run while it goes: which tile is next, what was ordered, how far it is."""

from __future__ import annotations

import shutil
import time
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np

from voxloop.errors import ConfigError
from voxloop.geometry import Shape
from voxloop.prediction.decode import Decoded
from voxloop.prediction.executor import Done
from voxloop.prediction.job import PredictionJob
from voxloop.prediction.output import PredictionOutput
from voxloop.prediction.plan import Tile, order_tiles
from voxloop.prediction.skipping import Skips
from voxloop.runs.orders import LAST_WORD
from voxloop.volumes import spacing_of

if TYPE_CHECKING:
    from voxloop.prediction.cluster import Cluster
    from voxloop.runs.context import TaskContext
    from voxloop.store.confined import Area

#: seconds between two progress events, at least
PROGRESS_EVERY = 0.5


def last_order(context: TaskContext) -> str:
    """The last word of a run that was ordered to end, before it takes the order; empty where it was not."""
    words = [LAST_WORD[order.kind] for order in context.peek() if order.kind in LAST_WORD]
    if not words:
        return ""
    return "cancelled" if "cancelled" in words else words[-1]


class PredictionLoop:
    """A prediction under way: which tile is next, what was ordered, how far it is."""

    def __init__(
        self,
        context: TaskContext,
        job: PredictionJob,
        output: PredictionOutput,
        area: Area | None = None,
        cluster: Cluster | None = None,
    ) -> None:
        self.context, self.job, self.output, self.cluster = context, job, output, cluster
        self._skips = Skips(job.config, job.as_it_is, area)
        self.word = ""
        self._spacing = spacing_of(job.volume)
        self._given = output.done  # and those in hand
        self._left = self._ordered(job.focus)
        self._total = output.plan.count
        self._before = int(np.count_nonzero(self._given[output.plan.cells]))
        self._began, self._said = time.monotonic(), 0.0

    def run(self) -> str:
        written = self._before
        broken = skipped = 0
        self._progress(written, force=True)
        for done in self._tiles():
            if not done.recorded:
                self.output.write(done.tile, None)
            written += 1
            broken += done.broken
            skipped += done.skipped
            self._progress(written, force=written == self._total)
        if broken:
            self.context.emit(
                "warning", text=f"the model gave no finite number at {broken} voxels; they stay unlabelled"
            )
        if skipped:
            self.context.emit("log", text=f"{skipped} of {self._total} tiles hold nothing to predict; they stay empty")
        if not self.word and self.job.config.scales and self.output.plan.every == 1:
            self._write_scales(written)
        if self.word == "cancelled":
            shutil.rmtree(self.output.path, ignore_errors=True)
        return self.word or "finished"

    def _write_scales(self, written: int) -> None:
        """Coarser resolutions, in which orders are obeyed as they are between tiles."""
        began = time.monotonic()
        for count, (done, total) in enumerate(self.output.write_scales(), start=1):
            left = (time.monotonic() - began) / count * (total - done)
            self._progress(written, force=done == total, coarser=[done, total], eta_s=left)
            if self._halted():
                return

    def _tiles(self) -> Iterator[Done]:
        if self.cluster is not None:
            return self.cluster.run(self.output, self._next(), self._halted)
        return self.job.run(self.output.plan, self._next(), self._write, self._halted, self._skips.empty)

    def _write(self, tile: Tile, decoded: Decoded) -> None:
        self.output.write(tile, self._skips.within(decoded, tile.core))

    def _next(self) -> Iterator[Tile]:
        while (tile := next(self._left, None)) is not None:
            self._given[tile.index] = True
            yield tile

    def _ordered(self, focus: Shape) -> Iterator[Tile]:
        return order_tiles(self.output.plan, focus, self._spacing, lambda index: bool(self._given[index]))

    def _halted(self) -> bool:
        for order in self.context.orders():
            if order.kind == "update":
                self._update(order.name, order.values)
            elif self.word != "cancelled":
                self.word = LAST_WORD[order.kind]
        return bool(self.word)

    def _update(self, name: str, values: dict[str, Any]) -> None:
        """Only the focus may be changed on the way: the rest of the tiles is put in a new order."""
        focus = values.get("focus")
        try:
            if set(values) != {"focus"} or focus is None:
                raise ConfigError("only focus can be changed while a prediction runs")
            config = self.job.config.changed(focus=focus)
        except ConfigError as error:
            self.context.emit("warning", text=str(error), order=name)
            return
        self._left = self._ordered(config.focus or self.job.focus)
        self.context.emit("updated", what="focus", old=self.job.focus, new=focus, order=name)

    def _progress(self, written: int, force: bool = False, **more: Any) -> None:
        now = time.monotonic()
        if not force and now - self._said < PROGRESS_EVERY:
            return
        self._said = now
        predicted = written - self._before
        fields: dict[str, Any] = {"done": written, "total": self._total, "unit": "tiles"}
        if predicted > 0:
            fields["eta_s"] = (now - self._began) / predicted * (self._total - written)
        self.context.emit("progress", **(fields | more))
