"""Trainings of places in this process: they learn, stop, go on bit for bit, and say what they reached."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import timm
import torch
from safetensors.torch import load_file
from tests.deep.conftest import ListeningContext

from voxloop.config import DetectConfig, PoseConfig
from voxloop.config.places import PlaceSettings
from voxloop.deep.networks.imagenet import OFFLINE_ENCODER
from voxloop.deep.networks.network import build_encoder
from voxloop.deep.pose.beginning import settle_encoder
from voxloop.deep.pose.learner import train_detect, train_pose
from voxloop.deep.pose.model import load
from voxloop.deep.pose.pictures import Album, AlbumPicture, Placed, Reader, pictures_of
from voxloop.deep.predict.model import WEIGHTS
from voxloop.errors import ConfigError, LabelError
from voxloop.store import Store
from voxloop.store.mark_teaching import freeze_marks

NODES, EDGES = ("head", "middle", "tail"), (("head", "middle"), ("middle", "tail"))
TINY = {
    "threads": 1, "filters": 4, "max_stride": 8, "batch_size": 2, "steps_per_epoch": 6, "epochs": 2, "device": "cpu",
    "learning_rate": 5e-3, "warmup_steps": 2, "samples": 1, "validation_share": 0.2,
}  # fmt: skip


def film(frames: int = 8, animals: int = 1, size: int = 72) -> tuple[np.ndarray, list[dict[str, Any]]]:
    """Rods with a bright head that turn and move (t, y, x), and where their nodes are."""
    rng = np.random.default_rng(5)
    y, x = np.mgrid[:size, :size]
    pictures = rng.normal(60, 6, (frames, size, size))
    places = []
    for frame in range(frames):
        for animal in range(animals):
            middle = np.array([20 + 30 * animal, 24.0]) + rng.uniform(-6, 6, 2) + [0, 12 * (animals == 1)]
            turn = rng.uniform(0, 2 * np.pi)
            along = 9 * np.array([np.sin(turn), np.cos(turn)])
            nodes = [middle + along, middle, middle - along]
            for (cy, cx), light in zip(nodes, (150, 60, 100), strict=True):
                pictures[frame] += light * np.exp(-((y - cy) ** 2 + (x - cx) ** 2) / 12)
            named = {name: tuple(map(float, at)) for name, at in zip(NODES, nodes, strict=True)}
            places.append({"frame": frame, "points": named})
    return pictures.clip(0, 255).astype(np.uint8), places


@pytest.fixture
def begin(tmp_path: Path) -> Any:
    """A workspace with labelled frames, and a context of a run on it."""

    def made(config: PlaceSettings, picture: np.ndarray, instances: Any, **level: Any) -> ListeningContext:
        import dask.array as da

        from voxloop.volumes.volume import make_volume

        frames = level.pop("frames", True)
        options = {"z_kind": "frame"} if frames else {}
        volume = make_volume(da.from_array(picture, chunks=64), spacing_um=(1.0, 1.0, 1.0), **options)
        store = Store.create(tmp_path / "ws", image=volume)
        try:
            store.levels.add("places", **level)
            marks: Any = store.marks(None, "places")
            (marks.assign_many if level["kind"] == "pictures" else marks.add_many)(instances)
            facts = freeze_marks(store, config, level["kind"])
        finally:
            store.close()
        run = tmp_path / "ws" / "runs" / "one"
        run.mkdir(parents=True)
        return ListeningContext(path=run, config={"settings": config.to_json(), **facts}, workspace=tmp_path / "ws")

    return made


def weights(context: ListeningContext) -> dict[str, torch.Tensor]:
    from safetensors.torch import load_file

    return load_file(context.path / "checkpoints" / "last" / "state.safetensors")


SKELETON = {"kind": "points", "skeleton": {"nodes": NODES, "edges": EDGES}}


@pytest.mark.parametrize(("pipeline", "animals"), [("single", 1), ("top-down", 2), ("bottom-up", 2)])
def test_every_pipeline_learns_and_answers_with_instances(begin: Any, pipeline: str, animals: int) -> None:
    picture, instances = film(animals=animals)
    context = begin(PoseConfig(pipeline=pipeline, **TINY), picture, instances, **SKELETON)
    assert train_pose(context) == "finished"
    losses = [event["loss"] for event in context.of("step")]
    assert np.mean(losses[-3:]) < np.mean(losses[:3])
    told = context.of("measured")[0]
    assert told["name"] == "OKS"
    assert told["pictures"] == 2
    assert "oks_map" in told["measures"]
    assert set(told["detail"]["nodes"]) == set(NODES)
    assert [true for _, true, _ in told["detail"]["counts"]] == [animals] * 2
    assert (context.path / context.of("sample")[0]["path"]).is_file()
    model = load(context.path / "model")
    with model.opened("cpu", threads=1) as finder:
        found = finder.frames(picture[:, None], threshold=0.01)
    assert len(found) == len(picture)
    assert all(one.at.shape[1:] == (3, 2) for one in found if len(one))
    if pipeline != "bottom-up":  # so early its fields join nothing yet
        assert any(len(one) for one in found)


def test_a_run_that_was_paused_ends_as_if_it_never_was(begin: Any, tmp_path: Path) -> None:
    picture, instances = film()
    config = PoseConfig(pipeline="top-down", **TINY)
    whole = begin(config, picture, instances, **SKELETON)
    assert train_pose(whole) == "finished"
    broken = ListeningContext(path=tmp_path / "ws" / "runs" / "two", config=whole.config, workspace=whole.workspace)
    broken.path.mkdir()
    broken.at_step[5] = SimpleNamespace(kind="pause", name="1-pause", values={})
    assert train_pose(broken) == "paused"
    assert train_pose(broken) == "finished"
    assert broken.of("resumed")[0]["step"] == 4
    ours, theirs = weights(whole), weights(broken)
    assert all(torch.equal(ours[name], theirs[name]) for name in ours)


def test_orders_are_heard(begin: Any) -> None:
    picture, instances = film()
    context = begin(PoseConfig(pipeline="single", **TINY), picture, instances, **SKELETON)
    context.at_step[2] = SimpleNamespace(kind="update", name="1-update", values={"learning_rate": 1e-4, "filters": 8})
    context.at_step[4] = SimpleNamespace(kind="stop", name="2-stop", values={})
    assert train_pose(context) == "stopped"
    assert context.of("updated")[0]["new"] == 1e-4
    assert any("cannot change" in event["text"] for event in context.of("warning"))
    assert load(context.path / "model").plan.names == NODES


def test_a_rate_that_the_optimiser_does_not_follow_is_refused(begin: Any) -> None:
    picture, instances = film()
    context = begin(PoseConfig(pipeline="single", optimiser="Rprop", **TINY), picture, instances, **SKELETON)
    context.at_step[2] = SimpleNamespace(kind="update", name="1-update", values={"learning_rate": 1e-4, "patience": 3})
    context.at_step[4] = SimpleNamespace(kind="cancel", name="2-cancel", values={})
    assert train_pose(context) == "cancelled"
    assert [event["what"] for event in context.of("updated")] == ["patience"]
    assert any("finds the size of its steps" in event["text"] for event in context.of("warning"))


def test_a_loss_that_is_no_number_never_reaches_a_checkpoint(begin: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    from voxloop.deep.pose.lessons import MapLoss

    whole, asked = MapLoss.__call__, []

    def broken(self: MapLoss, *given: Any) -> torch.Tensor:
        asked.append(1)
        return whole(self, *given) * (float("nan") if len(asked) == 2 else 1.0)

    monkeypatch.setattr(MapLoss, "__call__", broken)
    monkeypatch.setattr("voxloop.deep.training.reporter._LOOK", 60.0)  # nobody has looked when the order comes
    picture, instances = film()
    context = begin(PoseConfig(pipeline="single", **TINY), picture, instances, **SKELETON)
    context.at_step[3] = SimpleNamespace(kind="pause", name="1-pause", values={})
    assert train_pose(context) == "paused"
    assert any("no number" in event["text"] for event in context.of("warning"))
    assert all(torch.isfinite(value).all() for value in weights(context).values() if value.is_floating_point())


def test_memory_that_does_not_suffice_for_the_look_at_held_out_pictures_halves_the_batch(
    begin: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    from voxloop.deep.pose.training import PlaceSubject

    judge, failed = PlaceSubject.judge, []

    def scarce(self: PlaceSubject, networks: Any) -> Any:
        if not failed:
            failed.append(1)
            raise torch.OutOfMemoryError("CUDA out of memory")
        return judge(self, networks)

    monkeypatch.setattr(PlaceSubject, "judge", scarce)
    picture, instances = film()
    config = PoseConfig(pipeline="single", **{**TINY, "batch_size": 4, "epochs": 1})
    context = begin(config, picture, instances, **SKELETON)
    assert train_pose(context) == "finished"
    assert "batch_size 2 and accumulation 2" in context.of("warning")[0]["text"]
    assert all(event["val"] for event in context.of("epoch"))


def test_points_in_a_volume(begin: Any) -> None:
    rng = np.random.default_rng(0)
    places = rng.uniform([2, 5, 5], [10, 43, 43], (14, 3))
    z, y, x = np.mgrid[:12, :48, :48]
    volume = rng.normal(30, 3, (12, 48, 48))
    for at in places:
        volume += 120 * np.exp(-((z - at[0]) ** 2 + (y - at[1]) ** 2 + (x - at[2]) ** 2) / 5)
    instances = [{"points": {"point": tuple(map(float, at))}} for at in places]
    config = DetectConfig(**{**TINY, "window": 32, "max_stride": 4, "epochs": 3})
    context = begin(config, volume.clip(0, 255).astype(np.uint8), instances, kind="points", frames=False)
    assert train_detect(context) == "finished"
    assert any("nothing is held out" in event["text"] for event in context.of("warning"))
    losses = [event["loss"] for event in context.of("step")]
    assert losses[-1] < losses[0]
    model = load(context.path / "model")
    with model.opened("cpu", threads=1) as finder:
        found = finder.volume(lambda box: volume[(None, *box.slices)], volume.shape, threshold=0.05)
    assert found.at.shape[1:] == (1, 3)


def test_points_in_frames_begin_with_an_encoder_that_knows_pictures(begin: Any) -> None:
    picture, instances = film(frames=3)
    points = [{"frame": one["frame"], "points": {"point": one["points"]["head"]}} for one in instances]
    short = {**TINY, "window": 32, "steps_per_epoch": 2, "epochs": 1}
    context = begin(DetectConfig(**short, freeze_encoder_epochs=1), picture, points, kind="points")
    assert train_detect(context) == "finished"
    told = load(context.path / "model").plan.stages[0].backbone.encoder
    assert told == OFFLINE_ENCODER
    learnt = load_file(context.path / "model" / WEIGHTS)
    settings = DetectConfig(**short, encoder="", start_from=str(context.path / "model")).to_json()
    with pytest.raises(ConfigError, match=f"the plain U-Net; use encoder='{told}'"):
        train_detect(ListeningContext(context.path / "b", {**context.config, "settings": settings}, context.workspace))
    frozen = {
        f"things.encoder.{name}": value for name, value in build_encoder(told, 1, 4, "imagenet").state_dict().items()
    }
    assert all(torch.equal(learnt[name], value) for name, value in frozen.items())  # its statistics too
    assert any(told in event["text"] for event in context.of("log"))
    of_picture = AlbumPicture("a", 0, (32, 32), lambda box: np.zeros((1, 1, 32, 32)), Placed(np.zeros((1, 1, 2))))
    album = Album((of_picture,), 1, (1, 1, 1), ("head",), ())
    of_run = load(context.path / "model").plan.stages[0].backbone
    encoders = {
        OFFLINE_ENCODER: settle_encoder(DetectConfig(), album),
        "resnet18": settle_encoder(DetectConfig(), album, replace(of_run, encoder="resnet18")),  # that it starts from
        "": settle_encoder(DetectConfig(), replace(album, kind="boxes")),
    }
    assert {one.encoder for one in encoders.values()} == set(encoders)
    assert context.of("became")[0]["settings"]["encoder"] == OFFLINE_ENCODER


def test_a_run_that_begins_with_a_plain_network_is_one_and_goes_on_without_it(begin: Any) -> None:
    picture, instances = film(frames=3)
    points = [{"frame": one["frame"], "points": {"point": one["points"]["head"]}} for one in instances]
    short = {**TINY, "window": 32, "steps_per_epoch": 2, "epochs": 1}
    first = begin(DetectConfig(**{**short, "filters": 6}, encoder=""), picture, points, kind="points")
    assert train_detect(first) == "finished"
    settings = DetectConfig(**short, encoder_weights="one").to_json()
    then = ListeningContext(first.path.with_name("two"), {**first.config, "settings": settings}, first.workspace)
    then.path.mkdir()
    then.at_step[1] = SimpleNamespace(kind="pause", name="1-pause", values={})
    assert train_detect(then) == "paused"
    assert any("tensors of the encoder come from" in event["text"] for event in then.of("log"))
    assert then.of("became")[0]["settings"]["encoder"] == "plain U-Net"
    shutil.rmtree(first.path)
    assert train_detect(then) == "finished"
    network = load(then.path / "model").plan.stages[0].backbone
    assert (network.encoder, network.filters) == ("", 6)


def test_boxes_of_two_classes(begin: Any) -> None:
    rng = np.random.default_rng(1)
    picture = rng.normal(40, 4, (5, 64, 64))
    instances = []
    for frame in range(5):
        for name, light, half in (("large", 120, 9), ("small", 200, 4)):
            cy, cx = rng.integers(14, 50, 2)
            picture[frame, cy - half : cy + half, cx - half : cx + half] = light
            corners = ((float(cy - half), float(cx - half)), (float(cy + half), float(cx + half)))
            instances.append({"frame": frame, "points": corners, "label": name})
    config = DetectConfig(**{**TINY, "window": 48, "learning_rate": 0.01, "steps_per_epoch": 12})
    level = {"kind": "boxes", "classes": ["large", "small"]}
    context = begin(config, picture.clip(0, 255).astype(np.uint8), instances, **level)
    assert train_detect(context) == "finished"
    assert context.of("measured")[0]["name"] == "F1"
    with load(context.path / "model").opened("cpu", threads=1) as finder:
        found = finder.frames(picture[:1, None], threshold=0.02)[0]
    assert found.extents is not None
    assert len(found)
    # sizes begin with those of the median box, whatever its pixels
    assert ((found.extents > 2) & (found.extents < 18)).all()


def test_what_does_not_fit_is_said_in_a_sentence(begin: Any) -> None:
    picture, instances = film(animals=2)
    context = begin(PoseConfig(pipeline="single", **TINY), picture, instances, **SKELETON)
    with pytest.raises(ConfigError, match="several; use 'top-down'"):
        train_pose(context)
    faults = (
        ({"anchor": "nose"}, "use head, middle, tail"),
        ({"start_from": "gone"}, "neither a run"),
        ({"encoder_weights": "gone", "encoder": "tu-test_resnet"}, "encoder_weights='gone' is neither a run"),
        ({"encoder_weights": "gone.pth", "encoder": "tu-test_resnet"}, "there are no weights at gone.pth"),
        ({"encoder_weights": "imagenet"}, "the plain U-Net has no encoder of others"),
    )
    for changed, words in faults:
        settings = PoseConfig(**{**TINY, **changed}).to_json()
        with pytest.raises(ConfigError, match=words):
            train_pose(ListeningContext(context.path, {**context.config, "settings": settings}, context.workspace))
    with (
        Store.open(context.workspace) as store,
        pytest.raises(LabelError, match="no level of boxes"),
    ):
        freeze_marks(store, DetectConfig(), "boxes")


def test_classes_of_pictures(begin: Any, tmp_path: Path) -> None:
    from voxloop.config import PictureConfig
    from voxloop.deep.pose.classifier import load as load_classifier
    from voxloop.deep.pose.learner import train_pictures

    rng = np.random.default_rng(2)
    kinds = np.tile([0, 1], 10)
    y, x = np.mgrid[:40, :48]
    picture = rng.normal(60, 8, (20, 40, 48))
    for frame, kind in enumerate(kinds):
        away = np.hypot(y - rng.uniform(14, 26), x - rng.uniform(16, 32))
        picture[frame] += 120 * ((away < 9) & (away > 5 * kind))
    names = ["disc", "ring"]
    others = timm.create_model("test_resnet", num_classes=7).state_dict()
    torch.save({"state_dict": {f"module.{name}": value for name, value in others.items()}}, tmp_path / "encoder.pth")
    config = PictureConfig(
        network="test_resnet", encoder_weights=str(tmp_path / "encoder.pth"), threads=1, device="cpu", batch_size=8,
        steps_per_epoch=4, epochs=2, warmup_steps=1,
    )  # fmt: skip
    frames = {frame: names[kind] for frame, kind in enumerate(kinds)}
    context = begin(config, picture.clip(0, 255).astype(np.uint8), frames, kind="pictures", classes=names)
    assert train_pictures(context) == "finished"
    (began,) = [event["text"] for event in context.of("log") if "come from" in event["text"]]
    assert f"{len(others) - 2} of {len(others)} tensors" in began  # all but the classes
    assert "made to take 1 channel" in began
    # what it has learned is a start for others, of pictures and of places
    kept = str(context.path / "model" / WEIGHTS)
    encoder = build_encoder("tu-test_resnet", 1, 4, kept)
    assert encoder.origin.startswith(f"{len(encoder.state_dict())} of {len(encoder.state_dict())} tensors")
    assert torch.equal(encoder.state_dict()["model.conv1.0.weight"], load_file(kept)["conv1.0.weight"])
    told = context.of("measured")[0]
    assert told["name"] == "accuracy"
    assert np.sum(told["confusion"]["table"]) == told["pictures"] == 4
    low, high = told["detail"]["intervals"]["accuracy"]
    assert 0 <= low <= told["mean"] <= high <= 1
    assert (context.path / "samples" / "where-it-looked.png").is_file()
    assert (context.path / context.of("sample")[0]["path"]).is_file()
    with load_classifier(context.path / "model").opened("cpu", threads=1) as opened:
        answer = opened.classify(picture[:3, None])
        heat = opened.looked_at(picture[0][None], "disc")
    assert answer.shape == (3, 2)
    assert np.allclose(answer.sum(1), 1, atol=1e-5)
    assert heat.shape == (40, 48)


def test_what_was_found_becomes_predicted_labels(begin: Any) -> None:
    from voxloop import Workspace

    picture, instances = film(animals=2)
    context = begin(PoseConfig(pipeline="top-down", **TINY), picture, instances[:8], **SKELETON)
    train_pose(context)
    with Workspace.open(context.workspace) as ws:
        ws.images.add("second", picture[:3], z_kind="frame")
        points = ws.points("places", "image")
        model, settings = context.path / "model", {"level": "places", "threshold": 0.01, "threads": 1}
        run = ws.predict(model, image="*", frames="unlabelled", **settings)
        batch = run.result
        assert list(batch) == ["image", "second"]
        assert batch.counts()["second"] == sum(batch["second"].counts().values())
        assert list(batch.table().columns[:3]) == ["image", "frame", "head y"]
        found = batch["image"]
        assert found.frames == [4, 5, 6, 7]
        assert set(found.counts()) == {4, 5, 6, 7}
        assert "another threshold" in found.count().words
        ws.levels.rename_node("places", "head", "nose")
        with pytest.raises(LabelError, match="'head'"):  # nothing is lost: it can be named back
            ws.accept(found)
        ws.levels.rename_node("places", "nose", "head")
        numbers = ws.accept(run)
        assert numbers
        assert set(points.predicted) <= {4, 5, 6, 7}
        assert set(ws.points("places", "second").predicted) <= {0, 1, 2}
        assert points.read(0)[0].predicted is False
        points.undo()
        assert points.predicted == []
        with pytest.raises(LabelError, match="holds painted"):
            ws.predict(model, "image", level="labels")


def test_what_is_taught_and_how_far_each_head_looks_is_known_before(begin: Any) -> None:
    from voxloop.deep.networks.network import receptive_field
    from voxloop.deep.pose.fields import _Shown, plain_side
    from voxloop.deep.pose.model import build_networks
    from voxloop.inspect import place_fields, place_inputs

    picture, instances = film(animals=2)
    config = PoseConfig(pipeline="bottom-up", **TINY)
    context = begin(config, picture, instances, **SKELETON)
    found = place_inputs(context.workspace, config, batch=1)
    (stage,) = found.plan.stages
    lesson = found.lessons["nodes"]
    assert lesson.maps.shape[:2] == (2, 3)
    assert lesson.fields is not None
    assert float(lesson.maps.amax()) > 0.8
    assert found.png().startswith(b"\x89PNG")
    network = build_networks(found.plan)["nodes"]
    for field, head in zip(place_fields(context.workspace, config), stage.backbone.heads, strict=True):
        assert (field.stage, field.head) == ("nodes", head.name)
        assert field.effective[0] <= field.theoretical[0]
        reach = receptive_field(_Shown(network, head.name), 1)
        assert plain_side(stage.backbone, head.level) == pytest.approx(2 * reach + 1, abs=8)


def test_pictures_of_any_exposure_are_brought_to_the_same(begin: Any) -> None:
    picture, instances = film(animals=2)
    dim = picture.astype(float)
    dim[::2] = dim[::2] / 4 + 30
    context = begin(PoseConfig(pipeline="top-down", **TINY), dim.astype(np.uint8), instances, **SKELETON)
    assert train_pose(context) == "finished"
    assert any("differ in exposure" in str(event["text"]) for event in context.of("log"))
    model = load(context.path / "model")
    assert "exposure" in model.spec.normalisation
    reader = Reader.of(model.spec.normalisation)
    shown = [reader.read(one, [0, 0], one.shape) for one in pictures_of(dim[:2, None])]
    assert shown[0].max() == pytest.approx(shown[1].max(), rel=0.4)
    assert dim[1].max() > 2 * dim[0].max()
