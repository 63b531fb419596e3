"""Where a network is fed with rows instead of the whole image at once, and with how many. Knows no intensities."""

from __future__ import annotations

from collections.abc import Iterator
from math import prod

import torch
from torch import Tensor, nn

from voxloop.deep.networks.device import autocast
from voxloop.deep.predict.feeding import Streamed
from voxloop.deep.predict.streaming import ROOMY, stream
from voxloop.geometry import Shape
from voxloop.model import ModelSpec

#: voxels that are fed at once: on a processor what passes between two layers stays in its cache
_FED, _FED_CPU = 2**18, 2**17
#: voxels of a plane from which a processor is quicker with rows, and the seconds that reading the graph takes come back
_LARGE = 2**21
_UNTRIED = object()


class FedRows:
    """A network that can be fed with rows (of planes; with planes in 3-D), its output as large as what goes in.

    ``zoom`` zyx is the size at which it works; ``steps`` are the voxels of the network in which it makes whole steps,
    along the axes it looks along.
    """

    def __init__(
        self,
        module: nn.Module,
        spec: ModelSpec,
        channels: int,
        zoom: tuple[float, float, float],
        steps: list[int],
        device: torch.device,
        precision: torch.dtype,
    ) -> None:
        self._module, self._channels, self._dimensions = module, channels, spec.dimensions
        self._zoom, self._steps, self._stride = zoom[3 - spec.dimensions :], steps, max(1, *steps)
        self._device, self._precision = device, precision
        self._fed: Streamed | object | None = _UNTRIED
        self._column: float | None = None

    def bytes_per_column(self) -> float | None:
        """Bytes held for each voxel of a row; None: the network cannot be fed.

        A row is a line of the plane in 2-D, a plane of the volume in 3-D.
        """
        fed = self._feeding()
        if fed is None:
            return None
        if self._column is None:  # plans are made several times before the first tile
            with autocast(self._device, self._precision):
                held = fed.bytes_per_column(self._channels, self._dimensions, self._stride, self._device)
            self._column = held * prod(self._zoom[1:])
        return self._column

    def possible(self, size: Shape) -> bool:
        """Whether a block zyx is large enough to be fed; a smaller one fits whole wherever a larger one is fed."""
        sides = [round(n * zoom) for n, zoom in zip(size[3 - self._dimensions :], self._zoom, strict=True)]
        return min(sides) >= ROOMY[self._dimensions] and self._feeding() is not None

    def quicker(self, size: Shape) -> bool:
        """Whether planes of a block zyx take less time that way than whole: large ones on a processor.

        Asked of the size alone, so that a plane is computed in one way whatever came before it.
        """
        if self._dimensions != 2 or self._device.type != "cpu":
            return False
        sides = [n * zoom for n, zoom in zip(size[1:], self._zoom, strict=True)]
        whole = all(side % step == 0 for side, step in zip(sides, self._steps, strict=True))
        return whole and prod(sides) >= _LARGE and self.possible(size)

    def logits(self, images: Tensor) -> Iterator[Tensor]:
        """What the network says of one image (1, c, *space), in pieces along the axis of rows, in order."""
        fed = self._feeding()
        assert fed is not None
        at_once = _FED_CPU if self._device.type == "cpu" else _FED
        section = images[0, 0, 0].numel()
        pieces = fed(images, max(1, round(at_once / section / self._stride)) * self._stride)
        while True:
            with autocast(self._device, self._precision):
                piece = next(pieces, None)
            if piece is None:
                return
            yield piece

    def _feeding(self) -> Streamed | None:
        if self._fed is _UNTRIED:
            factors = [1 / zoom for zoom in self._zoom]
            fed = None
            if all(factor.is_integer() for factor in factors):
                fed = stream(self._module, self._channels, self._dimensions, self._stride)
            mode = "trilinear" if self._dimensions == 3 else "bilinear"
            self._fed = None if fed is None else fed.enlarge([int(factor) for factor in factors], mode)
        return self._fed if isinstance(self._fed, Streamed) else None
