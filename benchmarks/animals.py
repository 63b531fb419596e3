"""Animals: a mouse in an open field, what correcting predictions saves, frames a second, seek in a long video."""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks import _field, _plain
from voxloop import samples
from voxloop.config import presets
from voxloop.geometry import Box
from voxloop.panels.points.placement import placed
from voxloop.store import Skeleton
from voxloop.volumes import open_volume, read_block
from voxloop.workspace.workspace import Workspace

#: frames labelled from nothing, and as many whose predictions are corrected
FRAMES = 20
#: pixels within which a person leaves a node where it is
CLOSE = 3.0
#: what is asked for
SHARE, SEEK_MS, PER_SECOND, MOUSE_PX = 0.6, 150.0, 25.0, 5.0
#: height and width of the frames that are timed
SIZE = (480, 640)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="seconds of training, a short video: the same code")
    parser.add_argument("--minutes", type=float, default=3.0, help="of training on the frames labelled from nothing")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--looks", type=int, default=3, help="films of a mouse, each with a look of its own")
    parser.add_argument("--steps", type=int, help="of each training on a mouse, in the place of minutes")
    parser.add_argument("--plain", action="store_true", help="a plain U-Net learns the same film for the same minutes")
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        minutes = 0.2 if chosen.quick else chosen.minutes
        for look in range(chosen.looks):
            mouse(Path(folder), look, minutes, chosen.threads, chosen.steps)
            if chosen.plain:
                plain(look, minutes, chosen.threads)
        actions(Path(folder), minutes, chosen.threads)
        speed(chosen.threads, 2 if chosen.quick else 8)
        seek(Path(folder), 600 if chosen.quick else 10_000)
    return 0


def mouse(folder: Path, look: int, minutes: float, threads: int, steps: int | None = None) -> None:
    """Nodes of a mouse in 20 frames, learned from 20 others that lie far from these."""
    frames, places = _field.film(2 * FRAMES, look)
    budget = {"max_minutes": minutes} if steps is None else {"iterations": steps}
    with Workspace.create(folder / f"mouse-{look}") as ws:
        ws.images.add("mouse", frames, z_kind="frame")
        skeleton = Skeleton(_field.NODES, _field.EDGES, _field.SYMMETRIC)
        ws.levels.add("mouse", kind="points", skeleton=skeleton)
        ws.points().add_many([{"frame": frame, "points": places[frame]} for frame in range(FRAMES)])
        run = ws.train(presets["animals"].changed(level="mouse", threads=threads, **budget))
        run.wait()
        columns = ws.predict(run, frames=list(range(FRAMES, 2 * FRAMES)), threads=threads).result.arrays()
        found = np.full((FRAMES, len(_field.NODES), 2), np.nan)
        found[columns["frame"] - FRAMES] = columns["points"]
        _tell(f"mouse, look {look}, {run.history.iteration} steps", _plain.distances(found, _known(places[FRAMES:])))


def plain(look: int, minutes: float, threads: int) -> None:
    """The same by a plain U-Net at half size."""
    import torch

    torch.set_num_threads(threads)
    frames, places = _field.film(2 * FRAMES, look)
    known = _known(places)
    found = _plain.find(frames[:FRAMES], known[:FRAMES], frames[FRAMES:], seconds=60 * minutes)
    _tell(f"  a plain U-Net in {minutes:g} minutes", _plain.distances(found, known[FRAMES:]))


def _known(places: Sequence[Mapping[str, tuple[float, float]]]) -> np.ndarray:
    """(frame, node, yx), NaN where a node is out of sight."""
    return np.array([[one.get(node, (np.nan, np.nan)) for node in _field.NODES] for one in places])


def _tell(what: str, away: np.ndarray) -> None:
    print(
        f"{what}: half of the nodes within {np.median(away):.1f} px (wanted {MOUSE_PX:g}), {(away <= 5).mean():.0%} "
        f"within 5, {(away > 20).mean():.0%} beyond 20"
    )


def actions(folder: Path, minutes: float, threads: int) -> None:
    """Clicks, drags and keys that 20 frames take from nothing, and that 20 others take with predictions."""
    sample = samples.load("walkers", seed=1)
    body: Any = sample.skeleton
    truth: dict[int, list[Any]] = {}
    for one in sample.points or ():
        truth.setdefault(one["frame"], []).append(one)
    first = list(range(0, 240, 12))[:FRAMES]
    then = [frame + 6 for frame in first]
    with Workspace.create(folder / "walkers") as ws:
        ws.images.add("walkers", sample.volume)
        ws.levels.add("animals", kind="points", skeleton=body)
        points = ws.points()
        plain = sum(2 + sum(2 + len(one["points"]) for one in truth[frame]) for frame in first)
        helped = sum(_label(points, frame, truth[frame]) for frame in first)
        config = presets["animals"].changed(level="animals", max_minutes=minutes, threads=threads)
        run = ws.train(config)
        run.wait()
        found = ws.predict(run, frames=then, threads=threads).result
        ws.accept(found, above=0.1)
        corrected = sum(_correct(points, frame, truth[frame]) for frame in then)
        print(f"actions for {FRAMES} frames, {run.history.iteration} steps in {minutes:g} minutes: {corrected} with")
        print(
            f"  predictions; {helped} from nothing, each body begun as in the frame before ({corrected / helped:.0%},"
        )
        print(f"  wanted at most {SHARE:.0%}); {plain} with each node placed by itself ({corrected / plain:.0%})")


def _label(points: Any, frame: int, truth: Sequence[Mapping[str, Any]]) -> int:
    """Go there, add (a key) with a click a body, drag (a key) each node that is off; covered ones get a key."""
    count = 2
    for one in truth:
        middle = tuple(np.mean(list(one["points"].values()), axis=0).tolist())
        told = placed(points, frame, middle)
        told["track"] = None
        number = points.add(frame, **told)
        count += 1 + _put_right(points, number, one)
    return count + 1


def _correct(points: Any, frame: int, truth: Sequence[Mapping[str, Any]]) -> int:
    """Go there, drag what is off, delete what is none, add what is missed, accept all (a key)."""
    from scipy.optimize import linear_sum_assignment

    there = [one for one in points.read(frame) if one.predicted]
    away = np.array([[_apart(one, other["points"]) for other in truth] for one in there]).reshape(-1, len(truth))
    rows, columns = linear_sum_assignment(away)
    count, missed = 1, set(range(len(truth)))
    for row, column in zip(rows.tolist(), columns.tolist(), strict=True):
        missed.discard(column)
        count += _put_right(points, there[row].id, truth[column])
    for one in [there[row] for row in range(len(there)) if row not in rows]:
        points.remove(one.id)
        count += 2  # choose and delete
    if missed:
        count += 2  # to the tool that adds and back
        for column in missed:
            middle = tuple(np.mean(list(truth[column]["points"].values()), axis=0).tolist())
            number = points.add(frame, **{**placed(points, frame, middle), "track": None})
            count += 1 + _put_right(points, number, truth[column])
    return count + 1


def _apart(one: Any, true: Mapping[str, tuple[float, ...]]) -> float:
    """How far an instance is from a true one, in pixels; nodes that are not placed do not count."""
    known = [np.linalg.norm(np.subtract(at, true[node])) for node, at in one.points.items() if node in true]
    return float(np.mean(known)) if known else 1e6


def _put_right(points: Any, number: int, true: Mapping[str, Any]) -> int:
    """Drags of nodes that are off, and a key and a click for each that is hidden there and not here, or the reverse."""
    here = points.instance(number)
    off = {
        node: at
        for node, at in true["points"].items()
        if node not in here.points or np.linalg.norm(np.subtract(here.points[node], at)) > CLOSE
    }
    if off:
        points.move(number, off)
    return len(off)


def speed(threads: int, rounds: int) -> None:
    """Frames of 640 x 480 a second: a U-Net at half size, bare, and all of what a prediction does with frames."""
    import torch

    from voxloop.deep.pose.backbone import Backbone, BackboneConfig, MapHead, without_normalisation
    from voxloop.deep.pose.finding import Finder
    from voxloop.deep.pose.pictures import Reader, pictures_of
    from voxloop.deep.pose.plan import PlacePlan, StagePlan

    torch.set_num_threads(threads)
    for filters in (8, 16):
        heads = (MapHead("maps", 5, 1, odds=True),)
        config = BackboneConfig(channels=1, heads=heads, halvings=((2, 2),) * 4, filters=filters)
        window = (SIZE[0] // 2, SIZE[1] // 2)
        stage = StagePlan(
            name="nodes", backbone=config, scale=(0.5, 0.5), window=window, sigma=(2.5, 2.5), whole=True
        )  # fmt: skip
        plan = PlacePlan(
            pipeline="single", kind="points", names=tuple("abcde"), edges=(), mirrored=tuple(range(5)),
            stages=(stage,), threshold=0.2,
        )  # fmt: skip
        bare = Backbone(config).eval().to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        ours = without_normalisation(Backbone(config).eval()).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        frames = np.random.default_rng(0).integers(0, 255, (8, 1, *SIZE)).astype(np.uint8)
        shown = torch.randn(8, 1, *window).to(memory_format=torch.channels_last)

        def ask(network: Any = bare, pixels: Any = shown) -> None:
            with torch.inference_mode():
                network(pixels)

        def find(plan: Any = plan, network: Any = ours, frames: Any = frames) -> None:
            Finder(plan, {"nodes": network}, Reader([120.0], [50.0]), torch.device("cpu")).find(pictures_of(frames))

        (alone, alone_cpu), (all_of_it, cpu) = _timed(ask, rounds), _timed(find, rounds)
        print(
            f"640 x 480 at half size, {filters} filters, {threads} threads: {8 / all_of_it:.1f} frames/s "
            f"(wanted {PER_SECOND:g}), bare {8 / alone:.1f}; a core's time {1000 * cpu / 8:.1f} ms a frame, "
            f"bare {1000 * alone_cpu / 8:.1f} ({alone_cpu / cpu:.2f})"
        )


def _timed(work: Any, rounds: int) -> tuple[float, float]:
    """Seconds and seconds of a core, the medians of some rounds after a first."""
    work()
    taken = []
    for _ in range(rounds):
        began, core = time.perf_counter(), time.process_time()
        work()
        taken.append((time.perf_counter() - began, time.process_time() - core))
    wall, core_s = np.median(np.array(taken), axis=0).tolist()
    return wall, core_s


def seek(folder: Path, frames: int) -> None:
    """Any frame of a long video, a key frame every 250, and the one before it."""
    import imageio_ffmpeg

    path = folder / "long.mp4"
    rng = np.random.default_rng(0)
    base = rng.integers(0, 255, (240, 320, 3), dtype=np.uint8)
    writer = imageio_ffmpeg.write_frames(
        str(path), (320, 240), fps=30, macro_block_size=1, codec="libx264", output_params=["-preset", "ultrafast"]
    )
    writer.send(None)
    for number in range(frames):
        writer.send(np.ascontiguousarray(np.roll(base, number % 320, 1)))
    writer.close()
    volume = open_volume(path)
    sought: list[float] = []
    back: list[float] = []
    for number in rng.integers(1, frames, 40).tolist():
        for wanted, taken in ((number, sought), (number - 1, back)):
            began = time.perf_counter()
            read_block(volume, Box((wanted, 0, 0), (wanted + 1, 240, 320)))
            taken.append(1000 * (time.perf_counter() - began))
    middle, worst = np.percentile(sought, [50, 95])
    print(
        f"seek in {frames:,} frames: {middle:.0f} ms in the median (wanted {SEEK_MS:g}), 95 % {worst:.0f}, "
        f"{max(sought):.0f} at most; the frame before it {np.median(back):.1f}"
    )


if __name__ == "__main__":
    raise SystemExit(main())
