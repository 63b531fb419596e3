"""The loop without a screen: a simulated annotator paints, a learner trains, the volume is predicted and scored.

Knows the public verbs only, so its numbers are the ones a user gets; draws no widgets.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from voxloop.config import DeepConfig, ShallowConfig
from voxloop.config.presets import AUTO, presets
from voxloop.errors import ConfigError, VolumeError

if TYPE_CHECKING:
    import numpy as np

    from voxloop.config import Config
    from voxloop.prediction import Prediction
    from voxloop.workspace.workspace import Workspace

Learner = Literal["shallow", "deep", "both"]
#: most classes of a mask; share of its voxels from which a value is one; share that others may have in all
_MOST_CLASSES, _MAIN, _STRAY = 32, 0.001, 0.02


@dataclass(frozen=True, slots=True, kw_only=True)
class Round:
    """What one round of the loop cost and reached. Shares and IoU: 0..1; ``iou``: mean over foreground classes.

    ``kept`` is the model that predicted: ``"network"`` or ``"classifier"``; ``words`` say why, where there were both.
    ``offered`` is the prediction that :meth:`Workspace.best` offers after the round, which may be an earlier one, and
    ``offered_iou`` its mean IoU.
    """

    round: int
    learner: str
    kept: str
    words: str
    strokes: int
    labelled_share: float
    annotation_seconds: float
    iou: float
    iou_per_class: dict[str, float]
    compute_seconds: float
    offered: str
    offered_iou: float

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
    preset: Config | None = None,
    suggest: bool = False,
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
    preset
        Settings of networks, or of the shallow learner where no network is asked for; None: those recommended.
    suggest
        Whether corrections go where :meth:`Workspace.suggest` says instead of to the largest errors.
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
            workspace,
            truth,
            prediction,
            slices=slices,
            suggest=suggest and prediction is not None,
            strokes=strokes,
            seed=seed + number,
            level=level,
        )
        shallow = learner == "shallow" or (learner == "both" and number < rounds)
        budget = left / (rounds - number + 1)
        config: Config
        if shallow:
            config = preset.changed(seed=seed) if isinstance(preset, ShallowConfig) else ShallowConfig(seed=seed)
        else:
            config = _network(preset, budget, network, seed)
        began = time.monotonic()
        run = workspace.train(config)
        run.wait()
        run.check()
        prediction = workspace.predict(run, probabilities=False).result
        spent = time.monotonic() - began
        left = max(left - spent, 10.0)
        outcome = run.outcome
        network = network if shallow else run.name
        per_class = _scored(workspace, prediction, truth, level, names)
        offered = workspace.best()
        of_offered = per_class
        if offered.name != prediction.name:
            of_offered = _scored(workspace, offered, truth, level, names)
        done.append(
            Round(
                round=number,
                learner="shallow" if shallow else "deep",
                kept="classifier" if shallow else (outcome.kept if outcome else "network"),
                words=outcome.words if outcome else "",
                strokes=painted.strokes,
                labelled_share=painted.labelled_share,
                annotation_seconds=painted.annotation_seconds,
                iou=_mean(per_class),
                iou_per_class=per_class,
                compute_seconds=spent,
                offered=offered.name,
                offered_iou=_mean(of_offered),
            )
        )
        report(done[-1])
    return done


def _scored(workspace: Workspace, prediction: Prediction, truth: Any, level: str, names: list[str]) -> dict[str, float]:
    """IoU of each class on voxels never labelled."""
    scores = workspace.evaluate(prediction, truth, exclude=workspace.labels(level))
    return {name: scores.iou_per_class[name] for name in names}


def _mean(per_class: dict[str, float]) -> float:
    return sum(per_class.values()) / len(per_class)


def _network(preset: Config | None, seconds: float, start_from: str | None, seed: int) -> Config:
    # a tenth of the time goes into starting the process and predicting the volume
    base = preset if isinstance(preset, DeepConfig) else AUTO
    return base.changed(max_minutes=max(0.9 * seconds, 15.0) / 60.0, start_from=start_from, seed=seed)


def settings_of(preset: str | None, learner: Learner) -> Config | None:
    """The settings that a name stands for; None where there is none.

    Raises ConfigError where there is no such preset, or it is of the other learner.
    """
    if preset is None:
        return None
    settings = presets[preset]
    if isinstance(settings, ShallowConfig) != (learner == "shallow"):
        kind = "the shallow learner" if isinstance(settings, ShallowConfig) else "networks"
        remedy = "shallow" if isinstance(settings, ShallowConfig) else "both"
        raise ConfigError(f"preset {preset!r} is of {kind}; use it with --learner {remedy}")
    return settings


def read_mask(mask: np.ndarray) -> tuple[list[dict[str, Any]], np.ndarray, str]:
    """Classes of a mask, class values uint8 from 1, and what is to be said of it.

    Of a mask of a few values, such as 0 and 255, in which a file format or a resampling has left some others, those
    count as the nearest of the few. Raises VolumeError where the mask holds one value, or the numbers of objects.
    """
    import numpy as np

    values, counts = np.unique(mask, return_counts=True)
    if len(values) < 2:
        raise VolumeError(f"--truth holds only the value {values[0]}; a mask needs at least two")
    shares = counts / mask.size
    main = values[shares >= _MAIN]
    strays, stray_share = len(values) - len(main), float(shares[shares < _MAIN].sum())
    words = ""
    if strays and 2 <= len(main) <= _MOST_CLASSES and stray_share <= _STRAY and _looks_meant(main, len(values)):
        listed = f"{', '.join(str(value) for value in main[:-1])} and {main[-1]}"
        words = f"mask: {strays} other values in {stray_share:.2%} of its voxels count as the nearest of {listed}"
        between = (main[1:].astype(float) + main[:-1].astype(float)) / 2
        mask, values = main[np.searchsorted(between, mask.astype(float))], main
    if len(values) > _MOST_CLASSES:
        raise VolumeError(
            f"--truth holds {len(values)} values; the demo takes class masks of up to {_MOST_CLASSES}, not instances"
        )
    background = [{"name": "background", "background": True}] if values[0] == 0 else []
    foreground: list[dict[str, Any]] = [{"name": f"class {value}"} for value in values if value]
    if len(foreground) == 1:
        foreground = [{"name": "foreground"}]
    return [*background, *foreground], (np.searchsorted(values, mask) + 1).astype(np.uint8), words


def _looks_meant(main: np.ndarray, count: int) -> bool:
    """Whether the frequent values are what a mask means: 0 and 255, or a few where all values are too many."""
    return count > _MOST_CLASSES or main.tolist() == [0, 255]


def figure(workspace: Workspace, truth: Any, rounds: Sequence[Round], path: Path) -> Path:
    """Write the curve of the rounds beside picture, truth and what is offered of the fullest plane, as PNG."""
    import matplotlib
    import numpy as np

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt
    from matplotlib.colors import ListedColormap

    volume = workspace.images.open()
    truth = np.asarray(truth)
    prediction = workspace.predictions[rounds[-1].offered]
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
