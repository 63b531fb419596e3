"""Objects as users hold them: a label image, what is known of it, its table and meshes. Opening computes nothing."""

from __future__ import annotations

import json
import shutil
from collections.abc import Collection, Mapping, Sequence
from contextlib import suppress
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any

from voxloop.config.objects import ObjectsConfig
from voxloop.errors import PredictionError
from voxloop.geometry import AXES, Box
from voxloop.given import flag, path_of
from voxloop.objects.said_classes import CLASSES, classes_in
from voxloop.objects.table_files import TABLES, table_path, write_table
from voxloop.plain_files import read_plain
from voxloop.runs.run import Run
from voxloop.store.atomic import replace_bytes
from voxloop.store.layout import Layout, RunPlace
from voxloop.store.values import as_list, text, whole
from voxloop.volumes import as_volume, open_volume, shape_zyx, spacing_of
from voxloop.volumes.volume import make_volume, origin_of

if TYPE_CHECKING:
    import numpy as np
    from pandas import DataFrame, Series
    from xarray import DataArray

    from voxloop.objects.classifier import ObjectClassifier


MESHES = (".ply", ".obj")


class Objects:
    """A label image of objects on disk.

    Attributes
    ----------
    path, name
        The OME-Zarr folder, and its name.
    count
        How many objects there are, numbered 1 to ``count``.
    unsure
        How many of them belong to clumps longer than the watershed's reach, and may be cut otherwise than in the
        whole volume.
    config
        The settings they were made with.
    facts
        Everything it says about itself.
    box
        The part of the image in which objects were made; None: all of it.

    Examples
    --------
    >>> objects = ws.runs["objects-1"].result
    >>> objects.count, len(objects.select("volume_um3 > 0.003"))
    (4, 4)
    >>> objects.labels.shape
    (6, 64, 64)
    """

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
        self.name = self.path.stem
        try:
            self.facts: dict[str, Any] = json.loads(read_plain(self.path / "zarr.json"))["attributes"]["voxloop"]
            self.count = int(self.facts["objects"])
            self.unsure = int(self.facts["unsure"])
            self.config = ObjectsConfig.from_json(self.facts["settings"])
            region = self.facts.get("region")
            self.box = Box.from_json(region) if region else None
        except FileNotFoundError:
            raise PredictionError(f"{path} holds no objects: there is no such folder, or no zarr.json in it") from None
        except (ValueError, KeyError, TypeError, RecursionError) as error:
            raise PredictionError(f"{path} holds no objects of voxloop, or is damaged: {error!r}") from error

    @property
    def region(self) -> tuple[slice, slice, slice] | None:
        """The part of the image in which objects were made, as slices (z, y, x); None: all of it."""
        return None if self.box is None else self.box.slices

    @property
    def labels(self) -> DataArray:
        """Numbers of the objects (z, y, x) over the whole image, uint32; 0 is none. Lazy."""
        stored = open_volume(self.path)
        return stored if self.box is None else _place(stored, self.box, self.facts["shape"])

    def table(self, image: Any = None, *, measures: Sequence[str] = (), workers: int | None = None) -> DataFrame:
        """Measures of every object in micrometres (:func:`measure_objects`); computed once for each image and kept.

        Parameters
        ----------
        image
            Intensities on the same voxels, or of the image of which this is a region, with or without channels; None:
            the measures of shape alone.
        measures
            Groups of further ones (:func:`measure_more`): ``"shape"``, ``"skeleton"``, ``"contacts"``,
            ``"regionprops"``. They take longer: each object is read as a whole. Kept as well. ``"classes"``: what
            people and networks said of each (:meth:`Workspace.object_classes`).

        Examples
        --------
        >>> table = ws.runs["objects-1"].result.table()
        >>> table[["volume_um3", "touches_edge"]].round(3)
                volume_um3  touches_edge
        object
        1            0.004          True
        2            0.004          True
        3            0.004          True
        4            0.004          True
        """
        from voxloop.objects.measuring import measure_objects

        groups: list[str] = []
        for group in as_list("measures", measures, error=PredictionError):
            if not isinstance(group, str):
                raise PredictionError(f"measures hold names of groups such as 'shape', not {str(group)[:40]!r}")
            if group not in groups:
                groups.append(group)
        stored = self.path / "table.csv"
        table = _kept(stored)
        if table is None or image is not None:
            covered = None if image is None else self._covered_part(image)
            table = measure_objects(open_volume(self.path), covered, workers=workers)
            if self.box is not None:  # voxels are counted in the whole image
                for axis, first in zip("zyx", self.box.start, strict=True):
                    table[[f"{axis}_from", f"{axis}_to"]] += first
            if image is None:
                with suppress(OSError):  # a folder that may only be read keeps nothing
                    replace_bytes(stored, table.to_csv().encode())
        for group in groups:
            more = (
                classes_in(self.path, table.index.tolist()) if group == CLASSES else self._more(table, group, workers)
            )
            table = table.join(more[[name for name in more if name not in table]])
        return table

    def _more(self, table: DataFrame, group: str, workers: int | None) -> DataFrame:
        """One group of further measures, as it was kept or made now."""
        from voxloop.objects.more_measures import measure_more

        kept = None if not isinstance(group, str) or not group.isidentifier() else self.path / f"table-{group}.csv"
        found = None if kept is None else _kept(kept, boxes=False)
        if found is not None and found.index.equals(table.index):
            return found
        inside = table
        if self.box is not None:
            inside = table.copy()
            for axis, first in zip("zyx", self.box.start, strict=True):
                inside[[f"{axis}_from", f"{axis}_to"]] -= first
        made = measure_more(open_volume(self.path), inside, [group], workers=workers)
        if kept is not None:
            with suppress(OSError):
                replace_bytes(kept, made.to_csv().encode())
        return made

    def select(self, rule: str, image: Any = None) -> list[int]:
        """Numbers of the objects for which a rule holds, such as ``"volume_um3 > 2 and sphericity < 0.6"``.

        Measures of other groups are made where the rule speaks of them. Raises PredictionError for what is no rule, or
        an unknown measure.

        Examples
        --------
        >>> ws.runs["objects-1"].result.select("volume_um3 > 0.003 and sphericity > 0.5")
        [1, 2, 3, 4]
        """
        from voxloop.objects.rules import MeasureRule

        wanted = MeasureRule(rule)
        table = self.measured(wanted.names, image)
        return [int(number) for number in table.index[wanted.holds(table)]]

    def measured(self, names: Collection[str], image: Any = None) -> DataFrame:
        """A table that has these measures, of whatever groups they are. Raises PredictionError where one is unknown."""
        from voxloop.objects.naming import groups_of

        table = self.table(image)
        if isinstance(names, set | frozenset):
            names = sorted(names, key=str)
        wanted = [text("names", name, error=PredictionError) for name in as_list("names", names, error=PredictionError)]
        return self.table(image, measures=groups_of(wanted, table))

    def cluster(
        self, n: int = 2, method: str = "kmeans", measures: Sequence[str] | None = None, *, image: Any = None,
        seed: int = 0,
    ) -> Series:  # fmt: skip
        """Kinds of objects by their measures, from 1 (:func:`voxloop.objects.sorting.cluster`).

        Examples
        --------
        >>> kinds = ws.runs["objects-1"].result.cluster(2, measures=["volume_um3", "sphericity"])
        >>> sorted(set(kinds))
        [1, 2]
        """
        from voxloop.objects.sorting import cluster

        names = None if measures is None else list(as_list("measures", measures, error=PredictionError))
        return cluster(self.measured(names or (), image), n, method, names, seed)

    def classifier(
        self,
        examples: Mapping[str, Sequence[int]],
        measures: Sequence[str] | None = None,
        *,
        image: Any = None,
        seed: int = 0,
    ) -> ObjectClassifier:
        """Classes learnt from a few objects of each, by a forest on measures; ``.agreement`` says how well.

        Parameters
        ----------
        examples
            Class -> numbers of objects, such as ``{"round": [3, 8], "long": [5, 12]}``.
        measures
            Columns that count; None: all but places.
        """
        from voxloop.objects.classifier import ObjectClassifier

        names = None if measures is None else list(as_list("measures", measures, error=PredictionError))
        return ObjectClassifier.learn(self.measured(names or (), image), examples, names, seed)

    def classify(
        self,
        examples: Mapping[str, Sequence[int]] | ObjectClassifier | str | Path,
        measures: Sequence[str] | None = None,
        *,
        image: Any = None,
        seed: int = 0,
    ) -> DataFrame:
        """``class`` and ``probability`` of every object, learnt from a few of each, or by a classifier that was kept.

        ``ws.label_objects(objects, level, classes=found["class"])`` makes labels of it. Examples keep their class.

        Parameters
        ----------
        examples
            As of :meth:`classifier`; or a classifier, of these objects or of others, or its file.
        """
        from voxloop.objects.classifier import ObjectClassifier

        if isinstance(examples, str | PathLike):
            examples = ObjectClassifier.load(examples)
        if isinstance(examples, ObjectClassifier):
            return examples.classify(self.measured(examples.measures, image))
        learnt = self.classifier(examples, measures, image=image, seed=seed)
        found = learnt.classify(self.measured(learnt.measures, image))
        for name, ids in examples.items():
            found.loc[list(ids), "class"] = str(name)
            found.loc[list(ids), "probability"] = 1.0
        return found

    def _covered_part(self, image: Any) -> Any:
        """The part of an image in which objects were made."""
        volume = as_volume(image)
        if self.box is None or list(shape_zyx(volume)) != self.facts["shape"]:
            return volume
        return volume.isel(dict(zip("zyx", self.box.slices, strict=True)))

    def save_table(self, path: str | Path, image: Any = None, *, measures: Sequence[str] = ()) -> Path:
        """Write :meth:`table` as ``.csv``, ``.parquet`` or ``.xlsx``. Raises PredictionError."""
        target = table_path(path)
        return write_table(self.table(image, measures=measures), target)

    def mesh(self, number: int, *, smooth_um: float = 0.0) -> tuple[np.ndarray, np.ndarray]:
        """Vertices (n, 3) in micrometres, x y z, and faces (m, 3) of one object (:func:`object_mesh`)."""
        from voxloop.objects.meshes import object_mesh

        table, number = self.table(), whole("number", number, error=PredictionError)
        if number not in table.index:
            raise PredictionError(f"there is no object {number}; they are numbered 1 to {self.count}")
        row = table.loc[number]
        box = box_of(row)
        return object_mesh(self.labels, number, box, smooth_um=smooth_um)

    def save_mesh(self, number: int, path: str | Path, *, smooth_um: float = 0.0) -> Path:
        """Write one object as ``.ply`` or ``.obj``, micrometres.

        Examples
        --------
        >>> ws.runs["objects-1"].result.save_mesh(1, "cell.ply")
        PosixPath('cell.ply')
        """
        from voxloop.objects.meshes import save_mesh

        return save_mesh(*self.mesh(number, smooth_um=smooth_um), path)

    def export(
        self, path: str | Path, *, image: Any = None, number: int | None = None, overwrite: bool = False
    ) -> Path:
        """Write the label image (``.zarr``, ``.ome.tif``, ``.tif``, ``.h5``), table or one mesh, as the suffix says.

        The label image is that of :attr:`region`, and knows where it lies if its format can say so. ``image`` adds
        intensities to a table; ``number`` says which object is to be a mesh.

        Examples
        --------
        >>> ws.runs["objects-1"].result.export("cells.ome.tif")
        PosixPath('cells.ome.tif')
        """
        from voxloop.volumes import save_volume
        from voxloop.volumes.saving import SUFFIXES

        target, overwrite = path_of(path, error=PredictionError), flag("overwrite", overwrite, error=PredictionError)
        suffix = target.suffix.lower()
        if suffix not in (*TABLES, *MESHES):
            if not target.name.lower().endswith(SUFFIXES):
                raise PredictionError(
                    f"{target} must end in {', '.join(TABLES)} (the table), {', '.join(MESHES)} (one object), or "
                    ".zarr, .ome.tif, .tif, .h5 (the voxels)"
                )
            return save_volume(open_volume(self.path), target, kind="labels", overwrite=overwrite)
        if target.exists() and not overwrite:
            raise PredictionError(f"{target} exists; choose another name or say overwrite=True")
        if suffix in TABLES:
            return self.save_table(target, image)
        if number is None:
            raise PredictionError(f"say which object is to be the mesh: number=1 to {self.count}")
        return self.save_mesh(number, target)

    def delete(self) -> None:
        """Remove them from disk, with the run that made them. Raises RunError while it is at work."""
        layout = Layout.of_made(self.path)
        run = layout.run(self.name)
        of_workspace = self.path.absolute() == layout.objects_of(self.name)
        if of_workspace and RunPlace(run).config.exists() and Run(run).kind == "objects":
            Run(run).delete()
        shutil.rmtree(self.path, ignore_errors=True)

    def __repr__(self) -> str:
        unsure = f", {self.unsure} of them in clumps longer than the reach" if self.unsure else ""
        return f"<Objects {self.name!r}: {self.count}{unsure}>"


def _kept(path: Path, *, boxes: bool = True) -> DataFrame | None:
    """The table of measures that was kept; None where there is none, or it holds anything but measures."""
    import pandas as pd

    try:
        table = pd.read_csv(path, index_col="object")
    except (OSError, ValueError):  # pandas' own are ValueErrors
        return None
    measured = not len(table) or all(kind.kind in "biuf" for kind in (table.index.dtype, *table.dtypes))
    needed = {f"{axis}_{end}" for axis in AXES for end in ("from", "to")} | {"extent"} if boxes else set()
    return table if measured and needed <= set(table) else None


def box_of(row: Mapping[str, Any]) -> Box:
    """The bounding box, in voxels of the image, of the object that a row of :meth:`Objects.table` speaks of."""
    return Box.from_json([(int(row[f"{axis}_from"]), int(row[f"{axis}_to"])) for axis in AXES])


def _place(stored: DataArray, box: Box, shape: Sequence[int]) -> DataArray:
    """A part in its place in a volume of ``shape`` that is 0 elsewhere."""
    import dask.array as da

    spacing = spacing_of(stored)
    z, y, x = (o - first * s for o, first, s in zip(origin_of(stored), box.start, spacing, strict=True))
    around = [(first, size - last) for (first, last), size in zip(box.to_json(), shape, strict=True)]
    return make_volume(
        da.pad(stored.data, around),
        spacing_um=spacing,
        origin_um=(z, y, x),
        name=str(stored.name),
        source=stored.attrs["source"],
        z_kind=stored.attrs["z_kind"],
    ).assign_attrs(kind="labels")
