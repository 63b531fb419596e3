"""Do intervals hold the truth? Audits of made-up predictions over many seeds, and the scores of a loop."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

import numpy as np
from scipy.ndimage import distance_transform_edt, gaussian_filter

from voxloop.benchmark.loop import Experiment
from voxloop.benchmark.rows import Row
from voxloop.benchmark.stacks import load_stack, names
from voxloop.geometry import Box
from voxloop.model import ClassInfo
from voxloop.review.fields import draw_fields, score_fields
from voxloop.review.points import draw_points, score_points
from voxloop.review.population import Population
from voxloop.review.score import Score, foreground, iou_of
from voxloop.volumes import open_volume

SHAPE = (8, 224, 224)
#: voxels of a stack in the loop
VOXELS = 150_000
#: what is asked for: coverage of the 90 % interval, and the mean error
COVERAGE, ERROR = (0.85, 0.95), 0.05


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="fewer seeds, the same code")
    parser.add_argument("--loop", action="store_true", help="train and correct instead, round by round: minutes")
    parser.add_argument("--stacks", nargs="*", default=names(), help="of the loop; all where not given")
    parser.add_argument("--seeds", nargs="*", type=int, default=[0, 1, 2], help="of the loop")
    chosen = parser.parse_args()
    if chosen.loop:
        loop(["em"] if chosen.quick else chosen.stacks, [0] if chosen.quick else chosen.seeds, 2 if chosen.quick else 4)
    else:
        audits(30 if chosen.quick else 200)
    return 0


# ------------------------------------------------------------------------------------------------------------- audits


@dataclass
class Made:
    """A prediction in memory, of the shape of the real one."""

    stack: np.ndarray  # probabilities (class, z, y, x)
    classes: tuple[ClassInfo, ...]
    keeps: bool = True
    name: str = "made"
    lineage: dict[str, Any] = field(default_factory=dict)

    @property
    def box(self) -> Box:
        return Box.whole(self.stack.shape[1:])

    @property
    def labels(self) -> Any:
        values = np.array([info.value for info in self.classes], np.uint8)
        return open_volume(values[self.stack.argmax(axis=0)])

    @property
    def probabilities(self) -> Any:
        from voxloop.errors import PredictionError

        if not self.keeps:
            raise PredictionError("not kept")
        return SimpleNamespace(data=np.round(self.stack * 255).astype(np.uint8))

    @property
    def uncertainty(self) -> Any:
        from voxloop.errors import PredictionError

        raise PredictionError("not kept")


def truths() -> Iterator[tuple[str, np.ndarray]]:
    """Made-up truths: positions of classes, 0 background."""
    yield "objects, 11 %", (smooth(0, 9) > 1.2).astype(int)
    yield "rare objects, 1 %", (smooth(1, 7) > 2.2).astype(int)
    yield "walls, 2 voxels", (np.abs(smooth(2, 12)) < 0.08).astype(int)
    phases = np.digitize(smooth(3, 8), [0.0, 1.0, 1.8])
    yield "four phases", phases


def predictions(truth: np.ndarray, background: bool) -> Iterator[tuple[str, Made]]:
    """Predictions of a truth that are wrong in different ways."""
    count = int(truth.max()) + 1
    names = tuple(ClassInfo(value=k + 1, name=f"class {k}", background=background and k == 0) for k in range(count))
    inside = np.stack([distances(truth == k) for k in range(count)])
    noise = np.stack([smooth(10 + k, 4) for k in range(count)])
    far = np.stack([smooth(20 + k, 24) for k in range(count)])
    for name, logits in {
        "wrong at borders": inside / 2 + noise,
        "wrong about regions": inside / 3 + 2.5 * far,
        "overconfident": 3 * (inside / 3 + 2 * noise),
        "too much of it": inside / 3 + noise + np.arange(count)[:, None, None, None] * 1.2,
    }.items():
        powers = np.exp(np.clip(logits, -30, 30))
        yield name, Made((powers / powers.sum(axis=0)).astype(np.float32), names)
        if name == "wrong at borders":
            yield f"{name}, nothing kept", Made((powers / powers.sum(axis=0)).astype(np.float32), names, keeps=False)


def smooth(seed: int, sigma: float) -> np.ndarray:
    noise = gaussian_filter(np.random.default_rng(seed).standard_normal(SHAPE), (sigma / 4, sigma, sigma))
    return noise / noise.std()


def distances(mask: np.ndarray) -> np.ndarray:
    """Voxels to the border, negative outside, cut at 6."""
    if mask.all() or not mask.any():
        return np.where(mask, 6.0, -6.0)
    sampling = (2.0, 1.0, 1.0)
    signed = distance_transform_edt(mask, sampling) - distance_transform_edt(~mask, sampling)
    return np.clip(signed, -6, 6)


def audits(seeds: int) -> None:
    """The table of points and fields."""
    print(f"{seeds} audits each; 90 % intervals\n")
    print(f"{'truth':>18} {'prediction':>30} {'IoU':>5} | {'100 points':>28} | {'12 fields':>28}")
    print(f"{'':>18} {'':>30} {'':>5} | {'error  bias  holds width':>28} | {'error  bias  holds width':>28}")
    rows = []
    for about, truth in truths():
        for wrong, made in predictions(truth, background=about != "four phases"):
            population = Population(made)  # type: ignore[arg-type]
            exact = true_iou(made, truth)
            points = summary([by_points(population, truth, seed) for seed in range(seeds)], exact)
            fields = summary([by_fields(population, truth, seed) for seed in range(seeds)], exact)
            rows.append((points, fields))
            print(f"{about:>18} {wrong:>30} {exact:5.2f} | {shown(points):>28} | {shown(fields):>28}", flush=True)
    for name, column in (("100 points", 0), ("12 fields", 1)):
        error, bias, holds, width = np.mean([row[column] for row in rows], axis=0)
        verdict = "as asked" if COVERAGE[0] <= holds <= COVERAGE[1] and error <= ERROR else "NOT as asked"
        print(f"{name}: mean error {error:.3f}, bias {bias:+.3f}, holds {holds:.2f}, width {width:.2f}: {verdict}")


def true_iou(made: Made, truth: np.ndarray) -> float:
    predicted = made.stack.argmax(axis=0)
    count = len(made.classes)
    joint = np.bincount((truth * count + predicted).ravel(), minlength=count**2).reshape(count, count)
    return float(np.nanmean(iou_of(joint.astype(float))[foreground(made.classes)]))


def by_points(population: Population, truth: np.ndarray, seed: int) -> Score:
    points = draw_points(population, 100, seed)
    return score_points(points, truth[tuple(points.places.T)], population.classes, 0.9)


def by_fields(population: Population, truth: np.ndarray, seed: int) -> Score:
    fields = draw_fields(population, 12, seed)
    count = len(population.classes)
    joints = []
    for box in fields.boxes:
        pairs = truth[box.slices] * count + population.read(box)
        joints.append(np.bincount(pairs.ravel(), minlength=count**2).reshape(count, count))
    return score_fields(fields, np.array(joints, float), np.ones(len(joints), bool), population.classes, 0.9)


def summary(scores: list[Score], exact: float) -> tuple[float, float, float, float]:
    """Mean error, bias, share of intervals that hold the truth, median width."""
    errors = np.array([score.iou - exact for score in scores])
    low, high = np.array([score.interval for score in scores]).T
    holds = (low <= exact) & (exact <= high)
    return float(np.abs(errors).mean()), float(errors.mean()), float(holds.mean()), float(np.median(high - low))


def shown(row: tuple[float, float, float, float]) -> str:
    error, bias, holds, width = row
    return f"{error:5.3f} {bias:+6.3f} {holds:5.2f} {width:6.2f}"


# --------------------------------------------------------------------------------------------------------------- loop


#: how a loop begins, and its strokes a round
STARTS = {"places": 12, "slices": 24}
#: intervals that a user meets: without a later stroke, after a round of corrections, after all of them
SHOWN = {"score": "no stroke since", "corrected": "a round of corrections", "later": "all later strokes"}


def loop(stacks: list[str], seeds: list[int], rounds: int) -> None:
    """Strokes, a pixel classifier, corrections where suggestions or chance say: intervals shown, beside the truth."""
    answers: dict[tuple[str, str, int, int], Row] = {}
    for name in stacks:
        for seed in seeds:
            stack = load_stack(name, seed).cropped(VOXELS)
            for start, strokes in STARTS.items():
                strategy = "ours" if seed % 2 else "random"
                tried = Experiment(
                    data=name,
                    strategy=strategy,
                    learner="shallow",
                    seed=seed,
                    rounds=rounds,
                    voxels=VOXELS,
                    start=start,
                    strokes=strokes,
                    doubts=0,
                )
                for row in tried.run(stack):  # rows come again with what later strokes say
                    answers[name, start, seed, int(row["round"])] = row
                of_loop = [row for key, row in answers.items() if key[:3] == (name, start, seed)]
                print(f"{name} {start} {seed}: {'; '.join(map(told, of_loop))}", flush=True)
    table(list(answers.values()))


def told(row: Row) -> str:
    """The truth, and the interval shown first."""
    interval = f"{row['score_low']:.2f}-{row['score_high']:.2f}" if "score_low" in row else "not known yet"
    return f"{row['iou_whole']:.2f} ({interval}, {row['strokes']} strokes)"


def table(rows: list[Row]) -> None:
    """How many intervals hold the truth, and how wide they are: by what they rest on, by strokes, by stack."""
    shown_ones = [(kind, row) for kind in SHOWN for row in rows if f"{kind}_low" in row]
    unknown = sum("score_low" not in row for row in rows)
    print(
        f"\n{len(rows)} answers, of {unknown} nothing was known at first\n{'':32}    n  holds  width  too high  error"
    )
    groups: dict[str, list[tuple[str, Row]]] = {"all intervals": shown_ones}
    for kind, words in SHOWN.items():
        groups[words] = [one for one in shown_ones if one[0] == kind]
    groups["40 strokes or more were learned"] = [one for one in shown_ones if one[1]["strokes"] >= 40]
    for name in dict.fromkeys(row["data"] for row in rows):
        groups[name] = [one for one in shown_ones if one[1]["data"] == name]
    for words, ones in groups.items():
        if ones:
            print(f"{words:32} {summary_of(ones)}")


def summary_of(ones: list[tuple[str, Row]]) -> str:
    low, value, high = (np.array([row[f"{kind}_{what}"] for kind, row in ones]) for what in ("low", "iou", "high"))
    truth = np.array([row["iou_whole"] for _, row in ones])
    holds, error = (low <= truth) & (truth <= high), np.abs(value - truth).mean()
    return (
        f"{len(ones):4d}  {holds.mean():5.2f}  {np.median(high - low):5.2f}  {(low > truth).mean():8.2f}  {error:.3f}"
    )


if __name__ == "__main__":
    raise SystemExit(main())
