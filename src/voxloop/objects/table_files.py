"""Tables of objects as files that other programs open: CSV, Parquet, Excel."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from voxloop.errors import PredictionError
from voxloop.given import path_of
from voxloop.spreadsheets import cell_of

if TYPE_CHECKING:
    from pandas import DataFrame

TABLES = (".csv", ".parquet", ".xlsx")
#: rows of a sheet of Excel
_SHEET = 1_048_576


def table_path(path: str | Path) -> Path:
    """Where a table is to be written. Raises PredictionError for another suffix."""
    target = path_of(path, error=PredictionError)
    if target.suffix.lower() not in TABLES:
        raise PredictionError(f"{target} must end in .csv, .parquet or .xlsx")
    return target


def write_table(table: DataFrame, target: Path, *, index: bool = True) -> Path:
    """Write ``.csv``, ``.parquet`` or ``.xlsx``; ``index``: with its index as the first column.

    What a spreadsheet would take for a formula is text. Raises PredictionError where a package is missing, or a sheet
    has too few rows.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    if target.suffix.lower() == ".csv":
        table.rename(columns=cell_of).map(cell_of).to_csv(target, index=index)
        return target
    kind, package = "parquet", "pyarrow"
    try:
        if target.suffix.lower() == ".xlsx":
            if len(table) >= _SHEET:
                raise PredictionError(f"a sheet has {_SHEET} rows, the table {len(table)}; write .csv or .parquet")
            kind, package = "Excel", "openpyxl"
            table.rename(columns=cell_of).map(cell_of).to_excel(target, index=index)
        else:
            table.to_parquet(target, index=index)
    except ImportError:
        raise PredictionError(f"{kind} files need {package} (pip install {package}); .csv needs nothing") from None
    return target
