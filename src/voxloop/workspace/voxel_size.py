"""``ws.set_voxel_size``: a voxel size that is put right later, and what was made with another one. Opens no arrays."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import suppress
from typing import Any

from voxloop.errors import VolumeError, VoxloopError
from voxloop.geometry import Spacing
from voxloop.runs.outcome import model_folder
from voxloop.workspace.project import Project

#: sizes that differ by less are the same, written with fewer digits
_SAME = 1e-3


def set_voxel_size(
    project: Project,
    image: str | None = None,
    spacing: float | Sequence[float] = (),
    unit: str = "micrometer",
) -> list[str]:
    """Put the voxel size of an image right; voxels and labels stay as they are.

    Parameters
    ----------
    image
        Name of the image; None where there is one.
    spacing, unit
        One number, or three in the order z, y, x (two for a single plane or frames).

    Returns
    -------
    list of str
        What was made with another size, one sentence each: models, which go on seeing with theirs and are shown this
        image at the size that they know, and predictions, whose lengths are the old ones.

    Raises
    ------
    VolumeError
        That is no voxel size, or none is given.

    Examples
    --------
    >>> remarks = ws.set_voxel_size("stack", (0.05, 0.01, 0.01))
    >>> len(remarks)
    2
    >>> ws.images.info("stack").spacing_um
    (0.05, 0.01, 0.01)
    """
    project.store.check_writable()
    if image is not None and not isinstance(image, str):  # the size alone, as where there is one image
        raise VolumeError(
            f"{image!r} is not the name of an image: the name comes first, None where there is one image, then the "
            f"voxel size, such as ws.set_voxel_size(None, {image!r})"
        )
    name = project.images.one(image)
    if isinstance(spacing, tuple) and not spacing:
        raise VolumeError(f"which voxel size? Say it after the name: ws.set_voxel_size({name!r}, (z, y, x))")
    old = project.images.info(name)
    arguments = {**old.arguments, "spacing": spacing, "unit": unit}
    new = project.images.prepare(name, project.images.path(name), **arguments)
    kept = {"own": old.own, "series": old.series, "time": old.time, "z_kind": old.z_kind, "source": old.source}
    new = new.model_copy(update={**kept, "beside": old.beside})
    images = tuple(new if info.name == name else info for info in project.store.document.images)
    project.store.change(images=images)
    for level in project.levels.painted:  # the files of labels say it too
        project.labels(level, name).write_header()
    return voxel_size_remarks(project, name)


def voxel_size_remarks(project: Project, image: str | None = None) -> list[str]:
    """What of a workspace was made with another voxel size than its image has now; a sentence each."""
    names = [image] if image is not None else project.images.names
    sizes: dict[str, Spacing] = {name: project.images.info(name).spacing_um for name in names}
    remarks = []
    for run in project.runs.values():
        if run.kind != "train":
            continue
        with suppress(VoxloopError, OSError, KeyError, ValueError, TypeError, AttributeError):
            # a run without a model, half deleted, or written by somebody else
            learnt_at = _size_learnt(run)
            for name in _images_learnt(run.config):
                if name in sizes and not _same(learnt_at, sizes[name]):
                    remarks.append(
                        f"run {run.name!r} learnt from {name!r} with voxels of {_text(learnt_at)}, they are "
                        f"{_text(sizes[name])} now; train again where sizes matter"
                    )
    for name in project.predictions:
        with suppress(VoxloopError, OSError, KeyError, ValueError):
            prediction = project.predictions[name]
            made_at: Spacing = tuple(prediction.labels.attrs["spacing_um"])
            if prediction.image in sizes and not _same(made_at, sizes[prediction.image]):
                remarks.append(
                    f"prediction {name!r} of {prediction.image!r} was made with voxels of {_text(made_at)}, they are "
                    f"{_text(sizes[prediction.image])} now; its objects have the old lengths until they are made again"
                )
    return remarks


def _size_learnt(run: Any) -> Spacing:
    from voxloop.model import read_spec

    spacing = read_spec(model_folder(run.path, "better")).spacing_um
    if spacing is None:
        raise ValueError("the model says nothing of sizes")
    return spacing


def _images_learnt(config: dict[str, Any]) -> Iterator[str]:
    rows = config.get("rows") or [{"image": key.partition("/")[2]} for key in config.get("labels", ())]
    yield from dict.fromkeys(str(row["image"]) for row in rows)


def _same(one: Spacing, other: Spacing) -> bool:
    return all(abs(a - b) <= _SAME * max(a, b) for a, b in zip(one, other, strict=True))


def _text(spacing_um: Spacing) -> str:
    unit, factor = ("nm", 1000.0) if max(spacing_um) < 1 else ("µm", 1.0)
    return " × ".join(f"{value * factor:.4g}" for value in spacing_um) + f" {unit}"
