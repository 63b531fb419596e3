"""What goes out of a workspace: predictions, objects, labels and networks, for other programs. Computes nothing."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from voxloop.errors import ModelError, PredictionError, unknown
from voxloop.runs import Run
from voxloop.workspace.predict import part_of

if TYPE_CHECKING:
    from voxloop.deep.exchange.package import Package
    from voxloop.objects import Objects
    from voxloop.workspace.workspace import Workspace


def exported(
    ws: Workspace,
    what: str,
    path: str | Path,
    *,
    kind: Any,
    image: str | None,
    region: object,
    number: int | None,
    overwrite: bool,
) -> Path:
    """See :meth:`voxloop.workspace.workspace.Workspace.export`."""
    from voxloop.objects.result import MESHES, TABLES
    from voxloop.volumes import open_volume, save_volume

    made = [name for name, run in ws.runs.items() if run.kind == "objects"]
    suffix = Path(path).suffix.lower()
    if what in ws.predictions:
        found = ws.predictions[what]
        if kind == "objects" or suffix in (*TABLES, *MESHES):
            if region is not None:
                raise PredictionError("objects are exported as they were made; make those of a region with ws.objects")
            shown = ws.images.open(found.image) if found.image in ws.images.names else None
            return found.objects.export(path, image=shown, number=number, overwrite=overwrite)
        found.stored(kind)  # says what is missing where it was not kept
        folder = found.path / (f"labels/{found.level}" if kind == "labels" else kind)
        volume, box = open_volume(folder), part_of(ws, found, region)
        volume = volume if box is None else volume.isel(dict(zip("zyx", box.slices, strict=True)))
        return save_volume(volume, path, kind="labels" if kind == "labels" else "image", overwrite=overwrite)
    if region is not None:
        raise PredictionError(f"region= is of predictions, and {what!r} is none; leave it out")
    if what in made:
        shown = ws.images.open(ws._one_image(ws.runs[what].config.get("image")))
        objects: Objects = ws.runs[what].result
        return objects.export(path, image=shown, number=number, overwrite=overwrite)
    if what in ws.levels.names:
        return ws.labels(what, image).save(path, overwrite=overwrite)
    if what in ws.runs:
        return ws.export_model(what, path, overwrite=overwrite).path
    known = dict.fromkeys([*ws.predictions, *made, *ws.levels.names, *ws.runs])
    raise PredictionError(unknown("prediction, objects, level or run", what, known))


def exported_model(ws: Workspace, run: Run | str, path: str | Path, *, overwrite: bool, **settings: Any) -> Package:
    """See :meth:`voxloop.workspace.workspace.Workspace.export_model`."""
    found = ws.runs[run] if isinstance(run, str) else run
    model = found.model()
    export = getattr(model, "export", None)
    if export is None:
        raise ModelError(f"the model of {found.name!r} is no network; only networks become bioimage.io packages")
    return export(  # type: ignore[no-any-return]
        path,
        sample=_sample(ws, model.spec.channels),
        overwrite=overwrite,
        **{"name": f"{ws.name} {found.name}", **settings},
    )


def _sample(ws: Workspace, channels: int) -> Any:
    """A piece from the middle of the first image with as many channels; None where there is none."""
    from voxloop.volumes import channels_of, read_block, shape_zyx

    for name in ws.images.names:
        volume = ws.images.open(name)
        if channels_of(volume) == channels:
            starts = [max(0, n // 2 - size // 2) for n, size in zip(shape_zyx(volume), (32, 256, 256), strict=True)]
            ends = zip(starts, shape_zyx(volume), (32, 256, 256), strict=True)
            return read_block(volume, tuple(slice(start, min(n, start + size)) for start, n, size in ends))
    return None
