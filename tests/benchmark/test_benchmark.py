"""The benchmark of the loop: stacks of any folder, rows that others can add to, what they say, and one whole loop."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest
import tifffile
from click.testing import CliRunner

from voxloop.benchmark.economy import Saving, middle_of, savings, summaries
from voxloop.benchmark.learners import learner_named
from voxloop.benchmark.report import draw, markdown
from voxloop.benchmark.rows import Rows, area, honesty, seconds_to, target_of, wilson
from voxloop.benchmark.stacks import load_stack, names, walls_between
from voxloop.benchmark.strategies import fields
from voxloop.cli import main
from voxloop.errors import PredictionError, VolumeError, VoxloopError


def row(number: int, iou: float, **facts):
    return {
        "data": "em",
        "voxels": 1000,
        "mistakes": 0.0,
        "start": "places",
        "doubts": 0,
        "strategy": "ours",
        "learner": "shallow",
        "seed": 0,
        "round": number,
        "seconds": 60.0 * number,
        "iou": iou,
        "iou_whole": iou,
    } | facts


# --------------------------------------------------------------------------------------------------------------- stacks


@pytest.fixture
def pictures():
    rng = np.random.default_rng(0)
    mask = np.zeros((6, 60, 70), np.uint8)
    mask[:, 20:40, 10:50] = 255
    return (90 + 0.3 * mask + rng.normal(0, 9, mask.shape)).astype(np.uint8), mask


def test_a_folder_of_image_and_mask(tmp_path, pictures):
    image, mask = pictures
    tifffile.imwrite(tmp_path / "raw.tif", image, photometric="minisblack")
    tifffile.imwrite(tmp_path / "mask.tif", mask, photometric="minisblack")
    (tmp_path / "meta.json").write_text(json.dumps({"voxel_size_nm_zyx": [40, 5, 5]}))
    stack = load_stack(str(tmp_path))
    np.testing.assert_array_equal(stack.image, image)
    np.testing.assert_array_equal(stack.truth, np.where(mask, 2, 1))
    assert [one["background"] for one in stack.classes] == [True, False]
    assert stack.spacing_um == pytest.approx((0.04, 0.005, 0.005))


def test_folders_of_images_and_labels_are_frames_and_the_seed_turns_them(tmp_path, pictures):
    image, mask = pictures
    for name in ("images", "labels"):
        (tmp_path / name).mkdir()
    for at in range(8):
        tifffile.imwrite(tmp_path / "images" / f"{at}.tif", image[at % 6])
        tifffile.imwrite(tmp_path / "labels" / f"{at}.tif", mask[at % 6])
    stack = load_stack(str(tmp_path))
    assert stack.frames
    assert stack.image.shape == (6, 60, 70)
    assert (load_stack(str(tmp_path), seed=1).image != stack.image).any()


def test_colours_are_classes_and_numbers_are_objects_or_their_walls(tmp_path, pictures):
    image, mask = pictures
    colours = np.zeros((60, 70, 3), np.uint8)
    colours[..., 0] = 255
    colours[mask[0] > 0] = (0, 255, 0)
    tifffile.imwrite(tmp_path / "a.tif", image[0])
    tifffile.imwrite(tmp_path / "a_mask_rgb.tif", colours, photometric="rgb")
    two = load_stack(str(tmp_path))
    assert len(two.classes) == 2
    assert not any(one["background"] for one in two.classes)
    numbers = (
        1 + np.arange(60)[None, :, None] // 10 * 7 + np.arange(70)[None, None, :] // 10 + 0 * mask.astype(np.uint16)
    )
    folder = tmp_path / "walls"
    folder.mkdir()
    tifffile.imwrite(folder / "image.tif", image, photometric="minisblack")
    tifffile.imwrite(folder / "labels.tif", numbers.astype(np.uint16), photometric="minisblack")
    walls = load_stack(str(folder))
    assert [one["name"] for one in walls.classes] == ["background", "walls"]
    np.testing.assert_array_equal(walls.truth == 2, walls_between(numbers))


def test_a_crop_keeps_the_middle_and_its_proportions():
    stack = load_stack("nuclei")
    small = stack.cropped(400_000)
    assert small.image.shape == small.truth.shape
    assert 300_000 < small.image.size <= 450_000
    assert stack.cropped(10**9) is stack


def test_what_is_no_stack_is_said(tmp_path, monkeypatch):
    monkeypatch.delenv("VOXLOOP_DATA", raising=False)
    assert names() == ["em", "nuclei"]
    with pytest.raises(VolumeError, match="image beside its mask"):
        load_stack(str(tmp_path))
    with pytest.raises(VolumeError, match="did you mean 'nuclei'"):
        load_stack("nucleii")
    with pytest.raises(PredictionError, match="did you mean 'forest'"):
        learner_named("forrest")


# ----------------------------------------------------------------------------------------------------------------- rows


def test_rows_of_the_same_key_are_replaced_and_others_stay(tmp_path):
    path = tmp_path / "rows.json"
    Rows(path).add([row(1, 0.4), row(2, 0.5)])
    mine, theirs = Rows(path), Rows(path)
    theirs.add([row(1, 0.7, seed=1)])
    mine.add([row(2, 0.6)])
    content = json.loads(path.read_text())
    assert content["format"] == 1
    assert sorted((one["seed"], one["round"], one["iou"]) for one in content["rows"]) == [
        (0, 1, 0.4),
        (0, 2, 0.6),
        (1, 1, 0.7),
    ]
    path.write_text("[]")
    with pytest.raises(VoxloopError, match="no rows of the benchmark"):
        Rows(path)


def test_area_and_seconds_of_a_curve():
    curve = [row(1, 0.4), row(2, 0.6), row(3, 0.6)]
    assert area(curve) == pytest.approx(0.55)
    assert area(curve, since=0) == pytest.approx(0.55 * 120 / 180)
    assert area(curve, until=120) == pytest.approx(0.5)
    assert area(curve, since=0, until=60) == 0
    assert seconds_to(curve, 0.5) == pytest.approx(90)
    assert seconds_to(curve, 0.3) == 60
    assert seconds_to(curve, 0.61) == math.inf
    assert math.isnan(target_of(curve, "em", "shallow"))
    assert target_of([*curve, row(0, 0.6, strategy="all")], "em", "shallow") == pytest.approx(0.57)


def test_areas_reach_as_far_as_every_strategy_and_seeds_are_compared_in_pairs():
    rows = [row(n, 0.6, seed=seed, strategy="ours") for n in (1, 2, 3) for seed in (0, 1)]
    rows += [row(n, 0.5 + 0.1 * seed, seed=seed, strategy="random") for n in (1, 2) for seed in (0, 1)]
    ours, chance = summaries(rows)
    assert (ours.strategy, ours.until, chance.until) == ("ours", 120, 120)
    assert ours.areas == pytest.approx([0.3, 0.3])
    assert ours.over_chance == pytest.approx([0.2, 0.0])
    assert ours.gained == pytest.approx([0.0, 0.0])
    common = [one | {"start": "slices"} for one in rows]
    assert summaries(common)[0].areas == pytest.approx([0.6, 0.6])
    looked_at = [row(n, 0.9, seed=seed, doubts=3) for n in (1, 2) for seed in (0, 1)]
    assert summaries([*rows, *looked_at])[0].areas == pytest.approx([0.45, 0.45]), "one annotator a curve"


def test_seconds_are_saved_to_the_same_iou():
    ours = [row(n, 0.2 + 0.2 * n) for n in (1, 2, 3)]
    others = [row(n, 0.2 + 0.1 * n, learner="forest", strategy="random") for n in (1, 2, 3)]
    all_labels = [row(0, 0.8, strategy="all", start="all"), row(0, 0.5, strategy="all", start="all", learner="forest")]
    rows = [*ours, *others, *all_labels]
    assert savings(rows[:-1]) == []
    (high,) = savings(rows)
    assert (high.ours_never, high.others_never, high.draws) == (0, 1, 1)
    assert (high.ours, high.others) == pytest.approx((168, 180))
    assert high.bounds == pytest.approx((0, 168 / 180)), "others had not come to it when they ended"
    (low,) = savings(rows, lower=True)
    ratio = (60 + 60 * 0.075 / 0.2) / (60 + 60 * 0.175 / 0.1)
    assert low.bounds == pytest.approx((ratio, ratio))
    table = markdown(rows)
    assert "| em | 0.760 | 1 | 168 | more than 180 | at most 0.93 |" in table
    assert "the other one" in table
    # a second draw in which only the others come to it leaves both ways open; one in which neither does says nothing
    quick, short = row(1, 0.8, seed=1, learner="forest", strategy="random"), row(1, 0.3, seed=1)
    (open_both_ways,) = savings([*rows, quick, short])
    assert (open_both_ways.bounds, open_both_ways.draws) == ((0, math.inf), 2)
    (as_before,) = savings([*rows, quick | {"iou": 0.1}, short])
    assert as_before == high
    slow = Saving(data="b", target=0.5, ours=50, others=100, ours_never=1, others_never=0, draws=1)
    assert middle_of([high, slow]) == pytest.approx((0.25, math.inf))
    assert middle_of([slow]) == (0.5, math.inf)


def test_honesty_counts_what_the_intervals_hold():
    shown = {"score_low": 0.3, "score_iou": 0.4, "score_high": 0.5, "score_basis": "cross-fit"}
    rows = [row(1, 0.45, **shown), row(2, 0.55, **shown, corrected_basis="none")]
    (told,) = honesty(rows)
    assert (told["basis"], told["n"], told["holds"]) == ("cross-fit", 2, 0.5)
    assert told["width"] == pytest.approx(0.2)
    assert told["bias"] == pytest.approx(-0.1)
    low, high = wilson(1, 2)
    assert 0 < low < 0.5 < high < 1


def test_table_and_figure(tmp_path):
    rows = [
        row(n, 0.3 + 0.1 * n, seed=seed, strategy=where) for n in (1, 2) for seed in (0, 1) for where in ("ours", "x")
    ]
    table = markdown(rows)
    assert "| em | places | shallow | ours | 2 | 0.400 ± 0.000 (s 0.000) (60) | 0.500" in table
    assert table.count("not measured |") == 2
    known = markdown([*rows, row(0, 0.5, strategy="all")])
    assert "| 105 |" in known
    assert draw(rows, tmp_path / "a" / "loop.svg").read_text().startswith("<?xml")
    with pytest.raises(VoxloopError, match="no rounds"):
        draw([], tmp_path / "b.svg")


def test_fields_cover_planes():
    boxes = fields((3, 100, 130))
    assert sum(box.size for box in boxes) == 3 * 100 * 130
    assert all(box.shape[0] == 1 for box in boxes)


# ----------------------------------------------------------------------------------------------------------------- loop


def test_the_command_measures_and_goes_on_where_it_was(tmp_path, pictures):
    image, mask = pictures
    tifffile.imwrite(tmp_path / "image.tif", np.tile(image, (1, 2, 2)), photometric="minisblack")
    tifffile.imwrite(tmp_path / "mask.tif", np.tile(mask, (1, 2, 2)), photometric="minisblack")
    to = tmp_path / "rows.json"
    command = ["benchmark", "--data", str(tmp_path), "--rounds", "3", "--seeds", "1", "--to", str(to)]
    command += ["--learner", "shallow,forest", "--strategy", "ours"]
    done = CliRunner().invoke(main, [*command, "--json"])
    assert done.exit_code == 0, done.stderr
    rows = json.loads(done.stdout)["rows"]
    assert len(rows) == 6
    assert all(0 < one["iou"] <= 1 for one in rows)
    assert all(one["iou"] > 0.5 for one in rows if one["round"] == 3)
    first, second, last = (one for one in rows if (one["learner"], one["strategy"]) == ("shallow", "ours"))
    assert second["seconds"] > first["seconds"] > 6 * 2
    assert first["score_basis"] == "none", "six strokes tell nothing yet"
    assert "score_low" not in first
    assert "corrected_basis" in first
    assert "later_basis" in first
    assert "corrected_basis" not in last
    again = CliRunner().invoke(main, command)
    assert "round" not in again.stderr  # nothing was measured again
    assert "| forest | ours |" in again.stdout
    refused = CliRunner().invoke(main, [*command, "--strategy", "orcale"])
    assert refused.exit_code == 2
    assert "did you mean 'oracle'" in refused.stderr
