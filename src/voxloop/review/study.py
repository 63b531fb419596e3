"""A study: the objects of one or several images, in groups, with rules and classes; a value that reports itself."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from voxloop.errors import PredictionError
from voxloop.given import flag, path_of
from voxloop.objects import MeasureRule
from voxloop.objects.table_files import table_path, write_table
from voxloop.review.group_statistics import compare_groups, describe_groups
from voxloop.spreadsheets import cell_of

if TYPE_CHECKING:
    from pandas import DataFrame
    from xarray import DataArray

REPORTS = (".html", ".pdf")


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class StudyPart:
    """The objects of one image.

    Attributes
    ----------
    image, group : names.
    objects : their name.
    labels, volume : numbers of the objects, and the image (DataArray, lazy).
    table : measures, index ``object``.
    facts : what was segmented and how, as names and values.
    methods : how the segmentation came about, for a paper.
    time : of a time series, which time point; None elsewhere.
    fibres : axons with their g-ratio where the image has axons and myelin.
    """

    image: str
    group: str
    objects: str
    labels: DataArray
    volume: DataArray
    table: DataFrame
    facts: Sequence[tuple[str, str]] = ()
    methods: str = ""
    time: int | None = None
    fibres: DataFrame | None = None


@dataclass(frozen=True, kw_only=True, eq=False)
class Study:
    """Objects of images, counted, measured and compared; ``ws.study(...)`` makes one.

    Attributes
    ----------
    name : stands above the report.
    parts : one an image.
    measures : columns that are described and drawn.
    rules : name -> rule; how many objects it holds for is counted.
    only : a rule that all objects of the study meet; empty: all are in it.
    classified_by : how objects got their class, in words; empty where they have none.
    """

    name: str
    parts: Sequence[StudyPart]
    measures: Sequence[str]
    rules: Mapping[str, str] = field(default_factory=dict)
    only: str = ""
    classified_by: str = ""

    @cached_property
    def table(self) -> DataFrame:
        """All objects: ``image``, ``group``, ``time`` (of series), ``object``, ``class``, measures, a column a rule."""
        import pandas as pd

        frames = []
        for part in self.parts:
            frame = part.table.reset_index()
            frame.insert(0, "group", part.group)
            frame.insert(0, "image", part.image)
            if any(one.time is not None for one in self.parts):
                frame.insert(2, "time", part.time)
            frames.append(frame)
        table = pd.concat(frames, ignore_index=True)
        if self.only:
            table = table[MeasureRule(self.only).holds(table)].reset_index(drop=True)
        for name, rule in self.rules.items():
            table[name] = MeasureRule(rule).holds(table)
        return table

    @property
    def groups(self) -> list[str]:
        """Names of the groups, in the order in which they were given."""
        return list(dict.fromkeys(part.group for part in self.parts))

    @cached_property
    def statistics(self) -> DataFrame:
        """Mean, SD, median and counts of each group and measure (:func:`describe_groups`)."""
        return describe_groups(self.table, self.measures)

    @cached_property
    def tests(self) -> DataFrame:
        """Whether groups differ, by which test (:func:`compare_groups`)."""
        return compare_groups(self.table, self.measures)

    @cached_property
    def counts(self) -> DataFrame:
        """Objects of each image, those of each class, and those for which each rule holds."""
        import pandas as pd

        rows = []
        for part in self.parts:
            own = self.table[self.table["image"] == part.image]
            row: dict[str, Any] = {"image": part.image, "group": part.group, "objects": len(own)}
            if "class" in self.table:
                row |= {name: int((own["class"] == name).sum()) for name in self.classes}
            rows.append(row | {name: int(own[name].sum()) for name in self.rules})
        return pd.DataFrame(rows)

    @property
    def classes(self) -> list[str]:
        """Names of the classes that objects have; empty where they have none."""
        return sorted(map(str, self.table["class"].dropna().unique())) if "class" in self.table else []

    @cached_property
    def g_ratio(self) -> DataFrame | None:
        """Mean, SD, median and count of the g-ratios of each group, fibres at the edge left out; None without axons."""
        import pandas as pd

        frames = [
            part.fibres.assign(image=part.image, group=part.group)
            for part in self.parts
            if part.fibres is not None and len(part.fibres)
        ]
        if not frames:
            return None
        fibres = pd.concat(frames, ignore_index=True)
        fibres = fibres[~fibres["touches_edge"].astype(bool)]
        return describe_groups(fibres, ["g_ratio", "axon_um", "myelin_um"])

    def report(self, path: str | Path, *, overwrite: bool = False) -> Path:
        """Write all of it as one page: ``.html``, with the table in it, or ``.pdf``, with the table beside it as CSV.

        Raises PredictionError for another suffix, for a file that is there already, and without matplotlib.
        """
        from voxloop.review.study_report import write_report

        target, overwrite = path_of(path, error=PredictionError), flag("overwrite", overwrite, error=PredictionError)
        if target.suffix.lower() not in REPORTS:
            raise PredictionError(f"{target} must end in .html or .pdf")
        if target.exists() and not overwrite:
            raise PredictionError(f"{target} exists; choose another name or say overwrite=True")
        target.parent.mkdir(parents=True, exist_ok=True)
        return write_report(self, target)

    def save_table(self, path: str | Path, *, overwrite: bool = False) -> Path:
        """Write :attr:`table` as ``.csv``, ``.parquet`` or ``.xlsx``. Raises PredictionError."""
        target, overwrite = table_path(path), flag("overwrite", overwrite, error=PredictionError)
        if target.exists() and not overwrite:
            raise PredictionError(f"{target} exists; choose another name or say overwrite=True")
        return write_table(self.table, target, index=False)

    def csv(self) -> str:
        """The table as text; what a spreadsheet would take for a formula is no longer one."""
        safe = self.table.rename(columns=cell_of).map(cell_of)
        return str(safe.to_csv(index=False))

    def __repr__(self) -> str:
        groups = f" in {len(self.groups)} groups" if len(self.groups) > 1 else ""
        return f"<Study {self.name!r}: {len(self.table):,} objects of {len(self.parts)} images{groups}>"
