"""A prediction as users hold it: arrays in physical units, readable while it is still being made. Computes nothing."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from voxloop.errors import PredictionError, RunError
from voxloop.model import ClassInfo, Model, load_model
from voxloop.prediction.averaged import combine_models
from voxloop.prediction.facts import read_facts
from voxloop.prediction.output import class_infos
from voxloop.prediction.plan import Plan
from voxloop.runs.run import ALIVE, Run
from voxloop.store.layout import Layout
from voxloop.store.values import text

if TYPE_CHECKING:
    from xarray import DataArray

    from voxloop.objects import Objects


class Prediction:
    """A prediction folder. Opening reads one small file; arrays are read when sliced.

    Attributes
    ----------
    path, name
        Where it lies, and the name of the run that made it.
    image, level
        The image it is of, and the label level of its classes; None where unknown.
    classes
        In the order of the probabilities.
    box, plan
        What was to be predicted, and the tiles it was cut into.

    Examples
    --------
    >>> prediction = ws.predictions["predict-1"]
    >>> [one.name for one in prediction.classes], prediction.done
    (['cell', 'background'], 1.0)
    >>> prediction.labels[3, 16, 14:18].values
    array([1, 1, 1, 1], dtype=uint8)
    >>> prediction.probabilities.sel({"class": "cell"}).shape
    (6, 64, 64)
    """

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
        self._facts = read_facts(self.path)
        self.name: str = self.path.stem
        self.image: str | None = self._facts.get("image")
        self.level: str | None = self._facts.get("level")
        self.classes: tuple[ClassInfo, ...] = class_infos(self._facts)
        self.plan = Plan.from_json(self._facts["plan"])
        self.box = self.plan.box

    @property
    def region(self) -> tuple[slice, slice, slice]:
        """The box that was to be predicted, as slices (z, y, x) for indexing."""
        return self.box.slices

    @property
    def labels(self) -> DataArray:
        """Class values (z, y, x), of the whole volume; 0 where nothing is predicted (yet). Lazy."""
        listed = [{"value": one.value, "name": one.name, "color": one.color} for one in self.classes]
        return self._array("labels", {}, {"kind": "labels", "classes": json.dumps(listed)})

    @property
    def probabilities(self) -> DataArray:
        """Class probabilities (class, z, y, x), uint8: 255 is certain. Lazy. Raises PredictionError where not kept."""
        names = [info.name for info in self.classes]
        return self._array("probabilities", {"class": names}, {"scale": 1 / 255})

    @property
    def uncertainty(self) -> DataArray:
        """How unsure the model is (z, y, x), uint8: 255 is no idea. Lazy. Raises PredictionError where not kept."""
        return self._array("uncertainty", {}, {"scale": 1 / 255, "measure": self._facts["uncertainty"]})

    @property
    def objects(self) -> Objects:
        """Separate objects, where the network learnt them. Raises PredictionError where it did not, or is not done."""
        from voxloop.objects import Objects

        if self._facts.get("target") != "instances":
            raise PredictionError(
                f"the network of prediction {self.name!r} learnt classes, not objects; make objects of a class with "
                f"ws.objects({self.name!r}) and export those"
            )
        return Objects(Layout.of_made(self.path).objects_of(self.name))

    @property
    def done(self) -> float:
        """Share of the tiles that are on disk, 0 to 1."""
        return float(self.tiles_done()[self.plan.cells].mean())

    def tiles_done(self) -> np.ndarray:
        """The tile grid: true where a tile is on disk."""
        import zarr

        return np.asarray(zarr.open_array(self.path / "tiles", mode="r")[:]).astype(bool)

    @property
    def lineage(self) -> dict[str, Any]:
        """Where it comes from: model and its hash, run, label state, settings, versions, time, seam."""
        return dict(read_facts(self.path)["lineage"])

    @property
    def seam(self) -> dict[str, Any] | None:
        """The measured difference to the untiled forward; None where not measured (yet)."""
        return read_facts(self.path).get("seam")

    @property
    def borders(self) -> str:
        """What :attr:`seam` says, in words."""
        return borders(self.seam)

    @property
    def model(self) -> Model:
        """The model that made it, or all of an ensemble as one, with its turns and votes.

        Raises ModelError where it is gone.
        """
        lineage = self._facts["lineage"]
        layout, made = Layout.of_made(self.path), lineage.get("settings", {})
        models = [load_model(layout.named(folder)) for folder in (lineage["model"], *lineage.get("models", ()))]
        return combine_models(models, made.get("turns", "none"), made.get("votes", "auto"))

    def delete(self) -> None:
        """Remove it from disk: with its objects, the run that made it, and the models that were saved for that run.

        One of many that a run made goes alone, and the run stays. Raises RunError while the run is at work.
        """
        from voxloop.prediction.task import remove

        layout = Layout.of_made(self.path)
        run = _run(layout.run(self.name))
        if run is not None and run.kind == "predict":
            run.delete()
        maker = _run(layout.run(str(self.lineage.get("run")))) if self.path.exists() else None
        if maker is not None and maker.state in ALIVE:
            raise RunError(f"run {maker.name!r}, which made {self.name!r}, is {maker.state}; cancel it first")
        remove(self.path)

    def stored(self, kind: str) -> Any:
        """The zarr array behind ``"labels"``, ``"probabilities"`` or ``"uncertainty"``, for reading by the piece.

        Raises PredictionError where it was not kept.
        """
        import zarr

        kind = text("kind", kind, error=PredictionError)
        name = f"labels/{self.level}" if kind == "labels" else kind
        if kind not in ("labels", "probabilities", "uncertainty") or not (self.path / name).is_dir():
            raise PredictionError(f"prediction {self.name!r} was made without {kind}; predict again with {kind}=True")
        return zarr.open_array(self.path / name / "0", mode="r")

    def _array(self, name: str, coords: dict[str, Any], attrs: dict[str, Any] | None = None) -> DataArray:
        from xarray import DataArray, Variable

        from voxloop.volumes.graphs import blocks_over

        stored = self.stored(name)
        # one dask chunk a tile's worth of chunks keeps graphs of large volumes small; unnamed, for it is still filling
        chunks = tuple(
            min(n, 4 * c if axis > stored.ndim - 3 else c)
            for axis, (n, c) in enumerate(zip(stored.shape, stored.chunks, strict=True))
        )
        spacing, origin = self._facts["spacing_um"], self._facts["origin_um"]
        for axis, size, step, start in zip("zyx", self.plan.shape, spacing, origin, strict=True):
            coords[axis] = Variable(axis, start + np.arange(size) * step, {"units": "micrometer"})
        return DataArray(
            blocks_over(stored, chunks),
            dims=(*(("class",) if stored.ndim == 4 else ()), "z", "y", "x"),
            coords=coords,
            name=name,
            attrs={
                "units": "micrometer",
                "spacing_um": tuple(spacing),
                "source": str(self.path),
                "z_kind": "frame" if self._facts["frames"] else "space",
                **(attrs or {}),
            },
        )

    def __repr__(self) -> str:
        names = ", ".join(info.name for info in self.classes)
        return f"<Prediction {self.name!r}: {names}; {self.done:.0%} of image {self.image!r}; {self.borders}>"


def _run(path: Path) -> Run | None:
    """The run in a folder, where there is one."""
    try:
        return Run(path)
    except RunError:
        return None


def borders(seam: Mapping[str, float] | None) -> str:
    """What the cuts between tiles change, in words; None: not measured."""
    if seam is None:
        return "tile borders were not checked"
    if not seam["voxels"]:
        return "made in one piece, without cuts between tiles"
    if not seam["largest"]:
        return "cuts between tiles change nothing"
    share = f"{seam['flips']:.2%} of labels there"
    return f"cuts between tiles change probabilities by {seam['largest']:.1g} at most, and {share}"


def open_result(run_path: str | Path) -> Prediction:
    """The prediction that a run made or is making. Raises PredictionError where it has not begun to write."""
    run = Path(run_path).resolve()
    path = Layout.of_run(run).prediction(run.name)
    if not path.exists():
        raise PredictionError(f"run {run.name!r} has not begun to write its prediction yet")
    return Prediction(path)
