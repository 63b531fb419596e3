"""Which supervoxels touch, how much, and how unlike they are across their face; by the block."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from voxloop.errors import VoxloopError
from voxloop.geometry import AXES, Box, Shape, Spacing
from voxloop.supervoxels.partition import Partition

if TYPE_CHECKING:
    import pandas as pd

#: voxels of a block
_BLOCK = (64, 128, 128)
_ENDINGS = (".csv", ".parquet")


@dataclass(frozen=True, eq=False)
class RegionGraph:
    """Supervoxels as the nodes of a graph.

    Attributes
    ----------
    nodes : by ``label``: ``voxels``, ``volume_um3``, ``mean`` intensity, ``z_um``, ``y_um``, ``x_um`` of the middle.
    edges : ``a`` below ``b``: ``faces`` of voxels that they share, ``area_um2`` of these, ``contrast``, the mean
        difference of intensities across them.
    """

    nodes: pd.DataFrame
    edges: pd.DataFrame

    def save(self, path: str | Path) -> tuple[Path, Path]:
        """Write two tables, ``<name>.nodes.csv`` and ``<name>.edges.csv``, or ``.parquet``."""
        path = Path(path)
        if path.suffix.lower() not in _ENDINGS:
            raise VoxloopError(f"{path.name!r} must end in one of {', '.join(_ENDINGS)}")
        written = []
        for what, table in (("nodes", self.nodes.reset_index()), ("edges", self.edges)):
            target = path.with_name(f"{path.stem}.{what}{path.suffix.lower()}")
            try:
                path.parent.mkdir(parents=True, exist_ok=True)
                if target.suffix == ".csv":
                    table.to_csv(target, index=False)
                else:
                    table.to_parquet(target, index=False)
            except OSError as error:
                raise VoxloopError(f"{target} cannot be written ({error.strerror}); choose another folder") from None
            written.append(target)
        return written[0], written[1]


def region_graph(partition: Partition, region: Box | None = None, block: Shape = _BLOCK) -> RegionGraph:
    """The graph of the supervoxels of a box, or of all; memory grows with the supervoxels, not with the voxels.

    Equal whatever the block, but for the rounding of sums.
    """
    import pandas as pd

    whole = Box.whole(partition.shape) if region is None else region
    nodes, edges = [], []
    for part in whole.blocks(block):
        wide = Box(part.start, part.grow((1, 1, 1)).stop).clip(whole.stop)
        labels, values = partition.read(wide), np.asarray(partition.intensities(wide), np.float64)
        own = part.within(wide).slices
        nodes.append(_nodes(labels[own], values[own], part, partition.spacing_um))
        for axis in (1, 2) if partition.grid.planar else (0, 1, 2):
            edges.append(_edges(labels, values, part, wide, axis, partition.spacing_um))
        if len(nodes) > 32:
            nodes, edges = [_added(nodes, ["label"])], [_added(edges, ["a", "b"])]
    node, edge = _added(nodes, ["label"]), _added(edges, ["a", "b"])
    for name in ("mean", *(f"{axis}_um" for axis in AXES)):
        node[name] /= node["voxels"]
    node.insert(2, "volume_um3", node["voxels"] * float(np.prod(partition.spacing_um)))
    edge["contrast"] /= edge["faces"]
    return RegionGraph(node.set_index("label"), pd.DataFrame(edge))


def _added(tables: list[pd.DataFrame], by: list[str]) -> pd.DataFrame:
    import pandas as pd

    return pd.concat(tables).groupby(by, as_index=False).sum()


def _nodes(labels: np.ndarray, values: np.ndarray, box: Box, spacing: Spacing) -> pd.DataFrame:
    import pandas as pd

    found, which = np.unique(labels, return_inverse=True)
    which = which.ravel()
    columns = {"label": found, "voxels": np.bincount(which), "mean": np.bincount(which, values.ravel())}
    for axis, name in enumerate(AXES):
        at = (np.arange(box.start[axis], box.stop[axis]) * spacing[axis])[
            tuple(slice(None) if number == axis else None for number in range(3))
        ]
        columns[f"{name}_um"] = np.bincount(which, np.broadcast_to(at, labels.shape).ravel())
    return pd.DataFrame(columns)


def _edges(labels: np.ndarray, values: np.ndarray, part: Box, wide: Box, axis: int, spacing: Spacing) -> pd.DataFrame:
    """Faces across an axis whose first voxel lies in ``part``."""
    import pandas as pd

    near, far = list(part.within(wide).slices), list(part.within(wide).slices)
    end = min(near[axis].stop, labels.shape[axis] - 1)
    near[axis], far[axis] = slice(near[axis].start, end), slice(near[axis].start + 1, end + 1)
    one, other = labels[tuple(near)], labels[tuple(far)]
    differ = one != other
    step = np.abs(values[tuple(near)][differ] - values[tuple(far)][differ])
    one, other = one[differ].astype(np.int64), other[differ].astype(np.int64)
    table = pd.DataFrame({"a": np.minimum(one, other), "b": np.maximum(one, other), "faces": 1, "contrast": step})
    table = table.groupby(["a", "b"], as_index=False).sum()
    area = float(np.prod([size for number, size in enumerate(spacing) if number != axis]))
    table.insert(3, "area_um2", table["faces"] * area)
    return table
