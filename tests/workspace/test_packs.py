"""A training goes away in one file and comes home: the same to the last bit; what is no honest pack is refused.

The image is large and the labels lie in a corner of it, so a pack that is small and trains holds what it must.
"""

from __future__ import annotations

import json
import shutil
import zipfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import tifffile
from click.testing import CliRunner
from tests.in_process import in_process

import voxloop as vl
from voxloop.cli import main
from voxloop.errors import RunError, VolumeError, WorkspaceError
from voxloop.workspace.pack_file import extract, read_facts

#: what training away may write otherwise: times, and who did it
TOLD = ("events.jsonl", "config.json", "launch.json", "lock", "stdout.log", "outcome.json", "state.json")
NETWORK = vl.DeepConfig(
    epochs=1, window=(1, 64, 64), encoder="tu-test_efficientnet", teacher_windows=2, compare_with="none", device="cpu"
)
NEWER = b'{"version": 99, "run": "r", "workspace": "w", "config": "c", "trained": false, "made_with": {}, "files": 0}'
VOLUMETRIC = vl.DeepConfig(
    architecture="UNet3d", width=4, levels=2, window=(4, 32, 32), batch_size=1, epochs=1, steps_per_epoch=4,
    teacher_windows=2, compare_with="none", device="cpu",
)  # fmt: skip
PLANES, SIDE = 120, 800
FOREST = vl.ShallowConfig(trees=4, sigmas_um=(0.1, 0.2), dimensions="2d")


@pytest.fixture(scope="module")
def ws(tmp_path_factory: pytest.TempPathFactory) -> Iterator[vl.Workspace]:
    """An image that stays where it is, strokes, and later ones that no run learns from."""
    folder = tmp_path_factory.mktemp("packs")
    y, x = np.ogrid[:SIDE, :SIDE]
    disks = ((y % 32 - 16) ** 2 + (x % 32 - 16) ** 2 < 90) * np.uint8(90)
    noise = np.random.default_rng(0).integers(20, 60, (PLANES, SIDE, SIDE), dtype=np.uint8)
    tifffile.imwrite(folder / "disks.tif", noise + disks)
    made = vl.Workspace.create(
        folder / "ws", image=folder / "disks.tif", classes=["cell", "rest"], spacing=(0.3, 0.1, 0.1)
    )
    with made as ws, in_process():
        for z in (0, 2):
            for at in (16, 48, 80):
                ws.labels().paint(index=z, points=[(at, 16), (at, 18)], radius=4, value=1)
                ws.labels().paint(index=z, points=[(at, 32), (at, 34)], radius=2, value=2)
        yield ws


def made_by(run: vl.Run) -> dict[str, bytes]:
    files = {path.relative_to(run.path).as_posix(): path for path in run.path.rglob("*") if path.is_file()}
    return {name: path.read_bytes() for name, path in files.items() if Path(name).name not in TOLD}


def weights_of_ones_own(folder: Path) -> Path:
    import timm
    from safetensors.torch import save_file

    save_file(timm.create_model("test_efficientnet").state_dict(), folder / "own.safetensors")
    return folder / "own.safetensors"


@pytest.mark.parametrize(
    ("config", "most"), [(FOREST, 8), (NETWORK, 75), (VOLUMETRIC, 75)], ids=["shallow", "deep", "volumetric"]
)
def test_trained_away_is_trained_at_home_to_the_last_bit(
    ws: vl.Workspace, tmp_path: Path, config: vl.ShallowConfig | vl.DeepConfig, most: float
) -> None:
    weights = None
    if config is NETWORK:
        weights = weights_of_ones_own(tmp_path)
        config = config.changed(encoder_weights=str(weights))
    home = ws.train(config)
    assert home.state == "finished"
    ws.labels().paint(index=1, points=[(5, 5), (80, 80)], radius=6, value=2)  # not what was learnt from
    away = shutil.copy(ws.pack(home), tmp_path)
    ws.labels().undo()
    if weights is not None:
        weights.unlink()  # it went along
        with pytest.raises(WorkspaceError, match="no such file to go along"):
            ws.pack(config, tmp_path / "more.vxl")
    with pytest.raises(RunError, match="not been trained yet"):
        ws.unpack(away)
    trained = vl.train_pack(away)
    assert {path.name for path in tmp_path.iterdir()} == {Path(away).name, trained.name}
    share, _, words = read_facts(Path(away)).carried["image"].partition("%, ")
    assert float(share) < most
    assert Path(away).stat().st_size < most / 100 * PLANES * SIDE**2
    assert "the labels" in words
    with pytest.raises(RunError, match="takes the pack into a new run"):
        ws.unpack(trained)
    with pytest.raises(RunError, match="trained already"):
        vl.train_pack(trained)
    back = ws.unpack(trained, name=f"{home.name}-away")
    assert back.state == "finished"
    assert made_by(back) == made_by(home)
    assert any(name.startswith("model/") for name in made_by(back))
    assert weights is None or "weights/own.safetensors" in str(back.history.log)
    assert back.history.epochs[-1]["train"] == home.history.epochs[-1]["train"]
    if config is FOREST:  # the files are the same: that one predicts the same is looked at once
        one, other = (ws.predict(run, region=(slice(0, 1),)).result.labels.values for run in (home, back))
        assert np.array_equal(one, other)


def test_commands_take_a_new_run_there_and_back(ws: vl.Workspace, tmp_path: Path) -> None:
    def typed(*words: object) -> str:
        done = CliRunner().invoke(main, [str(word) for word in words])
        assert done.exit_code == 0, done.output
        return done.stdout

    sets = ("--set", "trees=4", "--set", "dimensions=2d")
    there = tmp_path / "later.vxl"
    assert ", the surroundings of the labels" in typed("pack", ws.path, "--learner", "shallow", *sets, "--to", tmp_path)
    ws.runs["shallow-2"].delete()
    said = json.loads(typed("pack", ws.path, "--learner", "shallow", *sets, "--name", "later", "--to", there, "--json"))
    assert said["path"] == str(there)
    assert ws.runs["later"].state == "created"
    assert "voxloop unpack" in typed("train", there)
    assert "later: finished" in typed("unpack", ws.path, tmp_path / "later-trained.vxl")
    assert ws.runs["later"].result.spec.classes[0].name == "cell"


@pytest.fixture(scope="module")
def pack(ws: vl.Workspace, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return ws.pack(FOREST, tmp_path_factory.mktemp("hostile") / "forest.vxl")


def changed(pack: Path, to: Path, *, drop: str = "", add: dict[str, bytes] | None = None, honest: bool = True) -> Path:
    """A pack without the members whose names hold ``drop``, and with others; not ``honest``: it says so many."""
    with zipfile.ZipFile(pack) as source, zipfile.ZipFile(to, "w") as target:
        kept = [name for name in source.namelist() if name not in (add or {}) and not (drop and drop in name)]
        for name in kept:
            content = source.read(name)
            if name == "pack.json" and not honest:
                content = json.dumps(json.loads(content) | {"files": len(kept) - 1 + len(add or {})}).encode()
            target.writestr(name, content)
        for name, content in (add or {}).items():
            target.writestr(name, content)
    return to


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"add": {"../../evil.txt": b"x"}, "honest": False}, "leads out of it"),
        ({"add": {"/tmp/evil.txt": b"x"}, "honest": False}, "leads out of it"),
        ({"add": {"pack.json": b"[]"}}, "no pack of voxloop"),
        ({"add": {"pack.json": NEWER}}, "newer voxloop"),
        ({"drop": "images/image.zarr", "honest": False}, "lacks image 'image'"),
        ({"drop": "config.json", "honest": False}, "config.json"),
        ({"drop": "image.zarr/0/c/"}, "parts of an image are missing"),
    ],
)  # fmt: skip
def test_what_is_no_honest_pack_is_refused(pack: Path, tmp_path: Path, change: dict, words: str) -> None:
    bad = changed(pack, tmp_path / "bad.vxl", **change)
    with pytest.raises(RunError, match=words):
        vl.train_pack(bad)
    assert not list(tmp_path.glob("**/evil.txt"))


def test_what_was_not_packed_is_a_sentence_and_never_zeros(ws: vl.Workspace, pack: Path, tmp_path: Path) -> None:
    extract(pack, tmp_path / "opened")
    with vl.Workspace.open(tmp_path / "opened", read_only=True) as small:
        volume = small.images["image"]
        assert np.array_equal(volume[0, :96, :96], ws.images["image"][0, :96, :96])
        with pytest.raises(VolumeError, match=r"was packed, and voxels z 100:101, .* --whole"):
            volume[100, :96, :96].values  # noqa: B018
    for number, config in enumerate((FOREST, NETWORK)):
        whole = ws.pack(config, tmp_path / f"{number}.vxl", whole=True)
        assert read_facts(whole).carried == {"image": "whole: as asked for"}
        ws.runs[read_facts(whole).run].delete()


def test_a_pack_of_another_run_does_not_come_home(ws: vl.Workspace, pack: Path, tmp_path: Path) -> None:
    facts = json.loads(zipfile.ZipFile(pack).read("pack.json")) | {"trained": True}
    other = changed(pack, tmp_path / "other.vxl", add={"pack.json": json.dumps(facts | {"config": "0"}).encode()})
    with pytest.raises(RunError, match="with other settings or labels"):
        ws.unpack(other)
    gone = changed(pack, tmp_path / "gone.vxl", add={"pack.json": json.dumps(facts | {"run": "nowhere"}).encode()})
    with pytest.raises(RunError, match="which is not here"):
        ws.unpack(gone)
    (tmp_path / "text.vxl").write_text("no zip")
    with pytest.raises(RunError, match="no zip file"):
        ws.unpack(tmp_path / "text.vxl")
    with pytest.raises(RunError, match="painted labels"):
        ws.pack(vl.PoseConfig())
    with pytest.raises(WorkspaceError, match="by its folder"):
        ws.pack(
            NETWORK.changed(
                start_from=str(next(one for one in ws.runs.values() if one.learner == "deep").path / "model")
            )
        )
