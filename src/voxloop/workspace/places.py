"""Finding animals, points and boxes with a trained model, and taking what was found over as labels."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from voxloop.config import PredictConfig
from voxloop.config.learners import OF_MARKS
from voxloop.errors import LabelError, PredictionError, VoxloopError, unknown
from voxloop.given import shown as shown_value
from voxloop.model import read_spec
from voxloop.prediction.found_batch import FoundBatch
from voxloop.prediction.found_classes import FoundClasses
from voxloop.runs import Run
from voxloop.store.values import share, whole
from voxloop.workspace.choices import one_image, run_name
from voxloop.workspace.models import gather_models
from voxloop.workspace.object_classes import accept_objects, objects_to_look_at
from voxloop.workspace.project import Project
from voxloop.workspace.tile_classes import accept_tiles, tiles_to_look_at

if TYPE_CHECKING:
    from voxloop.prediction.found import FoundPlaces

_RUN: dict[str, Any] = {
    "kind": "places",
    "task": "voxloop.prediction.places:run",
    "result": "voxloop.prediction.found:open_result",
    "discard": "voxloop.prediction.places:discard",
}


def finds_places(project: Project, source: Any) -> bool:
    """Whether a run, its name, a model or a model folder says nothing of each voxel, but finds or tells apart."""
    return _learner_of(project, source) in OF_MARKS


def _learner_of(project: Project, source: Any) -> str | None:
    """Who trained a model; None where nobody can tell yet."""
    if isinstance(source, str) and source in project.runs:
        source = project.runs[source]
    if isinstance(source, Run):
        return source.learner
    spec = getattr(source, "spec", None)
    if isinstance(source, str | Path):
        with suppress(OSError, ValueError, VoxloopError):  # what is wrong with it is said where it is opened
            spec = read_spec(Path(source))
    return getattr(spec, "learner", None)


def find(
    project: Project,
    run_or_model: Any,
    image: str | Sequence[str] | None = None,
    frames: object = None,
    name: str | None = None,
    level: str | None = None,
    threshold: float | None = None,
    config: PredictConfig | None = None,
    on_finished: Callable[[Run], object] | None = None,
    tiles: str | None = None,
    objects: Any = None,
    **settings: Any,
) -> Run:
    """Look for animals, points or boxes in a process of its own; see :meth:`Workspace.predict`.

    Parameters
    ----------
    image
        A name, or several, or ``"*"`` for all: one run looks at them one after the other.
    frames
        Frame numbers, a slice or range of them, ``"unlabelled"`` for those that nobody labelled; None: all.
    level
        Where what is found belongs; the level that the run learned where not given.
    threshold
        Peaks below this are nothing; None: that of the model.
    """
    config = PredictConfig.of(config, **settings)
    project.store.check_open_to_runs()
    looked = _objects_meant(project, run_or_model, objects, frames if tiles is None else tiles)
    if looked is not None:
        image = _image_of_objects(looked["image"], image)
    images = several_images(project, image)
    shown = images or [one_image(project.store, image)]  # type: ignore[arg-type]
    level = _level(project, run_or_model, level)
    marks = project.store.marks(None, level, shown[0])
    learner = _learner_of(project, run_or_model)
    if tiles is not None and (learner != "pictures" or frames is not None):
        raise PredictionError("tiles= is for models that tell classes of pictures, in the place of frames=")
    if learner == "pictures" and frames is None and looked is None:
        looked = tiles_to_look_at(project, run_or_model, tiles, shown[0])
    if images is not None and looked is not None:
        raise PredictionError("tiles are looked at in one image at a time; name one")
    facts = {"image": shown[0], **looked} if looked is not None else _where(project, level, images, shown, frames)
    if (learner == "pictures") != (marks.level.kind == "pictures"):
        finds = "the class of pictures" if learner == "pictures" else "places"
        raise LabelError(f"this model finds {finds}, and level {level!r} holds {marks.level.kind}; name another level")
    name = run_name(project, name, "places")
    if config.overwrite and name in project.runs:
        project.runs[name].delete()
    body = project.levels[level].skeleton
    with gather_models(project, run_or_model, project.layout.model(name), (), shown[0], config.which) as models:
        run = project.runs.create(
            name,
            settings=config.to_json(),
            device=config.device,
            parent=models.parent,
            model=models.folders[0],
            saved=models.saved,
            level=level,
            node=body.nodes[0] if body else "",
            classes=bool(project.levels[level].classes),
            **facts,
            threshold=None if threshold is None else share("threshold", threshold),
            **_RUN,
        )
    run.launch()
    if on_finished is not None:
        run.on_finished(on_finished)
    return run


def _objects_meant(project: Project, source: Any, objects: Any, instead: object) -> dict[str, Any] | None:
    """Which objects are looked at, as facts of a run; None where frames or tiles are."""
    if _learner_of(project, source) != "pictures":
        if objects is not None:
            raise PredictionError("objects= is for models that tell classes of objects (vl.PictureConfig(objects=...))")
        return None
    looked = objects_to_look_at(project, source, objects)
    if looked is not None and instead is not None:
        raise PredictionError("this model tells classes of objects; say objects= in the place of frames= and tiles=")
    return looked


def _image_of_objects(of_them: str, given: str | Sequence[str] | None) -> str:
    """The image that objects lie on, whatever was named. Raises PredictionError where that is another one."""
    if given is not None and given != of_them and list(given) != [of_them]:
        raise PredictionError(f"these objects lie on image {of_them!r}, not on {shown_value(given)}; leave image= out")
    return of_them


def _where(project: Project, level: str, images: list[str] | None, shown: list[str], frames: object) -> dict[str, Any]:
    """What is looked at, as a run's config names it."""
    chosen = {one: frames_of(project.store.marks(None, level, one), frames) for one in shown}
    if images is None:
        return {"image": shown[0], "frames": chosen[shown[0]]}
    return {"images": images, "frames_of": chosen}


def several_images(project: Project, given: object) -> list[str] | None:
    """The images of a batch; None where one is meant. Raises PredictionError."""
    if given is None or (isinstance(given, str) and given != "*"):
        return None
    names = project.images.names if given == "*" else list(given) if isinstance(given, Iterable) else [given]
    wrong = next((name for name in names if name not in project.images.names), None)
    if wrong is not None:
        raise PredictionError(unknown("image", shown_value(wrong), project.images.names))
    if not names:
        raise PredictionError("an empty list names no image; use '*' for all")
    return list(dict.fromkeys(map(str, names)))


def accept_places(
    project: Project, found: FoundPlaces | FoundClasses | FoundBatch, frames: object = None, above: float = 0.0
) -> list[int]:
    """Take what was found over as predicted instances of its level: one edit, which undo takes back.

    Predictions that nobody confirmed are replaced in these frames; frames that a person labelled are left alone.
    Gives the numbers of the instances. Of several images it is an edit of each.
    """
    if isinstance(found, FoundBatch):
        return [number for one in found.values() for number in accept_places(project, one, frames, above)]
    marks: Any = project.store.marks(None, found.level, found.image)
    if isinstance(found, FoundClasses) and found.objects is not None:
        return accept_objects(project, found, share("above", above))
    if isinstance(found, FoundClasses) and found.boxes is not None:
        return accept_tiles(project, found, share("above", above))
    if isinstance(found, FoundClasses):
        return _accept_classes(marks, found, frames, above)
    chosen = found.frames if frames is None else frames_of(marks, frames)
    if chosen is not None:
        labelled = set(marks.labelled)
        chosen = [frame for frame in chosen if frame not in labelled]
    instances = found.instances(chosen, share("above", above))
    ids: list[int] = marks.replace_predictions(chosen, instances)
    return ids


def _accept_classes(marks: Any, found: FoundClasses, frames: object, above: float) -> list[int]:
    """Frames that were given a predicted class."""
    table = found.table()
    wanted = table[table["score"] >= share("above", above)]
    if frames is not None:
        wanted = wanted[wanted["frame"].isin(frames_of(marks, frames) or [])]
    numbers = wanted["frame"].tolist() if found.frames is not None else [None] * len(wanted)
    labels = dict(zip(numbers, wanted["class"], strict=True))
    scores = dict(zip(numbers, wanted["score"], strict=True))
    if labels:
        marks.assign_many(labels, predicted=True, scores=scores)
    return [number for number in labels if number is not None]


def found_of(project: Project, given: Any) -> FoundPlaces | FoundClasses | FoundBatch | None:
    """What a run found, by the run, its name or itself; None where that is a prediction of voxels."""
    from voxloop.prediction.found import FoundPlaces

    if isinstance(given, FoundPlaces | FoundClasses | FoundBatch):
        return given
    if isinstance(given, str) and given in project.runs:
        given = project.runs[given]
    if isinstance(given, Run) and given.kind == "places":
        found: FoundPlaces | FoundClasses | FoundBatch = given.result
        return found
    return None


def _level(project: Project, source: Any, given: str | None) -> str:
    if given is not None:
        return project.levels[given].name
    if isinstance(source, str) and source in project.runs:
        source = project.runs[source]
    learnt = source.config.get("level") if isinstance(source, Run) else None
    if learnt in project.levels.names:
        return str(learnt)
    fitting = project.levels.of_kind("points", "boxes", "pictures")
    if len(fitting) == 1:
        return fitting[0]
    raise LabelError(
        f"say where what is found belongs: level=..., one of {', '.join(fitting) or 'none yet'}; "
        "ws.levels.add(name, kind='points') makes one"
    )


def frames_of(marks: Any, given: object) -> list[int] | None:
    """Numbers of the frames that are meant; None of a volume. Raises PredictionError."""
    if not marks.framed:
        if given is not None:
            raise PredictionError(f"image {marks.image!r} is a volume, which has no frames; leave frames out")
        return None
    depth = int(marks.shape[0])
    if given is None:
        return list(range(depth))
    if given == "unlabelled":
        labelled = set(marks.labelled)
        return [frame for frame in range(depth) if frame not in labelled]
    if isinstance(given, slice):
        return list(range(*given.indices(depth)))
    if isinstance(given, int):
        given = [given]
    if isinstance(given, str) or not isinstance(given, Iterable):
        raise PredictionError(f"frames={given!r}; use numbers, a range, 'unlabelled', or leave it out for all")
    chosen = [whole("frames", frame, error=PredictionError) for frame in given]
    wrong = next((frame for frame in chosen if not 0 <= frame < depth), None)
    if wrong is not None:
        raise PredictionError(f"there is no frame {wrong}; image {marks.image!r} has frames 0 to {depth - 1}")
    if not chosen:
        raise PredictionError("an empty list names no frame; leave frames out for all")
    return list(dict.fromkeys(chosen))
