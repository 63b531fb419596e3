"""Which group a measure belongs to, by its name. Computes nothing."""

from __future__ import annotations

import re
from collections.abc import Collection
from typing import TYPE_CHECKING

from voxloop.errors import PredictionError, unknown
from voxloop.objects.more_measures import GROUPS
from voxloop.objects.shape_measures import SHAPE, SKELETON, regionprops_names

if TYPE_CHECKING:
    from pandas import DataFrame


def groups_of(names: Collection[str], table: DataFrame) -> list[str]:
    """The groups to add to a table so that it has these measures. Raises PredictionError where one is unknown."""
    dimensions = 3 if "volume_um3" in table else 2
    known = measure_names(dimensions)
    listed = [*table, *(name for group in GROUPS for name in known[group])]
    groups = []
    for name in names:
        if name in table:
            continue
        group = next((one for one in GROUPS if re.sub(r"(_\d+)+$", "", name) in known[one] or name in known[one]), None)
        if group is None:
            raise PredictionError(unknown("measure", name, listed))
        groups.append(group)
    return sorted(set(groups), key=GROUPS.index)


def measure_names(dimensions: int) -> dict[str, tuple[str, ...]]:
    """Names of the measures of every group; those of scikit-image with several numbers end in their places."""
    return {
        "shape": SHAPE[dimensions],
        "skeleton": SKELETON,
        "contacts": ("neighbours", "contact_um2" if dimensions == 3 else "contact_um"),
        "regionprops": tuple(regionprops_names(dimensions)),
    }
