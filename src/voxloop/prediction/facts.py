"""What a prediction says of itself on disk: read as text that somebody else may have written. Opens no arrays."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError

from voxloop.errors import PredictionError
from voxloop.plain_files import read_plain
from voxloop.prediction.plan import Plan

VERSION = 1


def _plain(name: str) -> str:
    if "/" in name or "\\" in name or "\0" in name or name.startswith(".."):
        raise ValueError("it leads elsewhere")
    return name


_Name = Annotated[str, Field(max_length=255), AfterValidator(_plain)]
_Count = Annotated[int, Field(strict=True, ge=0)]
_Step = Annotated[int, Field(strict=True, ge=1)]
_Flag = Annotated[bool, Field(strict=True)]
_Number = Annotated[float, Field(strict=True, allow_inf_nan=False)]
_Length = Annotated[float, Field(strict=True, gt=0, allow_inf_nan=False)]
_Bounds = tuple[_Count, _Step]
_Counts = tuple[_Count, _Count, _Count]
_Steps = tuple[_Step, _Step, _Step]


class _Part(BaseModel):
    """What is read must have these types; what else is there is left as it is."""

    model_config = ConfigDict(extra="ignore")


class _Class(_Part):
    model_config = ConfigDict(extra="forbid")
    value: Annotated[int, Field(strict=True, ge=1, le=65535)]
    name: str
    color: Annotated[str, Field(pattern=r"^#[0-9a-fA-F]{6}$")] = "#e69f00"
    background: _Flag = False


class _Lineage(_Part):
    run: _Name | None = None
    trained_by: _Name | None = None
    created: _Number | None = None
    time: _Number | None = None
    model: str | None = None
    models: list[str] | None = None
    model_hash: str | None = None
    learner: str | None = None
    labels: dict[str, _Count] | None = None
    settings: dict[str, Any] | None = None
    versions: dict[str, str] | None = None


class _Seam(_Part):
    largest: _Number
    flips: _Number
    voxels: _Count


class _Plan(_Part):
    model_config = ConfigDict(extra="forbid")
    shape: _Steps
    stride: _Steps
    halo: _Counts
    tile: _Steps
    block: _Steps
    chunk: _Steps
    batch: _Step = 1
    every: _Step = 1
    by_rows: _Flag = False
    blend: _Flag = False
    region: tuple[_Bounds, _Bounds, _Bounds]


class _Facts(_Part):
    v: int
    image: _Name | None = None
    level: _Name | None = None
    classes: Annotated[list[_Class], Field(min_length=1)]
    plan: _Plan
    lineage: _Lineage
    spacing_um: tuple[_Length, _Length, _Length]
    origin_um: tuple[_Number, _Number, _Number]
    frames: _Flag
    uncertainty: str | None = None
    target: str | None = None
    seam: _Seam | None = None


def read_facts(path: Path) -> dict[str, Any]:
    """What the prediction in a folder says of itself, as it is written there.

    Raises PredictionError where there is none, it is damaged, of another version, or says what cannot be.
    """
    try:
        facts = json.loads(read_plain(path / "zarr.json"))["attributes"]["voxloop"]
    except (FileNotFoundError, NotADirectoryError):
        raise PredictionError(f"{path} is no prediction: there is no such folder, or it holds no zarr.json") from None
    except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
        raise PredictionError(f"{path} is no prediction of voxloop, or damaged: {_words(error)}") from error
    if not isinstance(facts, dict) or facts.get("v") != VERSION:
        given = str(facts.get("v") if isinstance(facts, dict) else facts)[:20]
        raise PredictionError(f"{path} is of version {given!r}; this voxloop reads {VERSION}")
    try:
        _Facts.model_validate(facts)
        plan = Plan.from_json(facts["plan"])
        inside = all(
            start < stop <= size for start, stop, size in zip(plan.box.start, plan.box.stop, plan.shape, strict=True)
        )
        if not inside:
            raise ValueError("its region lies outside of its image")
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        where = ".".join(map(str, first["loc"]))
        raise PredictionError(f"{path} is damaged: {where}: {' '.join(first['msg'].split())}") from error
    except (ValueError, TypeError, RecursionError) as error:
        raise PredictionError(f"{path} is damaged: {_words(error)}") from error
    return facts


def _words(error: Exception) -> str:
    return " ".join(repr(error).split())[:120]
