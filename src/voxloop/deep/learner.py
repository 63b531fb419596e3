"""The task of a deep training run: device, data, model, optimiser, loop. Knows no widget; speaks by its context."""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from voxloop.config.deep import DeepConfig
from voxloop.deep import checkpoint
from voxloop.deep.augment import Augmenter
from voxloop.deep.averaging import WeightAverage
from voxloop.deep.data import TrainingData, open_data
from voxloop.deep.device import autocast, cores, laid_out, placed, resolve_precision
from voxloop.deep.examination import examine
from voxloop.deep.forecast import check_memory, ran_out
from voxloop.deep.instances import Criterion, criterion_of, output_of
from voxloop.deep.model import load, write
from voxloop.deep.networks import AnyNetwork, build, count_parameters, field_of
from voxloop.deep.optimisers import hold_encoder
from voxloop.deep.optimisers import optimiser as make_optimiser
from voxloop.deep.predictor import Normalisation, Zoom
from voxloop.deep.prefetch import Prefetcher
from voxloop.deep.preparation import Preparation
from voxloop.deep.reporter import Reporter
from voxloop.deep.sampling import Mining, WindowSampler
from voxloop.deep.schedule import drops, rate
from voxloop.deep.starting import Arrangement, arrange, load_start, measure_intensities
from voxloop.deep.state import LIVE, TrainingState
from voxloop.deep.teacher import Pool, wanted
from voxloop.deep.team import Team, own_device, team_of
from voxloop.deep.validation import Tally, draw_sample, evaluate
from voxloop.deep.windows import validation_places, validation_window
from voxloop.errors import ConfigError, RunError
from voxloop.geometry import Shape
from voxloop.model import ModelSpec

#: optimiser steps after which their time is known well enough to plan with
_PLAN_AFTER = 10
#: windows that judge the network after every epoch, at most; fewer where they hold more voxels than a plane
_VALIDATION_WINDOWS, _FEWEST, _PLANE = 24, 6, 2**16
#: times a run goes back to its last good state before it gives up
_FAILURES = 3


def train(context: Any) -> str:
    """Train a network on the labels that ``context.config`` names.

    Ends with ``"finished"``, or as ordered with ``"stopped"``, ``"cancelled"`` or ``"paused"``.

    Continues from ``checkpoints/last`` where there is one. On a CPU with the same number of threads the weights are
    bit for bit those of a run that was never interrupted, unless ``max_minutes`` lets the clock decide on the end.
    """
    config = DeepConfig.from_json(context.settings)
    with team_of(config, context) as team:
        return _train(context, config, team)


def _train(context: Any, config: DeepConfig, team: Team) -> str:
    folder = context.path / "checkpoints"
    found = checkpoint.find(folder, "last")
    tensors, saved = checkpoint.load(found) if found else ({}, {})

    # device
    device = own_device(config, team)
    precision = resolve_precision(config.precision, device)
    threads = config.threads or saved.get("threads") or max(1, cores() // team.size)
    torch.set_num_threads(threads)
    torch.manual_seed(config.seed)

    # data
    data = open_data(context, config, saved.get("split"))
    plan = arrange(config, data, saved.get("window"))
    geometry, description = plan.geometry, plan.description
    sampler = WindowSampler.of(config, data, geometry)
    mining = Mining(sampler) if config.hard_examples else None
    statistics = saved.get("normalisation") or measure_intensities(data, geometry, config.seed)
    prepare = Preparation(Normalisation.of(statistics, data.channels, geometry.slices), plan.zoom, device)
    augment = Augmenter(config.augmentation, config.seed, geometry.slices, plan.spacing)
    many = min(_VALIDATION_WINDOWS, max(_FEWEST, _VALIDATION_WINDOWS * _PLANE // geometry.voxels))
    places = validation_places(data.images, geometry, many, config.seed)
    cells = sum(len(image.split.judging) for image in data.images)
    held_out = [prepare(*_batched(validation_window(data.images, place, geometry))) for place in places]

    # model
    network = build(description, None if found else config.encoder_weights)
    if config.start_from and not found:
        load_start(network, description, config.start_from, context, output_of(config, data)[0])
    spec: ModelSpec | None = None
    placed(network, device).train()
    if not found:
        check_memory(network, config, plan.window, device)
    average = WeightAverage(network, config.average_weights)
    criterion = criterion_of(config, data, plan.spacing, device)

    teacher_folder = folder / ("teacher" if team.leads else f"teacher-{team.rank}")
    pool = Pool(config, data, geometry, prepare, plan.zoom, teacher_folder) if wanted(config, data) else None

    # optimiser
    optimiser = make_optimiser(config, network)
    state = TrainingState.from_json(saved["state"]) if found else TrainingState.begin(config)
    tally = Tally(len(data.classes), device)
    if found:
        checkpoint.unpack(tensors, saved["groups"], network, average.module, optimiser)
        tally.restore(saved["tally"])
        if pool:
            blocks, full = saved["pool"]
            pool.restore(tensors, blocks, full, context)
        if mining:
            mining.restore(saved["mining"])

    together = team.joined(network)

    # loop
    reporter = Reporter(context, state, [info.name for info in data.classes])
    reporter.begin(data, description, count_parameters(network), plan.window, threads, device, resumed=bool(found))

    def save(name: str = "last") -> None:
        if not team.leads:
            return
        packed, groups = checkpoint.pack(network, average.module, optimiser)
        packed |= pool.tensors() if pool else {}
        checkpoint.save(folder / name, packed, {
            "state": reporter.clocked().to_json(), "groups": groups, "tally": tally.to_json(), "split": data.held(),
            "normalisation": statistics, "threads": threads, "window": list(plan.window),
            "versions": {"torch": torch.__version__},
            "pool": (pool.blocks, pool.full) if pool else None, "mining": mining.to_json() if mining else None,
        })  # fmt: skip
        reporter.checkpoint(name)

    def keep_model() -> None:
        state.kept = True
        if not team.leads:
            return
        nonlocal spec  # made late: probing the receptive field would put off the first step
        spec = spec or _spec(config, data, plan, statistics, network)
        write_model(context.path / "model", spec, average.module)

    if not found:
        save()

    def descend(batches: Prefetcher[tuple[np.ndarray, np.ndarray]]) -> Tensor:
        """Add up the gradients of a step; its loss."""
        total = torch.zeros((), device=device)
        for micro in range(state.accumulation):
            index = state.step * state.accumulation + micro
            raw, marked = batches(index)
            told = pool.share(index, state.batch) if pool else 0
            own, mine = state.batch - told, team.part(state.batch)
            cut = max(0, min(own, mine.stop) - mine.start)
            parts = [prepare(raw[:cut], marked[:cut])] if cut else []
            if pool and mine.stop > own:
                seen, said = pool.batch(index, told)
                here = slice(max(0, mine.start - own), mine.stop - own)
                parts.append((seen[here], said[here]))
            pixels, labels = parts[0] if len(parts) == 1 else (torch.cat(part) for part in zip(*parts, strict=True))
            pixels, labels = augment(pixels, labels, index * team.size + team.rank)
            with autocast(device, precision):
                logits = together(laid_out(pixels))
            logits, labels = team.whole(logits, labels)
            loss = criterion(logits[:own], labels[:own])
            if own:
                tally.add(*criterion.scored(logits[:own], labels[:own]), loss)
            if mining:
                with torch.no_grad():
                    each = [criterion(logits[i : i + 1], labels[i : i + 1]).item() for i in range(own)]
                mining.note(index, each)
            if told:
                weight = config.teacher_weight / (1 + config.teacher_weight) if own else 1.0
                loss = (1 - weight) * loss + weight * criterion(logits[own:], labels[own:])
            (loss / state.accumulation).backward()
            total += loss.detach() / state.accumulation
        return total

    def prefetch() -> Prefetcher[tuple[np.ndarray, np.ndarray]]:
        size, mine = state.batch, team.part(state.batch)

        def cut(index: int) -> tuple[np.ndarray, np.ndarray]:
            own = size - (pool.share(index, size) if pool else 0)  # by the time it is needed not more, perhaps fewer
            return sampler.batch(index, max(1, min(own, mine.stop) - mine.start), mine.start)

        return Prefetcher(cut, config.workers)

    batches = prefetch()
    try:
        while state.step < state.total:
            for order in team.orders(context):
                if order.kind == "update":
                    _update(state, order, context)
                    continue
                if order.kind == "pause":
                    save()
                if order.kind == "stop" and not state.kept:
                    keep_model()
                return {"pause": "paused", "stop": "stopped", "cancel": "cancelled"}[order.kind]

            if pool and state.step and not pool.full:
                pool.start(context)
                due = state.step % state.per_epoch == 0 and pool.blocks < state.epoch  # not when the machine is done
                if due and not pool.arrived():
                    time.sleep(0.02)
                    if team.size == 1:
                        continue
                    while not pool.arrived():  # all of a team wait here, and hear orders again at the next step
                        time.sleep(0.02)

            now = rate(config, state)
            for group in optimiser.param_groups:
                group["lr"] = now
            hold_encoder(network, state.epoch < config.freeze_encoder_epochs)
            optimiser.zero_grad(set_to_none=True)
            try:
                total = descend(batches)
            except RuntimeError as error:
                if team.size > 1 or not ran_out(error):
                    raise
                _halve(state, context)
                batches.close()
                batches = prefetch()
                continue
            if config.gradient_clip:
                nn.utils.clip_grad_norm_(network.parameters(), config.gradient_clip)
            optimiser.step()
            average.update(state.step)
            state.step += 1

            ends_epoch = state.step % state.per_epoch == 0 or state.step == state.total
            if not team.agree(reporter.step(total, now, state.batch * state.accumulation, now=ends_epoch)):
                state, tensors = _go_back(state, folder, network, average, optimiser, tally, context)
                reporter.state = state
                continue
            if not state.planned and state.step >= _PLAN_AFTER:
                _plan(state, config, reporter, average, held_out, criterion, len(data.classes))
                state.total, state.per_epoch = team.agree((state.total, state.per_epoch))
                ends_epoch = state.step % state.per_epoch == 0 or state.step == state.total
            if ends_epoch:
                began = time.monotonic()
                state.epoch += 1
                best = True
                scores = None
                if held_out:
                    with average.evaluating() as judged, autocast(device, precision):
                        scores = team.agree(evaluate(judged, held_out, criterion, len(data.classes)))
                        samples = [
                            (pixels, *criterion.scored(judged(pixels), labels))
                            for pixels, labels in held_out[: config.samples]
                        ]
                    best = state.judge(scores.mean_iou, scores.loss, cells)
                    for number, (pixels, logits, labels) in enumerate(samples if team.leads else []):
                        name = f"samples/{state.epoch:05d}-{number}.png"
                        draw_sample(
                            context.path / name, pixels[0], labels[0], logits[0], [info.color for info in data.classes]
                        )
                        reporter.sample(name, number)
                reporter.epoch(tally.scores(), scores, best)
                tally = Tally(len(data.classes), device)
                if best:
                    keep_model()
                if mining:
                    mining.turn()
                    batches.close()  # what was prepared ahead knew other windows
                    batches = prefetch()
                if pool:
                    with average.evaluating() as judged, autocast(device, precision):
                        pool.relabel(judged, state.epoch, state.step / state.total)
                if drops(config, state):
                    state.rate_scale *= config.drop_factor
                if config.keep_every and state.epoch % config.keep_every == 0:
                    save(f"epoch-{state.epoch:05d}")
                if config.max_minutes:  # the machine may have slowed down since the plan was made
                    left = 60 * config.max_minutes - reporter.clocked().elapsed
                    busy = pool is not None and state.epoch <= pool.blocks + 1  # the teacher took time until now
                    early = 2 * state.step < state.total  # or something else did; later the learning rate would jump
                    state.fit_into(left, reporter.step_seconds(), time.monotonic() - began, longer=busy or early)
                    state.total, state.per_epoch = team.agree((state.total, state.per_epoch))
                if state.exhausted:
                    context.emit("log", text=f"no improvement in {state.plateau} epochs: the best model is kept")
                    break
            if reporter.checkpoint_due(config.checkpoint_minutes):
                save()
        save()
        if not state.kept:
            keep_model()
        if not team.leads:
            return "finished"
        verdict = examine(kept_network(context.path, device), data, geometry, prepare, sampler, criterion, config.seed)
        if verdict:
            context.emit("test", **verdict)
        return "finished"
    finally:
        batches.close()
        if pool:
            pool.close()
        reporter.flush()


def _batched(pair: tuple[np.ndarray, np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    return pair[0][None], pair[1][None]


def _spec(
    config: DeepConfig, data: TrainingData, plan: Arrangement, statistics: dict[str, Any], network: AnyNetwork
) -> ModelSpec:
    reach, zoom = field_of(network, plan.description), plan.zoom
    classes, output = output_of(config, data)
    stride = network.stride if isinstance(network.stride, tuple) else (1, network.stride, network.stride)
    return ModelSpec(
        learner="deep", channels=data.channels, classes=classes,
        spacing_um=data.spacing_um, outputs=(output,), dimensions=plan.geometry.spatial,
        stride=_on_image(stride, zoom), halo=None if reach is None else _on_image(reach, zoom, config.neighbours // 2),
        window=_on_image(plan.window, zoom), normalisation=statistics,
        extra={
            "network": plan.description.to_json(), "slices": config.neighbours, "scale": plan.scale,
            "zoom": list(zoom), "title": plan.description.title, "target": config.target,
            **({"axes": config.axes} if len(config.across) > 1 else {}),
            **({"constrain": config.constrain} if config.constrain else {}),
        },
    )  # fmt: skip


def _on_image(size: Sequence[int], zoom: Zoom, more: int = 0) -> Shape:
    """Voxels of the network as voxels of the image, rounded up; ``more`` slices along z."""
    z, y, x = (math.ceil(n / factor) for n, factor in zip(size, zoom, strict=True))
    return z + more, y, x


def kept_network(run: Path, device: torch.device) -> nn.Module:
    """The network that a run keeps, in evaluation mode."""
    return placed(load(run / "model")._built(), device).eval()


def write_model(folder: Path, spec: ModelSpec, network: nn.Module) -> None:
    """Put a model folder in place of the one there is."""
    temporary = folder.with_name(f".{folder.name}.new")
    write(temporary, spec, network.state_dict())
    checkpoint.replace(temporary, folder)


def _update(state: TrainingState, order: Any, context: Any) -> None:
    """Take the live settings of an order; what cannot change is said, not ignored."""
    for name, value in order.values.items():
        if name not in LIVE:
            context.emit(
                "warning",
                text=f"{name!r} cannot change while a run is running; {', '.join(LIVE)} can",
                order=order.name,
            )
            continue
        try:
            value = getattr(DeepConfig(**{name: value}), name)
        except ConfigError as error:
            context.emit("warning", text=str(error), order=order.name)
            continue
        context.emit("updated", what=name, old=state.live[name], new=value, order=order.name)
        state.update(name, value)


def _plan(
    state: TrainingState, config: DeepConfig, reporter: Reporter, average: WeightAverage, held_out: list[Any],
    criterion: Criterion, judged_classes: int,
) -> None:  # fmt: skip
    """Fit the run into its time, from the speed seen so far."""
    begin = time.perf_counter()
    if held_out:
        with average.evaluating() as judged:
            evaluate(judged, held_out, criterion, judged_classes)
    seconds = time.perf_counter() - begin
    state.fit_into((config.max_minutes or 0) * 60 - reporter.clocked().elapsed, reporter.step_seconds(), seconds)
    reporter.log(f"{state.total} steps of {reporter.step_seconds():.2f} s fit into {config.max_minutes:g} minutes")


def _halve(state: TrainingState, context: Any) -> None:
    """After running out of memory: smaller batches, more of them. Raises RunError where they cannot be smaller."""
    if state.batch == 1:
        raise RunError("there is not enough memory for a single window; use a smaller window, or a smaller network")
    state.halve()
    if torch.cuda.is_available():
        torch.cuda.empty_cache()
    context.emit(
        "warning", text=f"out of memory: goes on with batch_size {state.batch} and accumulation {state.accumulation}, "
        f"the same number of windows a step",
    )  # fmt: skip


def _go_back(
    state: TrainingState, folder: Path, network: nn.Module, average: WeightAverage, optimiser: torch.optim.Optimizer,
    tally: Tally, context: Any,
) -> tuple[TrainingState, dict[str, Tensor]]:  # fmt: skip
    """After a loss that is no number: the last good state, at half the learning rate."""
    failures = state.failures + 1
    if failures > _FAILURES:
        raise RunError(f"the loss was no number {failures} times; use a smaller learning_rate, or precision='float32'")
    last = checkpoint.find(folder, "last")
    assert last is not None  # written before the first step
    tensors, saved = checkpoint.load(last)
    bad = state.step
    state = replace(TrainingState.from_json(saved["state"]), failures=failures, rate_scale=state.rate_scale / 2)
    checkpoint.unpack(tensors, saved["groups"], network, average.module, optimiser)
    tally.restore(saved["tally"])
    context.emit(
        "warning", text=f"the loss was no number at step {bad}: back to step {state.step}, at half the learning rate"
    )
    context.emit("resumed", step=state.step)
    return state, tensors
