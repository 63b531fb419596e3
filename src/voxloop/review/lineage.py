"""A methods paragraph from what a prediction knows of its making. Says nothing that is not on record."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from voxloop.prediction import Prediction
    from voxloop.review.report import Report

_LEARNERS = {
    "shallow": "a pixel classifier on multi-scale filter responses",
    "deep": "a convolutional network",
}


def methods_paragraph(prediction: Prediction, report: Report | None = None) -> str:
    """Sentences for a methods section: learner, labels, settings, versions; scores where ``report`` is given."""
    lineage = prediction.lineage
    names = ", ".join(info.name for info in prediction.classes)
    learner = str(lineage.get("learner", "an unnamed learner"))
    how = f"{_LEARNERS.get(learner, learner)}{_run(lineage)}"
    sentences = [f"The image {prediction.image!r} was segmented into {names} with {how}."]
    labels = lineage.get("labels") or {}
    if labels:
        states = ", ".join(f"edit {sequence} of {where}" for where, sequence in sorted(labels.items()))
        sentences.append(f"It was trained on sparse labels as they were after {states}.")
    if lineage.get("model_hash"):
        sentences.append(f"The model has the hash {str(lineage['model_hash'])[:12]}.")
    if prediction.done < 1:
        sentences.append(f"{prediction.done:.0%} of the region was predicted when this was written.")
    sentences += _differing(lineage.get("settings"))
    if report is not None:
        low, high = report.iou_interval
        sentences.append(
            f"Against the reference, mean IoU over {', '.join(report.foreground)} was {report.iou:.3f} "
            f"(95 % interval {low:.3f} to {high:.3f}, bootstrap over blocks, {report.voxels:,} voxels)."
        )
    versions = lineage.get("versions")
    if isinstance(versions, Mapping):
        sentences.append(
            "Software: " + ", ".join(f"{name} {version}" for name, version in sorted(versions.items())) + "."
        )
    return " ".join(sentences)


def _run(lineage: Mapping[str, Any]) -> str:
    trained = lineage.get("trained_by")
    return f" (run {trained!r})" if trained else ""


def _differing(settings: Any) -> list[str]:
    if not isinstance(settings, Mapping) or not settings:
        return []
    listed = ", ".join(f"{name} {value}" for name, value in sorted(settings.items()) if value is not None)
    return [f"Settings of the prediction: {listed}."] if listed else []
