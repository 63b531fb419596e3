"""The forecast of a prediction, measured in a process of its own, so that whoever asks loads no model.

``python -m voxloop.prediction.rehearsal`` reads the question as JSON from its standard input and answers with one line.
"""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from voxloop.config import PredictConfig
from voxloop.errors import PredictionError, VoxloopError
from voxloop.geometry import Region

if TYPE_CHECKING:
    from voxloop.prediction.budget import Forecast

#: a large model that is opened from a slow disk may take this long
PATIENCE_S = 180.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Estimate:
    """What a prediction will take on this machine.

    ``free_disk_bytes`` is what the workspace's disk has; ``waste`` how many voxels are computed for each that is kept;
    ``halo`` and ``block`` are voxels zyx; ``warnings`` what the model may not like about the volume; ``price`` how
    many times the model runs for each voxel, for turns and the models of an ensemble.
    """

    seconds: float
    memory_bytes: int
    allowed_bytes: int
    disk_bytes: int
    free_disk_bytes: int
    waste: float
    block: tuple[int, int, int]
    halo: tuple[int, int, int]
    tiles: int
    warnings: tuple[str, ...] = ()
    price: int = 1
    device_bytes: int = 0
    device_allowed_bytes: int = 0


class Rehearsal:
    """A forecast under way: :meth:`wait` for it from a thread, :meth:`cancel` it from another."""

    def __init__(
        self,
        workspace: Path,
        model: Path | Sequence[Path],
        image: str,
        config: PredictConfig,
        region: Region | None = None,
    ) -> None:
        box = None if region is None else [[part.start, part.stop] for part in region]
        models = [str(part) for part in ([model] if isinstance(model, Path) else model)]
        question = {"workspace": str(workspace), "models": models, "image": image, "region": box}
        self._process = subprocess.Popen(
            [sys.executable, "-m", "voxloop.prediction.rehearsal"],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        )  # fmt: skip
        self._question = json.dumps(question | {"settings": config.to_json()})

    def wait(self, timeout: float = PATIENCE_S) -> Estimate:
        """The forecast. Raises PredictionError with the reason where the prediction cannot be made as asked."""
        try:
            answer, log = self._process.communicate(self._question, timeout=timeout)
        except subprocess.TimeoutExpired:
            self.cancel()
            raise PredictionError(
                f"the model gave no answer within {timeout:.0f} s; the forecast is given up"
            ) from None
        try:
            found = json.loads(answer.strip().rpartition("\n")[2])
        except ValueError:
            last = log.strip().rpartition("\n")[2] or f"exit code {self._process.returncode}"
            raise PredictionError(f"the forecast could not be made: {last}") from None
        if "error" in found:
            raise PredictionError(found["error"])
        found |= {name: tuple(found[name]) for name in ("block", "halo", "warnings")}
        return Estimate(**found)

    def cancel(self) -> None:
        """End it; :meth:`wait` raises. Safe to call at any time."""
        with contextlib.suppress(ProcessLookupError):
            self._process.kill()


def answer(question: dict[str, Any]) -> Estimate:
    """Open model and image, measure, plan; what :class:`Rehearsal` asks for, in this process."""
    import shutil

    from voxloop.model import load_model
    from voxloop.prediction.averaged import price
    from voxloop.prediction.job import check_fit, make_job
    from voxloop.prediction.resampled import asked
    from voxloop.prediction.voted import votes_of
    from voxloop.store import Store

    config = PredictConfig.from_json(question["settings"])
    models = [load_model(folder) for folder in question["models"]]
    box = question["region"]
    with Store.open(question["workspace"], read_only=True) as store:
        volume = store.images.open(question["image"])
        model = asked(models, config, volume)
        warnings = check_fit(model.spec, volume)
        if config.engine == "local":
            with model.open(device=config.device, precision=config.precision, threads=config.threads) as predictor:
                job = make_job(model.spec, predictor, volume, config, box and tuple(slice(*part) for part in box))
                found, kept = job.rehearse()
        else:
            found, kept, threads = _on_workers(question, config)
            found = replace(found, seconds=found.seconds / threads)
        if not kept:
            warnings.append(f"no halo that fits keeps the tolerance of {config.tolerance:g}")
    return Estimate(
        seconds=found.seconds, memory_bytes=found.memory_bytes, allowed_bytes=found.allowed_bytes,
        disk_bytes=found.disk_bytes, free_disk_bytes=shutil.disk_usage(question["workspace"]).free, waste=found.waste,
        block=found.plan.block, halo=found.plan.halo, tiles=found.plan.count,
        device_bytes=found.device_bytes, device_allowed_bytes=found.device_allowed_bytes,
        warnings=tuple(warnings),
        price=price(model.spec, config.turns, len(models), votes_of(models[0].spec, config.votes)),
    )  # fmt: skip


def _on_workers(question: dict[str, Any], config: PredictConfig) -> tuple[Forecast, bool, int]:
    """The forecast that a worker makes, and how many workers share the time. Raises PredictionError without any."""
    from voxloop.prediction.cluster import Cluster, Ticket

    ticket = Ticket(
        workspace=question["workspace"], image=question["image"], settings=config.to_json(), region=question["region"],
        constrain=None, crowd=1,
    )  # fmt: skip
    with Cluster(config.engine, [Path(folder) for folder in question["models"]], ticket) as cluster:
        workers = cluster.workers()
        if not workers:
            raise PredictionError(
                f"the dask scheduler at {config.engine} has no worker yet; start one, then look again"
            )
        prepared = cluster.prepare()
        return prepared.found, prepared.kept, len(workers)


def main() -> None:
    with contextlib.suppress(OSError):
        os.nice(5)  # it must not make the picture stutter
    try:
        found: dict[str, Any] = asdict(answer(json.load(sys.stdin)))
    except VoxloopError as error:
        found = {"error": str(error)}
    sys.stdout.write(json.dumps(found) + "\n")


if __name__ == "__main__":
    main()
