"""What runs cost: an event, an order looked for, a log read again, a process started, a monitor kept up to date."""

from __future__ import annotations

import argparse
import contextlib
import os
import resource
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from voxloop.runs import EventReader, EventWriter, History, Run, RunContext, Runs, fold, spare

TASKS = Path(__file__).parents[1] / "tests" / "runs"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="a tenth of the work")
    steps = 20_000 if parser.parse_args().quick else 200_000
    with tempfile.TemporaryDirectory() as folder, fake_tasks(folder):
        runs = Runs(Path(folder) / "runs")
        rows = [*log(runs, steps), *processes(runs), *monitor(runs)]
    print(f"{'':44s} {'measured':>12s}   target")
    for name, value, unit, target in rows:
        print(f"{name:44s} {value:9.3g} {unit:2s}   {target}")
    print(f"peak memory of this process {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024:.0f} MB")


@contextlib.contextmanager
def fake_tasks(folder: str) -> Iterator[None]:
    sys.path.insert(0, str(TASKS))
    os.environ.update(VOXLOOP_PLUGINS="fake_tasks,slow_tasks", PYTHONPATH=str(TASKS), VOXLOOP_QUEUE=folder)
    yield
    spare.dismiss_all()


def timed(fn: Callable[[], object], repeat: int) -> float:
    """Median seconds of one call."""
    taken = []
    for _ in range(repeat):
        begin = time.perf_counter()
        fn()
        taken.append(time.perf_counter() - begin)
    return statistics.median(taken)


def log(runs: Runs, steps: int) -> Iterator[tuple[str, float, str, str]]:
    run = runs.create("log", "fake_tasks:train", {})
    writer = EventWriter(run.path / "events.jsonl")
    context = RunContext(run.path, run.config, writer)
    numbers = iter(range(1, 10 * steps))

    def step() -> None:
        context.emit("step", iteration=next(numbers), loss=0.123456, lr=1e-3, samples_per_s=12.3)

    yield "one step event, on disk", 1e6 * timed(step, 5000), "us", "< 50"
    yield "looking for orders, once a step", 1e6 * timed(context.orders, 5000), "us", "< 50"
    for _ in range(steps):
        step()
    path = run.path / "events.jsonl"
    begin = time.perf_counter()
    history = fold(History(), EventReader(path).read())
    taken = time.perf_counter() - begin
    yield f"reading {len(history.steps):,} steps from nothing", taken, "s", "-"
    yield "   a million steps would take", taken * 1e6 / len(history.steps), "s", "< 10"
    held = Run(run.path)
    _ = held.history

    def next_look() -> None:
        step()
        _ = held.history

    yield "one more event, seen by a reader", 1e6 * timed(next_look, 500), "us", "< 500"
    yield "asking for the state", 1e6 * timed(lambda: held.state, 500), "us", "< 1000"


def processes(runs: Runs) -> Iterator[tuple[str, float, str, str]]:
    def first_event(run: Run, kind: str) -> float:
        begin = time.perf_counter()
        run.launch()
        while not any(event["kind"] == kind for event in run.events()):
            time.sleep(0.005)
        return time.perf_counter() - begin

    cold = runs.create(None, "fake_tasks:train", {"steps": 50})
    yield "launch to first event, cold", first_event(cold, "started"), "s", "< 1"
    cold.wait()
    spare.NEEDED_GB = 0.0
    Runs.warm("slow_tasks:train")
    time.sleep(3)
    warm = runs.create(None, "slow_tasks:train", {})
    yield "launch to first word of a slow import, spare", first_event(warm, "log"), "s", "< 0.3"
    warm.wait()


def monitor(runs: Runs) -> Iterator[tuple[str, float, str, str]]:
    from voxloop.panels.base.ui import UiLoop
    from voxloop.panels.monitor.monitor_panel import MonitorPanel

    run = runs["log"]
    writer = EventWriter(run.path / "events.jsonl")
    with UiLoop.using(UiLoop(synchronous=True)):
        panel = MonitorPanel(run)
        number = run.history.iteration

        def look() -> None:
            nonlocal number
            number += 1
            writer.emit("step", iteration=number, loss=0.1, lr=1e-3, samples_per_s=9.0)
            panel.refresh()

        yield f"monitor: one look at {number:,} steps", 1e3 * timed(look, 30), "ms", "< 50"
        yield "monitor: one look, nothing new", 1e3 * timed(panel.refresh, 100), "ms", "< 3"
        panel.close()


if __name__ == "__main__":
    main()
