"""Folders of pictures and masks as images with labels, in one step."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import tifffile
from click.testing import CliRunner

from voxloop.cli import main
from voxloop.errors import LabelError, WorkspaceError
from voxloop.store.pairs import match
from voxloop.workspace.workspace import Workspace

RNG = np.random.default_rng(0)


def write(folder: Path, name: str, size: tuple[int, int] = (20, 30), *, mask: bool = False) -> None:
    folder.mkdir(exist_ok=True)
    picture = RNG.integers(0, 2 if mask else 200, size).astype(np.uint8)
    tifffile.imwrite(folder / name, picture)


@pytest.mark.parametrize(
    ("picture", "mask"),
    [
        ("a.tif", "a_mask.tif"), ("a.tif", "a-labels.png"), ("a_img.tif", "a_cp_masks.tif"),
        ("a.ome.tif", "a_gt.ome.tif"),
        ("mouse 1.tif", "mouse 1 seg.tif"), ("img_007.tif", "mask_007.tif"), ("A_raw.TIF", "a_Label.tif"),
        ("case_0000.nii.gz", "case_seg.nii.gz"), ("zelle-ä.tif", "zelle-a\u0308.mask.tif"),
        ("100%.tif", "100%_roi.zip"),
    ],
)  # fmt: skip
def test_a_mask_is_known_by_its_name(picture, mask):
    assert match([Path(picture), Path(mask)], None) == ([(Path(picture), Path(mask))], [])


def test_the_same_name_in_another_folder_and_what_is_left():
    pictures = [Path("i/a.tif"), Path("i/b.tif"), Path("i/a_mask.tif")]
    pairs, alone = match(pictures, [Path("m/a.png"), Path("m/c.png"), Path("m/a_mask.tif")])
    assert (pictures[0], Path("m/a.png")) in pairs
    assert (pictures[2], Path("m/a_mask.tif")) in pairs
    assert alone == [(Path("i/b.tif"), "picture"), (Path("m/c.png"), "mask")]
    with pytest.raises(WorkspaceError, match=r"several masks fit a\.tif"):
        match([Path("a.tif"), Path("a_mask.tif"), Path("a_seg.tif")], None)


def test_pairs_of_a_folder_become_images_with_labels(tmp_path):
    for name, size in (("a", (20, 30)), ("b c", (40, 10)), ("lonely", (5, 5))):
        write(tmp_path / "data", f"{name}.tif", size)
    for name, size in (("a", (20, 30)), ("b c", (40, 10))):
        write(tmp_path / "data", f"{name}_mask.tif", size, mask=True)
    with Workspace.create(tmp_path / "ws", classes=["background", "cell"]) as ws:
        table = ws.add_pairs(tmp_path / "data", zero="background")
        assert table["image"].tolist()[:2] == ["a", "b c"]
        assert ws.images.names == ["a", "b c"]
        assert table.iloc[2]["picture"].endswith("lonely.tif")
        assert table["voxels"].tolist()[:2] == [600, 400]
        ws.images.remove(list(table["image"].dropna()))
        assert ws.images.names == []
        added = ws.images.add_folder(tmp_path / "data", masks=tmp_path / "data", zero="background")
        assert [info.name for info in added] == ["a", "b c", "lonely"]
        assert sum(ws.labels(image="b c").counts().values()) == 400
        with pytest.raises(WorkspaceError, match="zero= says something of masks"):
            ws.images.add_folder(tmp_path / "data", zero="background")
        mask = tifffile.imread(tmp_path / "data" / "a_mask.tif")
        np.testing.assert_array_equal(ws.labels(image="a").read()[0], mask + 1)


def test_pairs_that_do_not_fit_add_nothing(tmp_path):
    write(tmp_path / "i", "a.tif")
    write(tmp_path / "i", "b.tif")
    write(tmp_path / "m", "a.tif", mask=True)
    write(tmp_path / "m", "b.tif", (9, 9), mask=True)
    with Workspace.create(tmp_path / "ws", classes=["cell"]) as ws:
        with pytest.raises(LabelError, match=r"b\.tif: the mask has shape .* nothing was added"):
            ws.add_pairs(tmp_path / "i", tmp_path / "m", zero="unlabelled")
        assert ws.images.names == []
        with pytest.raises(WorkspaceError, match=r"no picture .* has a mask of its name"):
            ws.add_pairs(tmp_path / "i")
        with pytest.raises(WorkspaceError, match="no folder"):
            ws.add_pairs(tmp_path / "nowhere")
        ws.levels.add("second", ["cell"])
        with pytest.raises(WorkspaceError, match="say into which level"):
            ws.add_pairs(tmp_path / "i", tmp_path / "m")


def test_pairs_from_the_command_line(tmp_path):
    write(tmp_path / "i", "a.tif")
    write(tmp_path / "m", "a.tif", mask=True)
    Workspace.create(tmp_path / "ws", classes=["background", "cell"]).close()
    arguments = ["pairs", str(tmp_path / "ws"), str(tmp_path / "i"), str(tmp_path / "m")]
    wrong = CliRunner().invoke(main, [*arguments, "--value", "one=cell"])
    assert (wrong.exit_code, wrong.stderr.count("\n")) == (2, 1)
    done = CliRunner().invoke(main, [*arguments, "--value", "0=unlabelled", "--value", "1=cell"])
    assert done.exit_code == 0, done.output
    with Workspace.open(tmp_path / "ws") as ws:
        assert ws.labels(image="a").counts().keys() == {2}
