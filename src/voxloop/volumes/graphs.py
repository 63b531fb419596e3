"""Dask arrays of a million blocks, of which a few are wanted: the others are not even listed. Knows no volume."""

from __future__ import annotations

from typing import Any

import numpy as np


def blocks_over(array: Any, chunks: Any, *, meta: Any = None, asarray: bool | None = None) -> Any:
    """A dask array that reads ``array`` block by block, without a lock.

    The array is held by each task: as a node of its own it would make dask list all blocks for every few wanted ones,
    which takes seconds and half a gigabyte where there are millions.
    """
    import dask.array as da

    return da.from_array(array, chunks=chunks, name=False, lock=False, asarray=asarray, meta=meta, inline_array=True)


def compute(part: Any) -> np.ndarray:
    """The voxels of a dask array whose graph may be of many more blocks than it has. Raises what its tasks raise."""
    import dask.local
    import dask.threaded

    # a scheduler of threads costs more than it gives for the few chunks of a plane or a tile
    get = dask.threaded.get if part.npartitions > 2 else dask.local.get_sync
    return np.asarray(with_plain_roots(part).compute(scheduler=get))


def with_plain_roots(part: Any) -> Any:
    """The same array; what it reads from is held in a task of dask's newer kind, see :func:`blocks_over`."""
    import dask.array as da
    from dask.highlevelgraph import HighLevelGraph, MaterializedLayer

    try:
        from dask._task_spec import convert_legacy_graph
    except ImportError:  # a dask from before there were two kinds
        return part
    layers = dict(part.dask.layers)
    roots = {name: layer for name, layer in layers.items() if len(layer) == 1 and not part.dask.dependencies[name]}
    if not roots:
        return part
    for name, layer in roots.items():
        layers[name] = MaterializedLayer(convert_legacy_graph(dict(layer)))
    return da.Array(HighLevelGraph(layers, part.dask.dependencies), part.name, part.chunks, meta=part._meta)
