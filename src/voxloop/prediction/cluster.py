"""Tiles on a dask cluster: a window of futures, never a graph of the volume. The run's process keeps only the record.

What workers share with it is a file system: they read the image and write chunks where the workspace lies. The model
travels once to each worker, by its content. A tile whose worker dies is given to another; a run that dies goes on from
its record, as a local one does.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import CancelledError
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from voxloop.config import PredictConfig
from voxloop.errors import DiskFullError, PredictionError
from voxloop.geometry import Box, Shape
from voxloop.prediction.executor import Done, run_tiles
from voxloop.prediction.job import PredictionJob, Prepared, make_job
from voxloop.prediction.memory import allowed_bytes
from voxloop.prediction.output import FULL, PredictionOutput
from voxloop.prediction.plan import Plan, Tile
from voxloop.prediction.skipping import Skips

if TYPE_CHECKING:
    from distributed import Client, Future

#: tiles given out for each thread of a worker: one in work and one waiting, so that none waits for the scheduler
DEPTH = 2
#: seconds between two looks at orders while nothing is done
LOOK_S = 0.25
#: seconds that a scheduler has to answer
ANSWER_S = 15
#: a tile that has killed so many workers is to blame itself
DEATHS = 3
_DEADLY = f"{{}} has ended {DEATHS} workers, most likely for want of memory; give workers more, or set memory_gb lower"
#: share of a worker's memory limit that a prediction plans with: beyond 0.7 dask pauses it
SHARE = 0.6

#: addresses that a dask-gateway gives: its proxy, and behind the last slash the name of the cluster
GATEWAY = "gateway://"

Files = list[dict[str, bytes]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Ticket:
    """What a worker needs besides the model; small, JSON inside."""

    workspace: str
    image: str
    settings: dict[str, Any]
    region: list[list[int]] | None
    constrain: dict[str, Any] | None
    within: dict[str, Any] | None
    crowd: int
    target: str = ""
    plan: dict[str, Any] | None = None

    @property
    def key(self) -> str:
        facts = [self.workspace, self.image, self.settings, self.region, self.constrain, self.within]
        facts += [self.target, self.plan]
        return hashlib.sha256(json.dumps(facts, sort_keys=True, default=str).encode()).hexdigest()


class Cluster:
    """A dask scheduler and what has been given to it. Use as a context manager.

    Raises
    ------
    PredictionError
        distributed is not installed, or no scheduler answers at the address.
    """

    def __init__(self, address: str, folders: list[Path], ticket: Ticket) -> None:
        try:
            from distributed import Client
        except ImportError:
            raise PredictionError("engine: a dask cluster needs distributed; pip install 'voxloop[cluster]'") from None
        try:
            self.client: Client = (
                _through_gateway(address)
                if address.startswith(GATEWAY)
                else Client(address, timeout=ANSWER_S, set_as_default=False)
            )
        except (OSError, ValueError) as error:
            raise PredictionError(
                f"no dask scheduler answers at {address!r} ({error}); start one with 'dask scheduler', or use "
                "engine='local'"
            ) from None
        self.files: Files = [{p.name: p.read_bytes() for p in sorted(f.iterdir()) if p.is_file()} for f in folders]
        self.ticket = ticket
        self._model: Future | None = None
        self._looked_at, self._workers = -1.0, dict[str, dict[str, Any]]()

    def __enter__(self) -> Cluster:
        return self

    def __exit__(self, *exc: object) -> None:
        with contextlib.suppress(Exception):
            self.client.close(timeout=ANSWER_S)

    @property
    def dashboard(self) -> str:
        """Address of the page that shows the cluster at work."""
        return str(self.client.dashboard_link)

    def workers(self) -> dict[str, dict[str, Any]]:
        """The workers that are there, by address; asked anew once a second."""
        now = time.monotonic()
        if now - self._looked_at > 1 or not self._workers:
            self._looked_at, self._workers = now, dict(self.client.scheduler_info(n_workers=-1)["workers"])
        return self._workers

    def wait(self, halted: Callable[[], bool]) -> bool:
        """Until a worker is there; False where it was halted before."""
        while not self.workers():
            if halted():
                return False
            time.sleep(LOOK_S)
        return True

    def prepare(self, halted: Callable[[], bool] = lambda: False) -> Prepared | None:
        """Measure and plan on a worker: it is the workers' memory and speed that count. None where it was halted.

        A worker that leaves on the way is replaced by another. Raises PredictionError with the reason where it cannot
        be done.
        """
        for _ in range(DEATHS + 1):
            if not self.wait(halted):
                return None
            hosts = [str(facts.get("host")) for facts in self.workers().values()]
            self.ticket = replace(self.ticket, crowd=max((hosts.count(host) for host in hosts), default=1))
            future = self.client.submit(
                prepare_there, self._scatter(), self.ticket, pure=False, retries=DEATHS, **self._wishes()
            )
            while not future.done():
                if halted():
                    self.client.cancel([future], force=True)
                    return None
                time.sleep(LOOK_S)
            with contextlib.suppress(CancelledError):  # the model was lost with its workers
                return self._result_of(future)
            self._model = None
        raise PredictionError(_DEADLY.format("planning"))

    @staticmethod
    def _result_of(future: Any) -> Prepared:
        from distributed import KilledWorker

        try:
            prepared: Prepared = future.result()
        except KilledWorker as error:
            raise PredictionError(_DEADLY.format("planning")) from error
        except ImportError as error:
            raise PredictionError(
                f"the workers cannot import what they need ({error}); install voxloop there"
            ) from error
        return prepared

    def run(self, output: PredictionOutput, tiles: Iterator[Tile], halted: Callable[[], bool]) -> Iterator[Done]:
        """Predict tiles in their order; yields each once its chunks are written, not yet recorded.

        Raises
        ------
        DiskFullError
            There is no space for more chunks.
        PredictionError
            A tile killed one worker after another.
        """
        from distributed import wait

        ticket = replace(self.ticket, target=str(output.path), plan=output.plan.to_json())
        futures: dict[Any, Tile] = {}
        lost, more = deque[Tile](), True
        try:
            while True:
                while (more or lost) and len(futures) < self._window() and not halted():
                    tile = lost.popleft() if lost else next(tiles, None)
                    if tile is None:
                        more = False
                    else:
                        futures[self._submit(ticket, tile)] = tile
                if not futures:
                    if halted() or not (more or lost):
                        return
                    time.sleep(LOOK_S)  # no worker is there
                    continue
                with contextlib.suppress(TimeoutError, CancelledError), self.client.as_current():
                    wait(list(futures), timeout=LOOK_S, return_when="FIRST_COMPLETED")
                for future in [future for future in futures if future.done()]:
                    tile = futures.pop(future)
                    done = self._outcome(future, tile, output)
                    if done is None:  # the model was lost with its workers
                        lost.append(tile)
                    else:
                        yield done
                if halted() and futures:
                    self._give_up(futures)
        finally:
            self.client.cancel(list(futures), force=True)

    def _submit(self, ticket: Ticket, tile: Tile) -> Any:
        return self.client.submit(
            predict_there, self._scatter(), ticket, tile.index, pure=False, retries=DEATHS, **self._wishes()
        )

    def _give_up(self, futures: dict[Any, Tile]) -> None:
        """Take back what no worker has begun; what is begun is waited for."""
        at_work = {key for keys in self.client.processing().values() for key in keys}
        idle = [future for future in futures if future.key not in at_work]
        self.client.cancel(idle, force=True)
        for future in idle:
            futures.pop(future)

    def _outcome(self, future: Any, tile: Tile, output: PredictionOutput) -> Done | None:
        from distributed import KilledWorker

        try:
            broken, skipped = future.result()
        except CancelledError:
            self._model = None
            return None
        except KilledWorker as error:
            raise PredictionError(_DEADLY.format(f"tile {tile.index}")) from error
        except OSError as error:
            if error.errno in FULL:
                raise DiskFullError(output.needed()) from error
            raise
        return Done(tile, broken, skipped=skipped, recorded=False)

    def _scatter(self) -> Any:
        """The model on the workers; a worker that joins later fetches it from one that has it."""
        if self._model is None or self._model.status not in ("finished", "pending"):
            (self._model,) = self.client.scatter([self.files], broadcast=True, hash=True)
        return self._model

    def _wishes(self) -> dict[str, Any]:
        """Workers that declare a GPU are asked for one a tile."""
        gpus = any("GPU" in facts.get("resources", {}) for facts in self.workers().values())
        return {"resources": {"GPU": 1}} if gpus else {}

    def _window(self) -> int:
        return DEPTH * sum(int(facts["nthreads"]) for facts in self.workers().values())


def _through_gateway(address: str) -> Client:
    """A client of a cluster behind a dask-gateway, whose address and credentials dask's configuration holds."""
    try:
        from dask_gateway import Gateway
    except ImportError:
        raise PredictionError(f"{address} is behind a dask-gateway; pip install dask-gateway") from None
    client: Client = Gateway().connect(address.rpartition("/")[2]).get_client(set_as_default=False)
    return client


# --------------------------------------------------------------------------------------------------- on the workers


class _Opened:
    """A model, a volume and an output, opened once in a worker."""

    def __init__(self, files: Files, ticket: Ticket, hashed: str) -> None:
        from voxloop.prediction.resampled import prepare_model, shown_to
        from voxloop.store import Store
        from voxloop.store.teaching import area_inside

        self.stack = ExitStack()
        self.lock = threading.Lock()  # one tile in the model at a time: its threads are the worker's
        config = _adapt(PredictConfig.from_json(ticket.settings), ticket.crowd)
        models = _unpack(files, hashed)
        store = self.stack.enter_context(Store.open(ticket.workspace, read_only=True))
        picture = volume = store.images.open(ticket.image)
        model = prepare_model(models, config, volume)
        volume = shown_to(model.spec, volume)
        predictor = self.stack.enter_context(
            model.open(device=config.device, precision=config.precision, threads=config.threads)
        )
        region = Box.from_json(ticket.region) if ticket.region else None
        self.job: PredictionJob = make_job(model.spec, predictor, volume, config, region)
        area = area_inside(Path(ticket.workspace), ticket.constrain, ticket.image, ticket.within)
        self.skips = Skips(config, picture, None if area.everything else area)
        self.output = PredictionOutput(Path(ticket.target)) if ticket.target else None
        self.plan = Plan.from_json(ticket.plan) if ticket.plan is not None else None


_opened: dict[str, _Opened] = {}
_opening = threading.Lock()


def _open(files: Files, ticket: Ticket) -> _Opened:
    """What was opened for this ticket before, or opened now; another's is closed."""
    hashed = hashlib.sha256(b"".join(data for model in files for data in model.values())).hexdigest()
    key = ticket.key + hashed
    with _opening:
        if key not in _opened:
            for other in list(_opened):
                _opened.pop(other).stack.close()
            _opened[key] = _Opened(files, ticket, hashed)
        return _opened[key]


def prepare_there(files: Files, ticket: Ticket) -> Prepared:
    """Measure and plan, in a worker."""
    opened = _open(files, ticket)
    with opened.lock:
        return opened.job.prepare()


def predict_there(files: Files, ticket: Ticket, index: Shape) -> tuple[int, bool]:
    """Predict one tile and write its chunks, in a worker: how many voxels are broken, and whether it was skipped."""
    opened = _open(files, ticket)
    plan, output, job = opened.plan, opened.output, opened.job
    assert plan is not None
    assert output is not None

    call = job.caller(plan, lambda: False)

    def forward(batch: Any) -> Any:
        with opened.lock:
            return call(batch)

    def part(block: Any, core: Box) -> Any:
        with opened.lock:
            return job.part(block, core)

    (done,) = run_tiles(
        plan,
        [plan.tile_at(index)],
        read=job.read,
        forward=forward,
        forward_part=part if job.by_parts else None,
        decode=job.decode,
        write=lambda tile, decoded: output.put(tile, opened.skips.within(decoded, tile.core)),
        batch_voxels=max(plan.largest, plan.batch),
        empty=opened.skips.empty,
    )
    return done.broken, done.skipped


def _adapt(config: PredictConfig, crowd: int) -> PredictConfig:
    """Threads and memory of this worker, where nothing was said: its own, and its part of what the machine has."""
    threads, limit = config.threads, 0
    with contextlib.suppress(ImportError, ValueError):
        from distributed import get_worker

        worker = get_worker()
        threads = threads or worker.state.nthreads
        limit = int(getattr(worker.memory_manager, "memory_limit", None) or 0)
    memory: Any = config.memory_gb
    if memory == "auto":
        part = allowed_bytes("auto") // max(1, crowd)
        memory = max(0.05, (min(part, int(SHARE * limit)) if limit else part) / 1e9)
    elif limit:  # beyond it, dask ends the worker
        memory = min(memory, limit / 1e9)
    return config.changed(threads=threads, memory_gb=memory, engine="local")


def _unpack(files: Files, hashed: str) -> list[Any]:
    """The models, from files in the worker's own folder; written once a worker."""
    import tempfile

    from voxloop.model import load_model

    base = Path(tempfile.gettempdir())
    with contextlib.suppress(ImportError, ValueError):
        from distributed import get_worker

        base = Path(get_worker().local_directory)
    models = []
    for number, model in enumerate(files):
        folder = base / f"voxloop-model-{hashed[:32]}-{number}"
        if not (folder / "spec.json").exists():
            folder.mkdir(parents=True, exist_ok=True)
            for name, data in sorted(model.items(), key=lambda item: item[0] == "spec.json"):
                (folder / name).write_bytes(data)
        models.append(load_model(folder))
    return models
