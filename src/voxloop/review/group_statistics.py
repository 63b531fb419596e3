"""Numbers of groups of images, and whether groups differ: on means of images, for objects of one are no samples."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from pandas import DataFrame


def describe_groups(table: DataFrame, measures: Sequence[str]) -> DataFrame:
    """Mean, SD and median of the objects of each group, and mean and SD of the means of its images.

    ``table`` has columns ``group``, ``image`` and the measures. One row for each group and measure: ``group``,
    ``measure``, ``mean``, ``sd``, ``median``, ``objects``, ``images``, ``mean_of_images``, ``sd_of_images``.
    """
    import pandas as pd

    rows = []
    for measure in measures:
        for group, part in table.groupby("group", sort=False, observed=True):
            values = part[measure].astype(float)
            values = values[np.isfinite(values)]
            images = values.groupby(part["image"], observed=True).mean()
            rows.append(
                {
                    "group": group,
                    "measure": measure,
                    "mean": values.mean(),
                    "sd": values.std(ddof=1),
                    "median": values.median(),
                    "objects": len(values),
                    "images": len(images),
                    "mean_of_images": images.mean(),
                    "sd_of_images": images.std(ddof=1),
                }
            )
    columns = ["group", "measure", "mean", "sd", "median", "objects", "images", "mean_of_images", "sd_of_images"]
    return pd.DataFrame(rows, columns=columns)


def compare_groups(table: DataFrame, measures: Sequence[str]) -> DataFrame:
    """Whether groups differ: ``measure``, ``test`` (its name, or why there is none), ``p``, ``n`` (images of each).

    Two groups: Welch's t-test of the means of images; more: Kruskal and Wallis'. Each group needs two images.
    """
    import pandas as pd

    rows = []
    for measure in measures:
        means = []
        for _, part in table.groupby("group", sort=False, observed=True):
            values = part[measure].astype(float)
            found = values[np.isfinite(values)].groupby(part["image"], observed=True).mean()
            means.append(found.to_numpy())
        name, p = _test(means)
        counts = ", ".join(str(len(one)) for one in means)
        rows.append({"measure": measure, "test": name, "p": p, "n": counts})
    return pd.DataFrame(rows, columns=["measure", "test", "p", "n"])


def typical(table: DataFrame, measures: Sequence[str], count: int) -> list[int]:
    """Rows of the objects nearest to the median in all measures, those first."""
    values = table[list(measures)].to_numpy(np.float64)
    with np.errstate(all="ignore"):
        middle = np.nanmedian(values, axis=0)
        spread = np.nanmedian(np.abs(values - middle), axis=0)
    apart = np.nan_to_num(np.abs(values - middle) / np.where(spread > 0, spread, 1.0)).sum(axis=1)
    return [int(row) for row in np.argsort(apart, kind="stable")[:count]]


def _test(means: Sequence[np.ndarray]) -> tuple[str, float]:
    if len(means) < 2:
        return "none: there is one group", np.nan
    if min(len(one) for one in means) < 2:
        return "none: every group needs two images, for objects of one image are no independent samples", np.nan
    if np.ptp(np.concatenate(means)) == 0 or all(np.ptp(one) == 0 for one in means):
        return "none: the images of a group do not differ", np.nan
    from scipy import stats

    if len(means) == 2:
        found = stats.ttest_ind(means[0], means[1], equal_var=False)
        return "Welch's t-test of the means of images", float(found.pvalue)
    return "Kruskal-Wallis test of the means of images", float(stats.kruskal(*means).pvalue)
