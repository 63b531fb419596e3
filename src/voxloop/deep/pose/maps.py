"""What a network of places is taught: maps that peak at nodes, and fields that point along edges. Pure torch."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

#: a Gaussian is left out where it has fallen below this share of its peak
_FAINT = 4.0


def confidence_maps(places: Tensor, shape: Sequence[int], stride: Sequence[int], sigma: Sequence[float]) -> Tensor:
    """Maps of a frame, or of a volume, that are 1 where a node is and fall off around it as a Gaussian.

    Parameters
    ----------
    places
        (instance, node, axis) in pixels of the input, yx or zyx, centres at integers; NaN where a node is not placed.
    shape
        Of the maps.
    stride, sigma
        Pixels of the input from one cell of the maps to the next, and the width of the Gaussian; one an axis.

    Returns
    -------
    Tensor
        (node, *shape) float32. Where nodes of one name lie close to each other the larger value counts.
    """
    count, nodes, _ = places.shape
    maps = torch.zeros(nodes, *shape)
    for instance in range(count):
        for node in range(nodes):
            place = places[instance, node]
            if torch.isnan(place).any():
                continue
            _stamp(maps[node], place, stride, sigma)
    return maps


def _stamp(cells: Tensor, place: Tensor, stride: Sequence[int], sigma: Sequence[float]) -> None:
    """Raise the cells around a place to its Gaussian."""
    window, parts = [], []
    for axis, extent in enumerate(cells.shape):
        middle = float(place[axis])
        reach = _FAINT * sigma[axis]
        # cell i of a map stands for pixel stride * i + (stride - 1) / 2
        offset = (stride[axis] - 1) / 2
        first = max(0, int(np.floor((middle - reach - offset) / stride[axis])))
        last = min(extent, int(np.ceil((middle + reach - offset) / stride[axis])) + 1)
        if first >= last:
            return
        window.append(slice(first, last))
        at = torch.arange(first, last) * stride[axis] + offset
        parts.append(torch.exp(-0.5 * ((at - middle) / sigma[axis]) ** 2))
    peak = parts[0]
    for part in parts[1:]:
        peak = peak[..., None] * part
    here = cells[tuple(window)]
    torch.maximum(here, peak.to(here.dtype), out=here)


def affinity_fields(
    places: Tensor, edges: Sequence[tuple[int, int]], shape: Sequence[int], stride: Sequence[int], sigma: float
) -> Tensor:
    """Fields that point along the edges of every instance (part affinity fields, Cao et al. 2017).

    Parameters
    ----------
    places
        (instance, node, 2) in pixels of the input, yx; NaN where a node is not placed.
    edges
        Pairs of nodes, from one to the other.
    sigma
        Pixels over which a field falls off to the sides of an edge.

    Returns
    -------
    Tensor
        (2 * edge, *shape) float32: y and x of the unit vector along each edge, times a Gaussian of the distance to it;
        those of several instances are added up.
    """
    fields = torch.zeros(len(edges), 2, *shape)
    grid = torch.meshgrid(
        *(torch.arange(n) * step + (step - 1) / 2 for n, step in zip(shape, stride, strict=True)), indexing="ij"
    )
    at = torch.stack(grid)
    for instance in places:
        for number, (start, stop) in enumerate(edges):
            along = instance[stop] - instance[start]
            length = float(torch.linalg.vector_norm(along))
            if not np.isfinite(length) or length == 0:
                continue
            unit = along / length
            away = at - instance[start].view(2, 1, 1)
            share = ((away * unit.view(2, 1, 1)).sum(0) / length).clamp(0, 1)
            nearest = away - share * along.view(2, 1, 1)
            weight = torch.exp(-0.5 * (nearest**2).sum(0) / sigma**2)
            fields[number] += unit.view(2, 1, 1) * weight
    return fields.flatten(0, 1)


def extent_maps(places: Tensor, extents: Tensor, shape: Sequence[int], stride: Sequence[int]) -> tuple[Tensor, Tensor]:
    """Half sides of boxes, told at the cells around their middles.

    Parameters
    ----------
    places
        (instance, class, axis) as for :func:`confidence_maps`: the middle of each box in the channel of its class.
    extents
        (instance, axis): half the sides of each box, in pixels of the input.

    Returns
    -------
    values, where : Tensor
        (axis, *shape) float32 in pixels, and (*shape) bool: the cells that are taught.
    """
    axes = len(shape)
    values, where = torch.zeros(axes, *shape), torch.zeros(*shape, dtype=torch.bool)
    for instance in range(len(places)):
        for place in places[instance]:
            if torch.isnan(place).any():
                continue
            cell = [(float(place[a]) - (stride[a] - 1) / 2) / stride[a] for a in range(axes)]
            window = tuple(
                slice(max(0, round(c) - 1), max(0, min(n, round(c) + 2))) for c, n in zip(cell, shape, strict=True)
            )
            where[window] = True
            values[(slice(None), *window)] = extents[instance].view(axes, *[1] * axes)
    return values, where
