"""The forecast of a prediction, measured in a process of its own, so that the kernel loads no model."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from voxloop.config import PredictConfig
from voxloop.errors import PredictionError, VoxloopError
from voxloop.geometry import Box
from voxloop.prediction.budget import PlannedForecast, duration, halo_warning, less_allowed
from voxloop.runs.errand import Errand, serve

if TYPE_CHECKING:
    from voxloop.model import Model
    from voxloop.prediction.averaged import Turns

#: a large model that is opened from a slow disk may take this long
PATIENCE_S = 180.0


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Estimate:
    """What a prediction will take on this machine.

    ``free_disk_bytes`` is what the workspace's disk has; ``waste`` how many voxels are computed for each that is kept;
    ``halo`` and ``block`` are voxels zyx; ``warnings`` what the model may not like about the volume; ``price`` how
    many times the model runs for each voxel, for turns and the models of an ensemble. Of several ``images`` time, disk
    and tiles are those of all, memory is the most that one of them takes, and blocks are those of the longest.
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
    images: int = 1

    @property
    def words(self) -> str:
        """All of it in a line."""
        gpu = f", {self.device_bytes / 1e9:.2g} GB of GPU memory" if self.device_allowed_bytes else ""
        parts = [
            f"{self.images} images" if self.images > 1 else "",
            f"about {duration(self.seconds)}",
            f"{self.memory_bytes / 1e9:.2g} of {self.allowed_bytes / 1e9:.2g} GB of memory{gpu}",
            f"{self.disk_bytes / 1e9:.2g} GB on disk where {self.free_disk_bytes / 1e9:.3g} GB are free",
            f"{self.tiles} tile{'' if self.tiles == 1 else 's'} in blocks of {' x '.join(map(str, self.block))} voxels",
            f"{self.waste:.2f} voxels computed for each one that is kept",
        ]
        words = "".join(f"; careful: {text}" for text in self.warnings)
        return ", ".join(filter(None, parts)) + words

    def __repr__(self) -> str:
        return f"<Estimate: {self.words}>"


class Rehearsal:
    """A forecast under way: :meth:`wait` for it from a thread, :meth:`cancel` it from another.

    ``image``: a name, or several, which are predicted one after the other.
    """

    def __init__(
        self,
        workspace: Path,
        model: Path | Sequence[Path],
        image: str | Sequence[str],
        config: PredictConfig,
        region: Box | None = None,
    ) -> None:
        box = None if region is None else region.to_json()
        models = [str(part) for part in ([model] if isinstance(model, Path) else model)]
        images = image if isinstance(image, str) else list(image)
        question = {"workspace": str(workspace), "models": models, "image": images, "region": box}
        self._errand = Errand("voxloop.prediction.rehearsal", question | {"settings": config.to_json()})

    def wait(self, timeout: float = PATIENCE_S) -> Estimate:
        """The forecast. Raises PredictionError with the reason where the prediction cannot be made as asked."""
        reply = self._errand.wait(
            timeout,
            PredictionError,
            f"the model gave no answer within {timeout:.0f} s; the forecast is given up",
            "the forecast could not be made",
        )
        reply |= {name: tuple(reply[name]) for name in ("block", "halo", "warnings")}
        return Estimate(**reply)

    def cancel(self) -> None:
        """End it; :meth:`wait` raises. Safe to call at any time."""
        self._errand.cancel()


def answer(question: dict[str, Any]) -> Estimate:
    """Open model and images, measure, plan; what :class:`Rehearsal` asks for, in this process."""
    import shutil

    from voxloop.model import load_model
    from voxloop.prediction.averaged import combine_models, price

    config = PredictConfig.from_json(question["settings"])
    models = [load_model(folder) for folder in question["models"]]
    model = combine_models(models, config.turns, config.votes)
    forecast = _forecast_here if config.engine == "local" else _forecast_on_workers
    parts, warnings, turns = forecast(question, config, model)
    longest = max(parts, key=lambda part: part.seconds)
    warnings += filter(None, [less_allowed(longest.allowed_bytes, config)])
    return Estimate(
        seconds=sum(part.seconds for part in parts),
        memory_bytes=max(part.memory_bytes for part in parts),
        allowed_bytes=longest.allowed_bytes,
        disk_bytes=sum(part.disk_bytes for part in parts),
        free_disk_bytes=shutil.disk_usage(question["workspace"]).free,
        waste=sum(part.work for part in parts) / sum(part.plan.voxels for part in parts),
        block=longest.plan.block,
        halo=longest.plan.halo,
        tiles=sum(part.plan.count for part in parts),
        device_bytes=max(part.device_bytes for part in parts),
        device_allowed_bytes=longest.device_allowed_bytes,
        warnings=tuple(warnings),
        images=len(parts),
        price=price(models[0].spec, turns, len(models), config.votes),
    )


def _forecast_here(
    question: dict[str, Any], config: PredictConfig, model: Model
) -> tuple[list[PlannedForecast], list[str], Turns]:
    """A forecast for each image, what the model may not like about them, and how one is turned, made on this machine.

    Of several images those that cannot be predicted are named in the warnings. Raises PredictionError where none can.
    """
    from voxloop.prediction.job import Costs, check_fit, make_job
    from voxloop.prediction.resampled import fit_open_model, shown_to
    from voxloop.store import Store

    images = [question["image"]] if isinstance(question["image"], str) else question["image"]
    box = question["region"] and Box.from_json(question["region"])
    forecasts, warnings, refused = list[PlannedForecast](), list[str](), list[VoxloopError]()
    costs, turns = Costs(), config.turns
    with (
        Store.open(question["workspace"], read_only=True) as store,
        model.open(device=config.device, precision=config.precision, threads=config.threads) as predictor,
    ):
        for image in images:
            name = f"{image}: " if len(images) > 1 else ""
            try:
                volume = store.images.open(image)
                shown, spaced_predictor, settled = fit_open_model(volume, model, predictor, config)
                volume = shown_to(shown.spec, volume)
                warnings += [f"{name}{text}" for text in check_fit(shown.spec, volume, look=True, region=box)]
                job = make_job(shown.spec, spaced_predictor, volume, settled, box)
                forecast, within_tolerance = job.rehearse(costs.of(job))
                turns = turns if turns not in ("auto", "none") else settled.turns
            except VoxloopError as error:
                refused.append(error)
                warnings.append(f"{name}{error}")
                continue
            forecasts.append(forecast)
            if not within_tolerance:
                warnings.append(f"{name}{halo_warning(config)}")
    if not forecasts:
        raise refused[0]
    return forecasts, warnings, turns


def _forecast_on_workers(
    question: dict[str, Any], config: PredictConfig, model: Model
) -> tuple[list[PlannedForecast], list[str], Turns]:
    """As :func:`_forecast_here`, by a worker for one image; workers share the time. No worker: PredictionError."""
    from voxloop.prediction.averaged import settle_turns
    from voxloop.prediction.cluster import Cluster, Ticket
    from voxloop.prediction.job import check_fit
    from voxloop.prediction.resampled import fit_model, shown_to
    from voxloop.store import Store
    from voxloop.volumes import shape_zyx

    with Store.open(question["workspace"], read_only=True) as store:
        volume = store.images.open(question["image"])
        turns = settle_turns(config, model.spec, shape_zyx(volume)).turns
        shown = fit_model(model, volume, config)
        volume = shown_to(shown.spec, volume)
        box = question["region"] and Box.from_json(question["region"])
        warnings = check_fit(shown.spec, volume, look=True, region=box)
    ticket = Ticket(
        workspace=question["workspace"],
        image=question["image"],
        settings=config.to_json(),
        region=question["region"],
        constrain=None,
        within=None,
        crowd=1,
    )
    with Cluster(config.engine, [Path(folder) for folder in question["models"]], ticket) as cluster:
        workers = cluster.workers()
        if not workers:
            raise PredictionError(
                f"the dask scheduler at {config.engine} has no worker yet; start one, then look again"
            )
        prepared = cluster.prepare()
        assert prepared is not None  # nothing halts it
        if not prepared.within_tolerance:
            warnings.append(halo_warning(config))
        return [replace(prepared.forecast, seconds=prepared.forecast.seconds / len(workers))], warnings, turns


def main() -> None:
    serve(lambda question: asdict(answer(question)))


if __name__ == "__main__":
    main()
