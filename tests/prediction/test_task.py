"""A prediction run from config to files: right, resumable, obedient, and clear where it cannot be done."""

import errno
import json
import os
import signal
import time

import numpy as np
import pytest
from tests.prediction.conftest import SHAPE
from tests.prediction.fakes import FakeModel, make_spec, objects_spec

from voxloop.config import ObjectsConfig
from voxloop.errors import DiskFullError, PredictionError
from voxloop.objects import decode_instances
from voxloop.objects import task as objects_task
from voxloop.prediction import Prediction, output, prediction_loop, task
from voxloop.prediction.decode import semantic
from voxloop.prediction.plan import whole
from voxloop.prediction.planning import Limits, make_plan
from voxloop.prediction.reading import read_outer
from voxloop.prediction.rehearsal import answer
from voxloop.runs import orders
from voxloop.volumes import multiscale, open_volume


def order_at(context, run, order, part, count):
    """Give an order once a progress event says that so many blocks of a part of the work are done."""
    give_at(
        context, run, order, lambda kind, fields: kind == "progress" and part in fields and fields[part][0] == count
    )


def give_at(context, run, order, when):
    """Give an order after the first event of which ``when(kind, fields)`` is true."""
    emit, waiting = context.emit, [order]

    def listening(kind, **fields):
        emit(kind, **fields)
        if waiting and when(kind, fields):
            orders.give(run.path / "control", waiting.pop())

    context.emit = listening


def expected(bench, spec=None, **options):
    model = FakeModel(spec or make_spec())
    block = whole(SHAPE, model.spec.stride)
    raw = read_outer(open_volume(bench.picture), block.outer)
    p = model.predict(raw)[:, *block.core.slices]
    return semantic(p, np.arange(1, len(p) + 1, dtype=np.uint8), **options)


@pytest.mark.parametrize("planar", [True, False])
def test_tiled_equals_untiled(bench, planar):
    spec = make_spec(planar=planar, classes=3)
    run = bench.create(spec=spec, measure="entropy")
    assert task.run(bench.context(run)) == "finished"
    found, wanted = run.result, expected(bench, spec, measure="entropy")
    assert np.array_equal(found.labels.values, wanted.labels)
    assert np.array_equal(found.probabilities.values, wanted.probabilities)
    assert np.array_equal(found.uncertainty.values, wanted.uncertainty)
    assert found.done == 1.0
    assert found.labels.attrs["spacing_um"] == pytest.approx((0.03, 0.01, 0.01))
    assert np.allclose(np.diff(found.labels.z), 0.03)
    assert found.seam["largest"] < 1e-6


def test_a_region_equals_the_same_part_of_the_whole(bench):
    run = bench.create(region=[[3, 5], [33, 101], [50, 61]])
    task.run(bench.context(run))
    labels = run.result.labels.values
    box = slice(3, 5), slice(33, 101), slice(50, 61)
    assert np.array_equal(labels[box], expected(bench).labels[box])
    labels[box] = 0
    assert not labels.any()
    assert run.result.region == box


def test_what_is_not_wanted_is_not_kept(bench):
    run = bench.create(probabilities=False, uncertainty=False)
    task.run(bench.context(run))
    with pytest.raises(PredictionError, match="probabilities=True"):
        _ = run.result.probabilities
    with pytest.raises(PredictionError, match="uncertainty=True"):
        _ = run.result.uncertainty
    assert np.array_equal(run.result.labels.values, expected(bench).labels)


def test_lineage_says_where_it_comes_from(bench):
    run = bench.create()
    task.run(bench.context(run))
    lineage = run.result.lineage
    assert lineage["model_hash"] == make_spec().hash
    assert lineage["settings"]["tile_seconds"] == 1e-6
    assert lineage["versions"]["numpy"] == np.__version__
    assert run.result.model.spec == make_spec()
    assert run.result.level == "labels"
    assert [c.name for c in run.result.classes] == ["class 1", "class 2"]


def test_killed_runs_resume_and_repeat_at_most_what_was_in_hand(bench):
    spec = make_spec(delay=0.3)
    run = bench.create(spec=spec)
    run.launch()
    _until(lambda: any(event["done"] >= 2 for event in bench.events(run, "progress")))
    run_pid = bench.events(run, "started")[0]["pid"]
    os.kill(run_pid, signal.SIGKILL)
    _until(lambda: run.state == "interrupted")
    half = Prediction(bench.path / "predictions" / "p.zarr")
    assert 0 < half.done < 1
    wanted = expected(bench, spec)
    record = half.tiles_done()
    for tile in half.plan.tiles():
        if record[tile.index]:
            assert np.array_equal(half.labels.values[tile.core.slices], wanted.labels[tile.core.slices])
    calls = []
    before = {tile.index for tile in half.plan.tiles() if record[tile.index]}
    original = output.PredictionOutput.write
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(output.PredictionOutput, "write", lambda s, t, d: (calls.append(t.index), original(s, t, d)))
        assert task.run(bench.context(run)) == "finished"
    assert not before & set(calls)
    assert len(before) + len(calls) == sum(1 for _ in half.plan.tiles())
    assert np.array_equal(run.open_result().labels.values, wanted.labels)
    assert np.array_equal(run.open_result().probabilities.values, wanted.probabilities)


@pytest.mark.parametrize(("order", "word"), [("stop", "stopped"), ("pause", "paused"), ("cancel", "cancelled")])
def test_orders_are_obeyed_between_tiles(bench, order, word):
    run = bench.create()
    context = bench.context(run)
    seen = []
    emit = context.emit

    def listening(kind, **fields):
        emit(kind, **fields)
        if kind == "progress":
            seen.append(fields["done"])
            if fields["done"] >= 1 and len(seen) == 2:
                orders.give(run.path / "control", order)

    context.emit = listening
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(prediction_loop, "PROGRESS_EVERY", 0.0)
        assert task.run(context) == word
    target = bench.path / "predictions" / "p.zarr"
    assert target.exists() == (order != "cancel")
    if order == "pause":
        assert Prediction(target).done < 1
        context.emit("paused", orders=context.unanswered())
        assert task.run(bench.context(run)) == "finished"
        assert np.array_equal(run.open_result().labels.values, expected(bench).labels)


def test_the_focus_moves_while_it_runs(bench):
    run = bench.create(focus=[0, 0, 0])
    context, written = bench.context(run), []
    orders.give(run.path / "control", "update", {"focus": [11, 149, 169]})
    with pytest.MonkeyPatch.context() as patch:
        original = output.PredictionOutput.write
        patch.setattr(output.PredictionOutput, "write", lambda s, t, d: (written.append(t.index[0]), original(s, t, d)))
        task.run(context)
    assert written[-1] in (0, 1, 2, 3)
    assert 11 in written[:4]
    assert bench.events(run, "updated")[0]["new"] == [11, 149, 169]


def test_an_existing_prediction_is_kept_unless_asked(bench):
    run = bench.create()
    task.run(bench.context(run))
    (run.path / "config.json").write_text((run.path / "config.json").read_text().replace('"created": ', '"created": 9'))
    with pytest.raises(PredictionError, match="overwrite=True"):
        task.run(bench.context(run))
    assert run.open_result().done == 1.0


def test_a_full_disk_stops_cleanly_and_resumes(bench):
    run = bench.create()
    original, written = output.PredictionOutput._record, []

    def full(self, tile):
        if len(written) == 3:
            raise OSError(errno.ENOSPC, "No space left on device")
        written.append(tile)
        original(self, tile)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(output.PredictionOutput, "_record", full)
        with pytest.raises(PredictionError, match=r"full with [23] of 12 tiles done; about .* GB more are needed"):
            task.run(bench.context(run))
    assert task.run(bench.context(run)) == "finished"
    assert np.array_equal(run.open_result().labels.values, expected(bench).labels)


@pytest.fixture
def small_scales(monkeypatch):
    """Coarser resolutions down to 32 voxels, so that there are several of small volumes; counts blocks written."""
    whole, written = output.plan_scales, []
    monkeypatch.setattr(output, "plan_scales", lambda *args, **named: whole(*args, **named, smallest=32))
    original = multiscale.coarsen_block

    def block(finer, coarse, scale, how, box):
        written.append((coarse.path.rpartition("/")[0], scale.shape, box))
        original(finer, coarse, scale, how, box)

    monkeypatch.setattr(multiscale, "coarsen_block", block)
    return written


def coarser(path):
    import zarr

    group = zarr.open_group(path, mode="r")
    return {
        f"{name}/{dataset['path']}": np.asarray(group[f"{name}/{dataset['path']}"][:])
        for name in ("labels/labels", "probabilities", "uncertainty")
        for dataset in group[name].attrs["ome"]["multiscales"][0]["datasets"][1:]
    }


@pytest.mark.parametrize(("order", "word"), [("pause", "paused"), ("stop", "stopped"), ("cancel", "cancelled")])
def test_orders_are_obeyed_while_coarser_resolutions_are_written(bench, small_scales, order, word):
    wanted = bench.create(name="w")
    task.run(bench.context(wanted))
    all_blocks, small_scales[:] = list(small_scales), []
    run = bench.create()
    context = bench.context(run)
    order_at(context, run, order, "coarser", 5)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(prediction_loop, "PROGRESS_EVERY", 0.0)
        assert task.run(context) == word
    target = bench.path / "predictions" / "p.zarr"
    assert target.exists() == (order != "cancel")
    assert len(small_scales) == 5 < len(all_blocks)
    told = bench.events(run, "progress")[-1]
    assert told["coarser"] == [5, len(all_blocks)]
    assert told["done"] == told["total"] == 12
    assert told["eta_s"] > 0
    if order == "pause":
        assert not coarser(target)  # not told before they are whole
        context.emit("paused", orders=context.unanswered())
        assert task.run(bench.context(run)) == "finished"
        assert sorted(small_scales, key=str) == sorted(all_blocks, key=str)  # none twice
        found, whole_at_once = coarser(target), coarser(wanted.result.path)
        assert found.keys() == whole_at_once.keys()
        assert all(np.array_equal(found[name], whole_at_once[name]) for name in found)
        assert not (target / "coarser").exists()


def test_a_disk_that_fills_up_at_the_end_stops_cleanly_and_resumes(bench, small_scales):
    run = bench.create()
    original = multiscale.coarsen_block

    def full(*args):
        if len(small_scales) == 7:
            raise OSError(errno.ENOSPC, "No space left on device")
        original(*args)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(multiscale, "coarsen_block", full)
        with pytest.raises(DiskFullError, match=r"full with 7 of \d+ blocks of coarser .* GB more are needed"):
            task.run(bench.context(run))
    assert task.run(bench.context(run)) == "finished"
    assert len(coarser(run.result.path)) == 3 * 3
    assert len(small_scales) == len({str(block) for block in small_scales})


def test_a_disk_that_is_too_small_is_told_before_the_start(bench, monkeypatch):
    run = bench.create()
    monkeypatch.setattr(task.shutil, "disk_usage", lambda path: type("Usage", (), {"free": 10}))
    with pytest.raises(PredictionError, match="are free"):
        task.run(bench.context(run))
    assert not (bench.path / "predictions").exists()


def test_what_cannot_fit_is_refused_with_the_way_out(bench):
    run = bench.create(spec=make_spec(known=False), memory_gb=0.001)
    with pytest.raises(PredictionError, match=r"does not fit 0.001 GB .* raise memory_gb or use mode='fast'"):
        task.run(bench.context(run))


def test_memory_that_is_not_there_is_told_and_not_used(bench):
    run = bench.create(memory_gb=10_000)
    assert task.run(bench.context(run)) == "finished"
    (warned,) = bench.events(run, "warning")
    assert warned["text"].startswith("memory_gb=10000 is more than is free: ")
    found = answer(
        {
            "workspace": str(bench.path),
            "models": [str(bench.path / "models" / "p")],
            "image": "image",
            "region": None,
            "settings": json.loads((run.path / "config.json").read_text())["settings"],
        }
    )
    assert found.warnings[0].startswith("memory_gb=10000")
    assert found.allowed_bytes < 10_000 * 10**9


def test_a_changed_model_does_not_finish_the_work_of_another(bench):
    run = bench.create()
    context = bench.context(run)
    give_at(context, run, "pause", lambda kind, fields: kind == "progress")
    assert task.run(context) == "paused"
    FakeModel(make_spec(radius=5)).save(bench.path / "models" / "p")
    with pytest.raises(PredictionError, match="has changed"):
        task.run(bench.context(run))


def test_the_metadata_is_ome_ngff(bench):
    import zarr
    from ome_zarr_models.v05 import Image, ImageLabel, Labels

    run = bench.create()
    task.run(bench.context(run))
    group = zarr.open_group(run.result.path, mode="r")
    Image.from_zarr(group["probabilities"])
    Image.from_zarr(group["uncertainty"])
    Labels.from_zarr(group["labels"])
    label = ImageLabel.from_zarr(group["labels/labels"])
    assert {p.label_value for p in label.ome_attributes.image_label.properties} == {1, 2}


@pytest.mark.parametrize(
    ("kept", "shown"),
    [
        ({}, "probabilities"),
        ({"probabilities": False}, "uncertainty"),
        ({"probabilities": False, "uncertainty": False}, "labels/labels"),
    ],
)
def test_the_folder_itself_opens_as_an_image_with_its_labels(bench, monkeypatch, kept, shown):
    import zarr
    from ome_zarr.io import parse_url
    from ome_zarr.reader import Reader
    from ome_zarr_models.v05 import Image

    def nodes(path):
        return [node for node in Reader(parse_url(path))() if node.data]

    run = bench.create(**kept)
    whole = output.plan_scales
    monkeypatch.setattr(output, "plan_scales", lambda *args, **named: whole(*args, **named, smallest=64))
    original, before = output.PredictionOutput.write_scales, []

    def scales(self, *args):
        before.extend(nodes(self.path))
        return original(self, *args)

    monkeypatch.setattr(output.PredictionOutput, "write_scales", scales)
    task.run(bench.context(run))
    path = run.result.path
    assert [node.data[0].shape[-3:] for node in before] == [SHAPE, SHAPE]
    image, label = nodes(path)
    assert [len(node.data) for node in (image, label)] == [2 + 1, 2 + 1]
    assert len(before[0].data) == 1
    assert np.array_equal(image.data[0].compute(), zarr.open_array(path / shown / "0", mode="r")[:])
    assert np.array_equal(label.data[0].compute(), run.result.labels.values)
    assert label.zarr.root_attrs["image-label"]["source"] == {"image": "../../"}
    Image.from_zarr(zarr.open_group(path, mode="r"))
    assert open_volume(path).attrs["spacing_um"] == pytest.approx((0.03, 0.01, 0.01))


def test_planes_that_are_separate_pictures_stay_so_in_what_is_read_of_them(tmp_path):
    facts = {
        "level": "labels",
        "classes": [{"value": 1, "name": "a"}],
        "spacing_um": [1, 1, 1],
        "origin_um": [0, 0, 0],
        "frames": True,
        "probabilities": True,
        "uncertainty": None,
    }
    output.create(tmp_path / "p.zarr", facts, make_plan((3, 40, 40), (1, 1, 1), (0, 0, 0), Limits(max_voxels=10_000)))
    for name in ("probabilities", "labels/labels"):
        assert open_volume(tmp_path / "p.zarr" / name).attrs["z_kind"] == "frame"


@pytest.mark.parametrize(("order", "word"), [("pause", "paused"), ("cancel", "cancelled")])
def test_orders_are_obeyed_while_objects_are_decoded(bench, order, word):
    run = bench.create(spec=objects_spec())
    context = bench.context(run)
    order_at(context, run, order, "objects", 1)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(objects_task, "PROGRESS_EVERY", 0.0)
        assert task.run(context) == word
    told = bench.events(run, "progress")[-1]
    assert told["done"] == told["total"] == 12
    assert told["objects"][0] < told["objects"][1]
    objects = bench.path / "objects" / "p.zarr"
    assert not objects.exists()
    if order == "pause":
        context.emit("paused", orders=context.unanswered())
        assert task.run(bench.context(run)) == "finished"
        found = run.open_result()
        assert found.objects.count
        assert decode_instances(np.asarray(found.probabilities), ObjectsConfig(min_size=0)).max() > 3
        task.discard(run.path)
        assert not objects.exists()
    else:
        task.discard(run.path)  # as the process of a run does then
    assert not list((bench.path / "objects").iterdir())
    assert not run.path.parent.parent.joinpath("predictions", "p.zarr").exists()


@pytest.mark.parametrize(("order", "word"), [("pause", "paused"), ("cancel", "cancelled"), ("stop", "stopped")])
def test_orders_are_obeyed_while_it_is_prepared_and_that_is_said(bench, order, word):
    run = bench.create()
    context = bench.context(run)
    give_at(context, run, order, lambda kind, fields: kind == "log" and "how long the model" in fields["text"])
    assert task.run(context) == word
    assert "how long the model takes" in bench.events(run, "log")[-1]["text"]
    assert not (bench.path / "predictions" / "p.zarr").exists()


@pytest.mark.parametrize("phase", ["opening the model", "image: measuring how long"])
def test_orders_are_obeyed_while_an_image_of_many_is_prepared(bench, phase):
    from voxloop.prediction import batch

    run = bench.create(name="b")
    config = json.loads((run.path / "config.json").read_text())
    (run.path / "config.json").write_text(json.dumps(config | {"images": ["image", "image"]}))
    context = bench.context(run)
    give_at(context, run, "pause", lambda kind, fields: kind == "log" and phase in fields["text"])
    assert batch.run(context) == "paused"
    assert not list((bench.path / "predictions").glob("*"))


def test_objects_without_probabilities_are_refused(bench):
    run = bench.create(spec=objects_spec(), probabilities=False)
    with pytest.raises(PredictionError, match=r"learnt objects.*predict with probabilities=True"):
        task.run(bench.context(run))


def test_results_name_the_run_that_made_nothing_yet(bench):
    run = bench.create()
    with pytest.raises(PredictionError, match="has not begun"):
        _ = run.result
    with pytest.raises(PredictionError, match="no such folder"):
        Prediction(bench.path / "predictions" / "none.zarr")


def _until(condition, seconds=60):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "never happened"
        time.sleep(0.02)


def test_many_images_in_one_run_with_a_table(bench, monkeypatch):
    from voxloop.prediction import batch
    from voxloop.store import Store

    with Store.open(bench.path) as store:
        store.images.add("small", bench.picture[:3, :80, :90], copy=True)
        store.images.add("colour", np.zeros((2, 3, 40, 40), np.uint8).transpose(1, 0, 2, 3), copy=True, axes="czyx")
    run = bench.create(name="b")
    config = json.loads((run.path / "config.json").read_text())
    config |= {"images": ["image", "colour", "small"], "result": "voxloop.prediction.batch:open_result"}
    (run.path / "config.json").write_text(json.dumps(config))
    original, record = output.PredictionOutput._record, []

    def full(self, tile):
        record.append(tile)
        if len(record) > 2:
            raise OSError(errno.ENOSPC, "No space left on device")
        original(self, tile)

    with pytest.MonkeyPatch.context() as patch:  # a full disk is no fault of an image: the run ends
        patch.setattr(output.PredictionOutput, "_record", full)
        with pytest.raises(PredictionError, match=r"full with [12] of 12 tiles done"):
            batch.run(bench.context(run))
    assert not (run.path / batch.TABLE).exists()
    assert batch.run(bench.context(run)) == "finished"
    found = batch.open_result(run.path)
    assert set(found.predictions) == {"image", "small"}
    wanted = expected(bench)
    assert np.array_equal(found.predictions["image"].labels.values, wanted.labels)
    table = found.table.set_index("image")
    assert list(table["state"]) == ["finished", "failed", "finished"]
    assert "takes 1 channel, the volume has 3" in table.loc["colour", "error"]
    mito = int((wanted.labels == 2).sum())
    assert table.loc["image", "class 2 share"] == pytest.approx(mito / wanted.labels.size, abs=1e-6)
    assert table.loc["image", "class 2 um3"] == pytest.approx(mito * 0.03 * 0.01 * 0.01, rel=1e-4)
    last = bench.events(run, "progress")[-1]
    assert (last["done"], last["total"], last["unit"]) == (3, 3, "images")
    with pytest.MonkeyPatch.context() as patch:  # a second process finds the work done
        patch.setattr(batch, "make_job", lambda *args: pytest.fail("predicted again"))
        assert batch.run(bench.context(run)) == "finished"
    batch.discard(run.path)
    assert not found.predictions
