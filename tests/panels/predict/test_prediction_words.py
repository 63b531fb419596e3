"""Predictions in words: sizes, progress, cuts between tiles."""

from __future__ import annotations

from voxloop.panels.predict.prediction_words import describe_progress, estimate_table, size
from voxloop.prediction.rehearsal import Estimate
from voxloop.prediction.result import borders
from voxloop.runs.history import History, fold


def test_sizes_progress_and_borders():
    assert [size(n) for n in (500, 340e6, 1.24e9, 3e12)] == ["1 kB", "340 MB", "1.2 GB", "3.0 TB"]
    started = {"v": 1, "kind": "started", "time": 0.0}
    history = fold(
        History(), [started, {"v": 1, "kind": "progress", "time": 0.0, "done": 3, "total": 12, "eta_s": 61.0}]
    )
    bar, words = describe_progress("running", history, 1.0)
    assert "width:25.0%" in bar
    assert words == "3 of 12 tiles, about 1 min to go"
    seam = {"largest": 2.1e-6, "usual": 0.0, "flips": 0.0004, "voxels": 900}
    assert borders(seam) == "cuts between tiles change probabilities by 2e-06 at most, and 0.04% of labels there"
    assert borders({**seam, "largest": 0.0, "flips": 0.0}) == "cuts between tiles change nothing"
    assert borders({**seam, "voxels": 0}) == "made in one piece, without cuts between tiles"
    assert borders(None) == "tile borders were not checked"
    many = {"v": 1, "kind": "progress", "time": 1.0, "done": 12, "total": 12, "unit": "tiles", "coarser": [3, 8]}
    assert "coarser resolutions: block 3 of 8" in describe_progress("running", fold(history, [many]), 1.0)[1]


def test_what_tiles_cost_is_said_in_voxels():
    fields = {"seconds": 9.0, "memory_bytes": 10, "allowed_bytes": 20, "disk_bytes": 1, "free_disk_bytes": 9}
    thin = Estimate(**fields, waste=44.0, block=(1, 64, 64), halo=(2, 8, 8), tiles=2)
    assert ">2; 44 voxels are computed for each one kept<" in estimate_table(thin)
    assert "the model sees 2 × 8 × 8 voxels more on each side" in estimate_table(thin)
    whole = Estimate(**fields, waste=1.0, block=(1, 64, 64), halo=(0, 0, 0), tiles=1)
    assert ">1; each voxel is computed once<" in estimate_table(whole)
