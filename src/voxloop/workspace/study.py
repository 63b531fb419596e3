"""The verb ``study``: objects of one or several images, in groups, as a value that writes its report."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any

from voxloop.errors import PredictionError, VoxloopError, unknown
from voxloop.given import shown
from voxloop.runs import Run
from voxloop.store.values import as_list, text
from voxloop.workspace.g_ratio import g_ratio
from voxloop.workspace.label_objects import image_of, made_objects
from voxloop.workspace.methods import methods
from voxloop.workspace.project import Project

if TYPE_CHECKING:
    from pandas import DataFrame

    from voxloop.objects import Objects
    from voxloop.review import Study

#: measures that are described where none are named, of volumes and of pictures
_USUAL = (("volume_um3", "sphericity", "axis_1_um"), ("area_um2", "circularity", "axis_1_um"))


def study(
    project: Project,
    objects: Any = None,
    *,
    groups: Mapping[str, Sequence[str] | str] | Sequence[str] | None = None,
    measures: Sequence[str] | None = None,
    rules: Mapping[str, str] | Sequence[str] | str | None = None,
    only: str = "",
    classes: Any = None,
    name: str = "Study",
) -> Study:
    """Count, measure and compare the objects of one or several images; ``.report("study.html")`` writes it all down.

    Parameters
    ----------
    objects
        What :meth:`Workspace.objects` made, its run or the run's name, or several of these, one for each image; None:
        the newest of every image.
    groups
        Group -> names of images, image -> group, or names of images that are one group. Images that are not named are
        left out. None: all are one group.
    measures
        What is described and drawn, in order: columns of :meth:`Objects.table`, of whatever group, intensities too.
        None: size, sphericity (circularity of pictures) and length.
    rules
        Name -> rule, such as ``{"large": "volume_um3 > 2"}``, or rules, whose names they are: for how many objects each
        holds.
    only
        A rule that all objects of the study meet, such as ``"touches_edge == 0"``.
    classes
        A classifier of objects or its file; or, of a single image, the class of each object: a Series or dict such as
        :meth:`Objects.classify` and :meth:`Objects.cluster` return.
    name
        Stands above the report.

    Returns
    -------
    Study
        ``.table``, ``.counts``, ``.statistics``, ``.tests``, ``.g_ratio``, ``.report(path)``.

    Raises
    ------
    PredictionError
        There are no objects, two are of one image, or there is no such image, measure or rule.

    Examples
    --------
    >>> study = ws.study("objects-1", rules={"large": "volume_um3 > 0.004"})
    >>> study.counts
       image group  objects  large
    0  stack   all        4      4
    >>> study.report("study.html")
    PosixPath('study.html')
    """
    from voxloop.objects import MeasureRule, ObjectClassifier
    from voxloop.review import Study
    from voxloop.review.study import StudyPart

    made = _of_images(project, objects)
    grouped = _grouped(project, groups, list(made))
    named = {text("rule", key, error=PredictionError): MeasureRule(rule) for key, rule in _rules(rules)}
    limit = None if only is None or (isinstance(only, str) and not only) else MeasureRule(only)
    if isinstance(classes, str | PathLike):
        classes = ObjectClassifier.load(Path(classes))
    if classes is not None and not isinstance(classes, ObjectClassifier) and len(grouped) > 1:
        raise PredictionError("classes= of several images takes a classifier: objects.classifier(...), or its file")
    chosen = None if measures is None else [str(one) for one in as_list("measures", measures, error=PredictionError)]
    if chosen is not None and not chosen:
        raise PredictionError("measures= names no measure; leave it out for the usual ones")
    parts = []
    for image, group in grouped.items():
        found, volume = made[image], project.images.open(image)
        flat = "area_um2" in found.table()
        own = chosen or list(_USUAL[flat])
        chosen = chosen or own
        needed = {*own, *(one for rule in named.values() for one in rule.names), *(limit.names if limit else ())}
        table = _measured(found, needed, volume)
        table = table.drop(columns=[column for column in table if column in ("image", "group", "time", "class")])
        if classes is not None:
            table.insert(0, "class", _classes(found, classes, volume).reindex(table.index))
        parts.append(
            StudyPart(
                image=image,
                group=group,
                objects=found.name,
                labels=found.labels,
                volume=volume,
                table=table,
                facts=_facts(project, found, image),
                methods=_methods(project, found, image),
                time=project.images.info(image).time,
                fibres=_fibres(project, found, image),
            )
        )
    words = ""
    if isinstance(classes, ObjectClassifier):
        shown_of = ", ".join(f"{one} ({classes.names.count(one)} examples)" for one in classes.classes)
        words = f"a forest on {', '.join(classes.measures)}; {shown_of}. {classes.agreement.words}."
    elif classes is not None:
        words = "Classes were given for each object."
    return Study(
        name=text("name", name, error=PredictionError),
        parts=parts,
        measures=chosen or [],
        rules={key: rule.text for key, rule in named.items()},
        only=limit.text if limit else "",
        classified_by=words,
    )


def _of_images(project: Project, objects: Any) -> dict[str, Objects]:
    """Objects by their images. Raises PredictionError."""
    if objects is None:
        newest: dict[str, Objects] = {}
        for run in project.runs.values():
            if run.kind == "objects" and run.state == "finished":
                with suppress(VoxloopError):
                    found = made_objects(project, run)
                    newest[_image(project, found)] = found
        if not newest:
            raise PredictionError("there are no objects yet; ws.objects(prediction or level) makes some")
        order = project.images.names
        return dict(sorted(newest.items(), key=lambda pair: order.index(pair[0])))
    listed = objects if isinstance(objects, list | tuple) else [objects]
    out: dict[str, Objects] = {}
    for one in listed:
        found = made_objects(project, one.result if isinstance(one, Run) else one)
        image = _image(project, found)
        if image in out:
            raise PredictionError(
                f"{found.name!r} and {out[image].name!r} are both of image {image!r}; a study takes one for each image"
            )
        out[image] = found
    if not out:
        raise PredictionError("objects= names no objects; leave it out for the newest of every image")
    return out


def _image(project: Project, found: Objects) -> str:
    image = image_of(project, found)
    if image is None or image not in project.images.names:
        raise PredictionError(f"the image of {found.name!r} is not in this workspace")
    return image


def _grouped(project: Project, groups: Any, images: Sequence[str]) -> dict[str, str]:
    """Image -> group, in the order of the groups. Raises PredictionError."""
    if groups is None:
        return dict.fromkeys(images, "all")
    out: dict[str, str] = {}
    for group, names in _named_groups(groups, project.images.names):
        for image in names:
            if not isinstance(image, str) or image not in project.images.names:
                given = image if isinstance(image, str) else shown(image)
                raise PredictionError(unknown("image", given, project.images.names))
            if image not in images:
                raise PredictionError(f"image {image!r} of group {group!r} has no objects; ws.objects makes some")
            if out.setdefault(image, str(group)) != str(group):
                raise PredictionError(f"image {image!r} is in group {out[image]!r} and in group {group!r}")
    if not out:
        raise PredictionError("groups= names no image")
    return out


def _named_groups(given: Any, known: Sequence[str]) -> list[tuple[str, list[Any]]]:
    """Groups and their images, however they were given. Raises PredictionError."""
    if isinstance(given, list | tuple):
        return [("all", list(given))]
    if not isinstance(given, Mapping):
        raise PredictionError(
            f"groups={shown(given)}: name groups and their images, such as {{'control': ['a', 'b'], 'treated': ['c']}}"
        )
    of_images = set(given) <= set(known) and all(isinstance(group, str) for group in given.values())
    if of_images and not set(given.values()) <= set(known):
        turned: dict[str, list[Any]] = {}
        for image, group in given.items():
            turned.setdefault(group, []).append(image)
        return list(turned.items())
    return [
        (str(group), [names] if isinstance(names, str) else list(as_list("groups", names, error=PredictionError)))
        for group, names in given.items()
    ]


def _rules(given: Any) -> list[tuple[Any, Any]]:
    """Names of rules and the rules. Raises PredictionError."""
    if given is None:
        return []
    if isinstance(given, Mapping):
        return list(given.items())
    if isinstance(given, str):
        return [(given, given)]
    if isinstance(given, list | tuple):
        return [(rule, rule) for rule in given]
    raise PredictionError(f"rules={shown(given)}: name rules, such as {{'large': 'volume_um3 > 2'}}")


def _measured(found: Objects, names: set[str], volume: Any) -> DataFrame:
    """A table with these measures; intensities only where they are asked for, for they read the image."""
    try:
        return found.measured(names).copy()
    except PredictionError:
        return found.measured(names, volume).copy()


def _classes(found: Objects, classes: Any, volume: Any) -> Any:
    """The class of each object as a Series of names."""
    import pandas as pd

    from voxloop.objects import ObjectClassifier

    if isinstance(classes, ObjectClassifier):
        return classes.classify(_measured(found, set(classes.measures), volume))["class"]
    if not isinstance(classes, Mapping | pd.Series):
        raise PredictionError("classes= takes a classifier, its file, or the class of each object (a Series or dict)")
    return pd.Series({int(number): str(name) for number, name in classes.items()}, dtype=object)


def _prediction(project: Project, found: Objects) -> str | None:
    name = Path(str(found.facts.get("prediction") or "")).stem
    return name if name in project.predictions else None


def _facts(project: Project, found: Objects, image: str) -> list[tuple[str, str]]:
    info = project.images.info(image)
    sides = " x ".join(f"{1000 * side:g}" for side in info.spacing_um)
    facts = [
        ("voxels z, y, x", " x ".join(map(str, info.shape))),
        ("voxel size", f"{sides} nm"),
        ("objects", f"{found.count:,} ({found.name})"),
    ]
    about, prediction = found.facts.get("labelled") or {}, _prediction(project, found)
    if prediction is not None:
        chosen = project.predictions[prediction]
        facts.append(("made of", f"prediction {prediction!r}, by {chosen.lineage.get('trained_by') or 'a model'}"))
        score = "not known"
        with suppress(VoxloopError):
            score = project.scores.compute(prediction).words
        facts.append(("score of the model", score))
    elif about.get("level"):
        facts.append(("made of", f"level {about['level']!r}, as labelled by edit {about.get('sequence')}"))
    else:
        facts.append(("made of", f"mask {Path(about.get('mask') or 'given as an array').name}"))
    if found.unsure:
        facts.append(("unsure", f"{found.unsure} lie in clumps longer than the reach"))
    return facts


def _methods(project: Project, found: Objects, image: str) -> str:
    prediction = _prediction(project, found)
    if prediction is not None:
        return methods(project, prediction)
    about = found.facts.get("labelled") or {}
    what = f"label level {about['level']!r}" if about.get("level") else "a mask"
    return f"The objects of image {image!r} were taken from {what}."


def _fibres(project: Project, found: Objects, image: str) -> DataFrame | None:
    """Axons and myelin where a level or the prediction has classes of these names; None elsewhere."""
    prediction = _prediction(project, found)
    sources: list[Any] = [] if prediction is None else [prediction]
    for level in project.levels.painted:
        if {"axon", "myelin"} <= {one.name for one in project.levels[level].classes}:
            labels = project.labels(level, image)
            if labels.counts():
                sources.insert(0, labels)
    for source in sources:
        with suppress(VoxloopError):
            return g_ratio(project, source)
    return None
