"""A methods paragraph: data, annotation, learner, score, versions. Says nothing that is not on record."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from voxloop.config import PredictConfig
from voxloop.geometry import Shape, Spacing

if TYPE_CHECKING:
    from voxloop.prediction import Prediction
    from voxloop.review.report import Report
    from voxloop.review.score import Score

_LEARNERS = {
    "shallow": "a pixel classifier on multi-scale filter responses",
    "deep": "a convolutional network",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Making:
    """How a prediction came about, as far as the workspace knows; what is None is not said.

    Attributes
    ----------
    shape, spacing_um : of the image.
    rounds, strokes, seconds : of the loop up to the training: how many, and what was painted in them.
    simulated : whether the strokes were painted by no person.
    labelled : voxels that carried a label.
    settings : of the training, those that differ from what they are by themselves.
    choice : what the training chose for itself, in words.
    """

    shape: Shape | None = None
    spacing_um: Spacing | None = None
    rounds: int = 0
    strokes: int = 0
    seconds: float = 0.0
    simulated: bool = False
    labelled: int | None = None
    settings: Mapping[str, Any] = field(default_factory=dict)
    choice: str = ""


def methods_paragraph(
    prediction: Prediction,
    report: Report | None = None,
    *,
    making: Making | None = None,
    score: Score | None = None,
) -> str:
    """Sentences for a methods section: data, learner, labels, settings, versions.

    Parameters
    ----------
    report
        Scores against a reference.
    making
        What the workspace knows beside the prediction.
    score
        How good it is known to be without a reference.
    """
    making = making or Making()
    lineage = prediction.lineage
    names = ", ".join(info.name for info in prediction.classes)
    learner = str(lineage.get("learner", "an unnamed learner"))
    how = f"{_LEARNERS.get(learner, learner)}{_run(lineage)}"
    sentences = [f"The image {prediction.image!r}{_size(making)} was segmented into {names} with {how}."]
    sentences += _annotation(making)
    labels = lineage.get("labels") or {}
    if labels:
        states = ", ".join(f"edit {sequence} of {where}" for where, sequence in sorted(labels.items()))
        sentences.append(f"It was trained on sparse labels as they were after {states}.")
    sentences += _learning(making)
    if lineage.get("model_hash"):
        sentences.append(f"The model has the hash {str(lineage['model_hash'])[:12]}.")
    if prediction.done < 1:
        sentences.append(f"{prediction.done:.0%} of the region was predicted when this was written.")
    sentences += _differing(lineage.get("settings"))
    if score is not None and score.known:
        low, high = score.interval
        sentences.append(
            f"The IoU of the whole image, mean over classes that are not background, is {low:.2f} to {high:.2f} "
            f"({score.level:.0%} interval, estimated from {score.source})."
        )
    if report is not None:
        low, high = report.iou_interval
        sentences.append(
            f"Against the reference, mean IoU over {', '.join(report.foreground)} was {report.iou:.3f} "
            f"(90 % interval {low:.3f} to {high:.3f}, bootstrap over blocks, {report.voxels:,} voxels)."
        )
    versions = lineage.get("versions")
    if isinstance(versions, Mapping):
        sentences.append(
            "Software: " + ", ".join(f"{name} {version}" for name, version in sorted(versions.items())) + "."
        )
    return " ".join(sentences)


def _size(making: Making) -> str:
    if making.shape is None or making.spacing_um is None:
        return ""
    voxels = " x ".join(str(n) for n in making.shape)
    sides = " x ".join(f"{1000 * side:g}" for side in making.spacing_um)
    return f" ({voxels} voxels of {sides} nm, z y x)"


def _annotation(making: Making) -> list[str]:
    if not making.rounds:
        return []
    by = "painted by a simulated annotator that knows a reference" if making.simulated else "painted by hand"
    times = "round" if making.rounds == 1 else "rounds"
    share = ""
    if making.labelled is not None and making.shape is not None:
        z, y, x = making.shape
        share = f", on {making.labelled / (z * y * x):.2%} of the voxels"
    return [
        f"{making.strokes} strokes were {by} in {making.rounds} {times}{share}, which took "
        f"{making.seconds / 60:.1f} minutes{' by its time model' if making.simulated else ''}."
    ]


def _learning(making: Making) -> list[str]:
    sentences = [f"How its settings were chosen: {making.choice}"] if making.choice else []
    if making.settings:
        listed = ", ".join(f"{name} {value}" for name, value in sorted(making.settings.items()))
        sentences.append(f"Settings of the training that differ from the defaults: {listed}.")
    return sentences


def _run(lineage: Mapping[str, Any]) -> str:
    trained = lineage.get("trained_by")
    return f" (run {trained!r})" if trained else ""


def _differing(settings: Any) -> list[str]:
    if not isinstance(settings, Mapping) or not settings:
        return []
    usual = PredictConfig().to_json()
    chosen = {name: value for name, value in settings.items() if value is not None and usual.get(name) != value}
    listed = ", ".join(f"{name} {value}" for name, value in sorted(chosen.items()))
    return [f"Settings of the prediction that differ from the defaults: {listed}."] if listed else []
