"""A region of a volume of 10^12 voxels: memory that its prediction takes, and when the first words come.

The sources are a zarr of a million chunks, a NumPy file of a terabyte (of which the disk keeps what is not 0), and a
dask array of a million blocks. Counted is the peak of resident memory beyond what the process weighs with its
libraries loaded.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

SIDE = 10_000
CHUNK = (64, 128, 128)
ALLOWED_MB, FIRST_S = 400.0, 3.0
#: a cube with something in it, and the region that is predicted
PLACE = (slice(5000, 5016), slice(5000, 5128), slice(5000, 5128))
REGION = (slice(5000, 5064), slice(4960, 5216), slice(4960, 5216))


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="the zarr alone")
    parser.add_argument("--measure", nargs=2, metavar=("KIND", "FOLDER"), help=argparse.SUPPRESS)
    chosen = parser.parse_args()
    if chosen.measure:
        measure(chosen.measure[0], Path(chosen.measure[1]))
        return 0
    from voxloop.runs.process import environment

    print(f"{'source':>8} {'more MB':>8} {'first words':>12} {'first tile':>11}")
    good = True
    for kind in ("zarr",) if chosen.quick else ("zarr", "numpy", "dask"):
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder)
            prepare("zarr" if kind == "dask" else kind, path)
            command = [sys.executable, "-m", "benchmarks.huge", "--measure", kind, folder]
            found = json.loads(subprocess.check_output(command, text=True, env=environment()).splitlines()[-1])
            words, tile = ("-", "-") if kind == "dask" else first_answers(path)
            print(f"{kind:>8} {found:8.0f} {words:>12} {tile:>11}", flush=True)
            good &= found < ALLOWED_MB and (words == "-" or float(words[:-2]) < FIRST_S)
    print(f"wanted: less than {ALLOWED_MB:g} MB, first words within {FIRST_S:g} s")
    return 0 if good else 1


def prepare(kind: str, folder: Path) -> None:
    """A workspace over the source, with a pixel classifier as it is by itself."""
    import zarr

    from voxloop import ShallowConfig, Workspace

    texture = np.random.default_rng(0).integers(60, 200, (16, 128, 128), np.uint8)
    path = folder / ("big.npy" if kind == "numpy" else "big.zarr")
    shape = (SIDE,) * 3
    if kind == "numpy":
        mapped = np.lib.format.open_memmap(path, mode="w+", dtype=np.uint8, shape=shape)
        mapped[PLACE] = texture
        mapped.flush()
    else:
        zarr.create_array(store=str(path), shape=shape, chunks=CHUNK, dtype="uint8", fill_value=90)[PLACE] = texture
    with Workspace.create(folder / "ws", image=path, classes=["a", "b"], spacing=(0.01,) * 3) as ws:
        labels = ws.labels()
        for index in (5004, 5010):
            labels.paint(index=index, points=[(5020, 5020), (5020, 5060)], radius=5, value="a")
            labels.paint(index=index, points=[(5090, 5020), (5090, 5060)], radius=5, value="b")
        trained = ws.train(ShallowConfig(), name="t")
        assert trained.wait(600) == "finished", trained.log_tail(9)


def first_answers(folder: Path) -> tuple[str, str]:
    """Seconds from the call to the first words of a run in a process of its own, and to its first tile."""
    from voxloop import Workspace

    with Workspace.open(folder / "ws") as ws:
        began = time.time()
        run = ws.predict("t", region=REGION, name="timed")
        assert run.wait(600) == "finished", run.log_tail(9)
    events = [json.loads(line) for line in (run.path / "events.jsonl").read_text().splitlines()]
    words = next(event["time"] for event in events if event["kind"] == "log")
    tile = next(event["time"] for event in events if event["kind"] == "progress")
    return f"{words - began:.1f} s", f"{tile - began:.1f} s"


def measure(kind: str, folder: Path) -> None:
    """Print the megabytes that a prediction takes in this process, its libraries loaded beforehand."""
    import dask.array as da
    import sklearn.ensemble  # noqa: F401

    import voxloop.shallow.learner  # noqa: F401
    from voxloop import Workspace, load_model, predict
    from voxloop.prediction import task
    from voxloop.prediction.memory import peak_memory
    from voxloop.runs.context import RunContext
    from voxloop.runs.events import EventWriter
    from voxloop.runs.run import Run

    if kind == "dask":
        lazy = da.from_zarr(str(folder / "big.zarr"))
        with peak_memory() as peak:
            found = predict(load_model(folder / "ws/runs/t/model"), lazy)[:, *REGION].values
            assert np.isfinite(found).all()
    else:
        Run.launch = lambda self, queue=True: self
        with Workspace.open(folder / "ws") as ws:
            path = ws.predict("t", region=REGION, name="measured").path
        context = RunContext(path, json.loads((path / "config.json").read_text()), EventWriter(path / "events.jsonl"))
        with peak_memory() as peak:
            assert task.run(context) == "finished"
    print(json.dumps(peak.bytes / 1e6))


if __name__ == "__main__":
    sys.exit(main())
