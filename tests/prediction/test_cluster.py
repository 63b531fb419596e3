"""The same prediction on a dask cluster of two processes: equal, and none the worse for a worker that is killed."""

from __future__ import annotations

import json
import os
import signal
import threading
import time

import numpy as np
import pytest
from tests.prediction.conftest import SHAPE
from tests.prediction.fakes import FakeModel, fake_learner, make_spec

from voxloop.config import PredictConfig
from voxloop.errors import ConfigError, PredictionError
from voxloop.prediction import cluster as clusters
from voxloop.prediction import task
from voxloop.prediction.decode import semantic
from voxloop.prediction.plan import whole
from voxloop.prediction.reading import read_outer
from voxloop.runs import orders
from voxloop.volumes import open_volume

distributed = pytest.importorskip("distributed")


@pytest.fixture(scope="module")
def cluster():
    """Two worker processes of one thread, each with what calls itself a GPU."""
    from pathlib import Path

    known = [path for path in os.environ.get("PYTHONPATH", "").split(os.pathsep) if path]
    before = os.environ.get("PYTHONPATH")
    os.environ["PYTHONPATH"] = os.pathsep.join([str(Path(__file__).parents[2]), *known])
    with (
        distributed.LocalCluster(
            n_workers=2, threads_per_worker=1, processes=True, dashboard_address="127.0.0.1:0", resources={"GPU": 1}
        ) as made,
        distributed.Client(made, set_as_default=False) as client,
    ):
        client.register_plugin(fake_learner(), name="fake-learner")
        yield client
    os.environ.pop("PYTHONPATH")
    if before is not None:
        os.environ["PYTHONPATH"] = before


def address(client):
    return client.scheduler.address


def expected(bench, spec):
    model = FakeModel(spec)
    block = whole(SHAPE, model.spec.stride)
    p = model.predict(read_outer(open_volume(bench.picture), block.outer))[:, *block.core.slices]
    return semantic(p, np.arange(1, len(p) + 1, dtype=np.uint8))


def test_a_cluster_gives_the_same_and_says_where_to_watch(bench, cluster):
    spec = make_spec(classes=3)
    run = bench.create(spec=spec, engine=address(cluster))
    assert task.run(bench.context(run)) == "finished"
    found, wanted = run.result, expected(bench, spec)
    assert found.done == 1.0
    assert np.array_equal(found.labels.values, wanted.labels)
    assert np.array_equal(found.probabilities.values, wanted.probabilities)
    assert np.array_equal(found.uncertainty.values, wanted.uncertainty)
    assert found.seam["largest"] < 1e-6
    said = [event for event in bench.events(run, "log") if "dashboard" in event]
    assert "2 workers" in said[0]["text"]
    assert said[0]["dashboard"].startswith("http")
    progress = bench.events(run, "progress")[-1]
    assert progress["done"] == progress["total"] == found.plan.count


def test_the_model_travels_once_to_each_worker(bench, cluster):
    run = bench.create(name="once", engine=address(cluster))
    assert task.run(bench.context(run)) == "finished"

    def kept(dask_worker):
        from pathlib import Path

        return [p.name for p in Path(dask_worker.local_directory).glob("voxloop-model-*")]

    folders = cluster.run(kept)
    assert len(folders) == 2
    names = set.union(*(set(found) for found in folders.values()))
    again = bench.create(name="twice", engine=address(cluster))
    assert task.run(bench.context(again)) == "finished"
    assert set.union(*(set(found) for found in cluster.run(kept).values())) == names


def test_a_worker_killed_on_the_way_loses_nothing(bench, cluster):
    spec = make_spec(delay=0.15, classes=2)
    run = bench.create(name="killed", spec=spec, engine=address(cluster))
    pids = cluster.run(os.getpid)
    context, killed = bench.context(run), []
    emit = context.emit

    def listening(kind, **fields):
        emit(kind, **fields)
        if kind == "progress" and 2 <= fields["done"] < fields["total"] and not killed:
            killed.append(next(iter(pids.values())))
            os.kill(killed[0], signal.SIGKILL)

    context.emit = listening
    with pytest.MonkeyPatch.context() as patch:
        from voxloop.prediction import prediction_loop

        patch.setattr(prediction_loop, "PROGRESS_EVERY", 0.0)
        assert task.run(context) == "finished"
    assert killed
    found, wanted = run.result, expected(bench, spec)
    assert found.done == 1.0
    assert np.array_equal(found.labels.values, wanted.labels)
    assert np.array_equal(found.probabilities.values, wanted.probabilities)
    cluster.wait_for_workers(2, timeout=60)


def planning(cluster):
    """Addresses of the workers that measure and plan."""
    return [where for where, keys in cluster.processing().items() if any("prepare_there" in str(key) for key in keys)]


def test_workers_that_leave_while_it_is_planned_are_replaced(bench, cluster):
    spec = make_spec(delay=0.3, classes=2)
    run = bench.create(name="left", spec=spec, engine=address(cluster))
    pids = cluster.run(os.getpid)

    def kill_all():  # the model that was given to them is lost as well
        until(lambda: planning(cluster))
        for pid in pids.values():
            os.kill(pid, signal.SIGKILL)

    killer = threading.Thread(target=kill_all)
    killer.start()
    assert task.run(bench.context(run)) == "finished"
    killer.join()
    found, wanted = run.result, expected(bench, spec)
    assert found.done == 1.0
    assert np.array_equal(found.labels.values, wanted.labels)
    cluster.wait_for_workers(2, timeout=60)


def test_orders_are_obeyed_while_it_is_planned(bench, cluster):
    run = bench.create(name="ordered", spec=make_spec(delay=1.0), engine=address(cluster))
    context = bench.context(run)
    orders.give(run.path / "control", "update", {"focus": [0, 0, 0]})  # no reason to end

    def pause():
        until(lambda: planning(cluster))
        orders.give(run.path / "control", "pause")

    orderer = threading.Thread(target=pause)
    orderer.start()
    assert task.run(context) == "paused"
    orderer.join()
    assert not (bench.path / "predictions").exists()
    until(lambda: not planning(cluster))


def until(condition, seconds=60):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "never happened"
        time.sleep(0.02)


def test_stop_keeps_what_is_done_and_resume_does_the_rest(bench, cluster):
    spec = make_spec(delay=0.1)
    run = bench.create(name="paused", spec=spec, engine=address(cluster))
    context = bench.context(run)
    emit = context.emit

    def listening(kind, **fields):
        emit(kind, **fields)
        if kind == "progress" and fields["done"] == 1:
            orders.give(run.path / "control", "pause")

    context.emit = listening
    with pytest.MonkeyPatch.context() as patch:
        from voxloop.prediction import prediction_loop

        patch.setattr(prediction_loop, "PROGRESS_EVERY", 0.0)
        assert task.run(context) == "paused"
    half = run.open_result()
    assert 0 < half.done < 1
    record, wanted = half.tiles_done(), expected(bench, spec)
    for tile in half.plan.tiles():
        if record[tile.index]:
            assert np.array_equal(half.labels.values[tile.core.slices], wanted.labels[tile.core.slices])
    context.emit("paused", orders=context.unanswered())
    assert task.run(bench.context(run)) == "finished"
    assert np.array_equal(run.open_result().labels.values, wanted.labels)


def test_what_cannot_be_done_on_the_workers_comes_back_as_one_sentence(bench, cluster):
    run = bench.create(name="large", spec=make_spec(known=False), engine=address(cluster), memory_gb=0.001)
    with pytest.raises(PredictionError, match="does not fit"):
        task.run(bench.context(run))


def test_the_forecast_is_made_on_a_worker(bench, cluster):
    from voxloop.prediction.rehearsal import answer

    run = bench.create(name="asked", engine=address(cluster))
    question = {
        "workspace": str(bench.path),
        "models": [str(bench.path / "models" / "asked")],
        "image": "image",
        "region": None,
        "settings": json.loads((run.path / "config.json").read_text())["settings"],
    }
    found = answer(question)
    assert found.tiles > 0
    assert found.seconds > 0
    assert found.allowed_bytes <= 0.6 * 24e9
    question["settings"]["memory_gb"] = 10_000
    limits = cluster.run(lambda dask_worker: dask_worker.memory_manager.memory_limit)
    greedy = answer(question)
    assert greedy.allowed_bytes <= max(limits.values())
    assert greedy.warnings[0].startswith("memory_gb=10000 is more than is free")


def test_a_scheduler_that_is_not_there_is_named(bench, monkeypatch):
    monkeypatch.setattr(clusters, "ANSWER_S", 1)
    run = bench.create(name="nowhere", engine="tcp://127.0.0.1:9")
    began = time.monotonic()
    with pytest.raises(PredictionError, match=r"no dask scheduler answers at 'tcp://127.0.0.1:9'.*engine='local'"):
        task.run(bench.context(run))
    assert time.monotonic() - began < 60


def test_a_scheduler_that_no_run_can_reach_is_refused():
    class Client:
        scheduler = type("Scheduler", (), {"address": "inproc://10.0.0.1/7/1"})

    for engine in ("inproc://10.0.0.1/7/1", Client()):
        with pytest.raises(ConfigError, match=r"'inproc://10.0.0.1/7/1' .* LocalCluster\(processes=True\)"):
            PredictConfig(engine=engine)


def test_a_client_stands_for_its_address(cluster):
    assert PredictConfig(engine=cluster).engine == address(cluster)
    assert json.loads(json.dumps(PredictConfig(engine=cluster).to_json()))["engine"] == address(cluster)
    assert PredictConfig().engine == "local"
