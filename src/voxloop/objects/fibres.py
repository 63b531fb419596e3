"""Nerve fibres in sections: every axon with the myelin around it, and the g-ratio of the two. Plane by plane."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from voxloop.geometry import Box
from voxloop.objects.fields import field_of

if TYPE_CHECKING:
    from pandas import DataFrame


def measure_fibres(labels: Any, axon: int, myelin: int, *, min_axon_um2: float = 0.0) -> DataFrame:
    """Axons of every plane with the myelin that is nearest to them through myelin.

    Parameters
    ----------
    labels
        Classes (z, y, x): anything :func:`voxloop.open_volume` takes.
    axon, myelin
        Their values.
    min_axon_um2
        Smaller axons are left out.

    Returns
    -------
    DataFrame
        Index ``fibre``: ``z`` (plane), ``y_um``, ``x_um``, ``axon_um2``, ``myelin_um2``, ``axon_um`` and ``fibre_um``
        (diameters of circles of the same area), ``myelin_um`` (thickness), ``g_ratio`` (axon to fibre diameter, 1
        without myelin), ``touches_edge`` (cut off by the edge of the picture, so better left out of means).
    """
    import cc3d
    import pandas as pd
    from skimage.segmentation import watershed

    field = field_of(labels)
    pixel = float(np.prod(field.spacing_um[1:]))
    parts = []
    for z in range(field.shape[0]):
        plane = field.read(Box((z, 0, 0), (z + 1, *field.shape[1:])))[0]
        axons = cc3d.connected_components(np.ascontiguousarray(plane == axon), connectivity=8).astype(np.int32)
        if not axons.any():
            continue
        mask = (axons > 0) | (plane == myelin)
        fibres = watershed(np.zeros(plane.shape, np.uint8), axons, mask=mask)
        count = int(axons.max())
        inner = np.bincount(axons.ravel(), minlength=count + 1)[1:] * pixel
        outer = np.bincount(fibres.ravel(), minlength=count + 1)[1:] * pixel
        edge = np.zeros(count + 1, bool)
        for side in (fibres[0], fibres[-1], fibres[:, 0], fibres[:, -1]):
            edge[np.unique(side)] = True
        place = [
            np.bincount(axons.ravel(), weights=at.ravel(), minlength=count + 1)[1:] * pixel / inner
            for at in np.indices(plane.shape)
        ]
        parts.append(
            pd.DataFrame(
                {
                    "z": z,
                    "y_um": field.origin_um[1] + place[0] * field.spacing_um[1],
                    "x_um": field.origin_um[2] + place[1] * field.spacing_um[2],
                    "axon_um2": inner,
                    "myelin_um2": outer - inner,
                    "touches_edge": edge[1:],
                }
            )
        )
    columns = ["z", "y_um", "x_um", "axon_um2", "myelin_um2", "touches_edge"]
    table = pd.concat(parts, ignore_index=True) if parts else pd.DataFrame({name: [] for name in columns})
    table = table[table["axon_um2"] >= min_axon_um2].reset_index(drop=True)
    table.index = pd.RangeIndex(1, len(table) + 1, name="fibre")
    diameter = 2 * np.sqrt(table["axon_um2"] / np.pi)
    around = 2 * np.sqrt((table["axon_um2"] + table["myelin_um2"]) / np.pi)
    table.insert(5, "axon_um", diameter)
    table.insert(6, "fibre_um", around)
    table.insert(7, "myelin_um", (around - diameter) / 2)
    table.insert(8, "g_ratio", diameter / around)
    return table
