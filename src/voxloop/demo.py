"""The loop without a screen: a simulated annotator paints, a learner trains, the volume is predicted and scored.

Knows the public verbs only, so its numbers are the ones a user gets; draws no widgets.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from voxloop.config import ShallowConfig
from voxloop.config.presets import AUTO

if TYPE_CHECKING:
    from voxloop.config import Config
    from voxloop.workspace.workspace import Workspace

Learner = Literal["shallow", "deep", "both"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Round:
    """What one round of the loop cost and reached. Shares and IoU: 0..1; ``iou``: mean over foreground classes."""

    round: int
    learner: str
    strokes: int
    labelled_share: float
    annotation_seconds: float
    iou: float
    iou_per_class: dict[str, float]
    compute_seconds: float

    def to_json(self) -> dict[str, Any]:
        return asdict(self)


def play(
    workspace: Workspace,
    truth: Any,
    *,
    rounds: int = 3,
    learner: Learner = "both",
    minutes: float = 5.0,
    strokes: int = 100,
    slices: Sequence[int] | None = None,
    seed: int = 0,
    report: Callable[[Round], None] = lambda _: None,
) -> list[Round]:
    """Go round the loop on the only image of a workspace.

    Parameters
    ----------
    truth
        Class values (z, y, x) as the level counts them: what the simulated annotator knows.
    learner
        ``both`` answers with the shallow learner, within seconds, until the last round, which is the network's.
    minutes
        Computing time of all rounds together; networks share what is left of it.
    slices
        Planes across z the annotator may paint; the annotator's choice where None.
    report
        Called after each round.

    Returns
    -------
    list of Round
        IoU is measured on voxels that were never labelled.
    """
    from voxloop.review import simulate

    level = workspace.levels.names[0]
    names = [c.name for c in workspace.levels[level].classes if not c.background]
    left = minutes * 60.0
    done: list[Round] = []
    prediction, network = None, None
    for number in range(1, rounds + 1):
        painted = simulate(
            workspace, truth, prediction, slices=slices, strokes=strokes, seed=seed + number, level=level
        )
        shallow = learner == "shallow" or (learner == "both" and number < rounds)
        budget = left / (rounds - number + 1)
        config = ShallowConfig(seed=seed) if shallow else _network(budget, network, seed)
        began = time.monotonic()
        run = workspace.train(config)
        run.wait()
        run.check()
        prediction = workspace.predict(run, probabilities=False).result
        spent = time.monotonic() - began
        left = max(left - spent, 10.0)
        network = network if shallow else run.name
        scores = workspace.evaluate(prediction, truth, exclude=workspace.labels(level))
        per_class = {name: scores.iou_per_class[name] for name in names}
        done.append(
            Round(
                round=number,
                learner="shallow" if shallow else "deep",
                strokes=painted.strokes,
                labelled_share=painted.labelled_share,
                annotation_seconds=painted.annotation_seconds,
                iou=sum(per_class.values()) / len(per_class),
                iou_per_class=per_class,
                compute_seconds=spent,
            )
        )
        report(done[-1])
    return done


def _network(seconds: float, start_from: str | None, seed: int) -> Config:
    # a fifth of the time goes into starting the processes and predicting the volume
    return AUTO.changed(max_minutes=max(0.8 * seconds, 15.0) / 60.0, start_from=start_from, seed=seed)


def figure(workspace: Workspace, truth: Any, rounds: Sequence[Round], path: Path) -> Path:
    """Write the curve of the rounds beside picture, truth and last prediction of the fullest plane, as PNG."""
    import matplotlib
    import numpy as np

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt
    from matplotlib.colors import ListedColormap

    volume = workspace.images.open()
    truth = np.asarray(truth)
    prediction = workspace.predictions[list(workspace.predictions)[-1]]
    classes = workspace.levels[workspace.levels.names[0]].classes
    foreground = np.isin(truth, [c.value for c in classes if not c.background])
    plane = int(foreground.sum(axis=(1, 2)).argmax())
    highest = max(c.value for c in classes)
    palette = ListedColormap(["#00000000"] + ["#00000000" if c.background else c.color for c in classes])
    picture = volume.isel(z=plane) if "c" not in volume.dims else volume.isel(c=0, z=plane)

    shown, axes = plt.subplots(1, 4, figsize=(16, 4.4), layout="constrained")
    axes[0].plot([r.round for r in rounds], [r.iou for r in rounds], "o-", color="#0072b2", lw=2, label="mean")
    for name in rounds[0].iou_per_class if len(rounds[0].iou_per_class) > 1 else ():
        axes[0].plot([r.round for r in rounds], [r.iou_per_class[name] for r in rounds], ".--", label=name)
    axes[0].set(xlabel="round", ylabel="IoU on voxels never labelled", ylim=(0, 1), xticks=[r.round for r in rounds])
    axes[0].legend(frameon=False)
    axes[0].spines[["top", "right"]].set_visible(False)
    panels = [("picture", None), ("truth", truth[plane]), ("prediction", prediction.labels.isel(z=plane).to_numpy())]
    for axis, (title, overlay) in zip(axes[1:], panels, strict=True):
        axis.imshow(picture.to_numpy(), cmap="gray")
        if overlay is not None:
            axis.imshow(overlay, cmap=palette, vmin=0, vmax=highest, alpha=0.5, interpolation="nearest")
        axis.set_title(f"{title}, plane z={plane}", fontsize=10)
        axis.set_axis_off()
    shown.savefig(path, dpi=110)
    plt.close(shown)
    return path
