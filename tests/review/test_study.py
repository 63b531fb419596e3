"""A study of objects: groups of images, rules, classes; its numbers, and reports that hold all of it."""

from __future__ import annotations

import json
import re

import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner
from scipy import stats

from voxloop.cli import main
from voxloop.errors import PredictionError
from voxloop.objects import task
from voxloop.runs import Run
from voxloop.runs.context import RunContext
from voxloop.runs.events import EventWriter
from voxloop.workspace.workspace import Workspace

SHAPE = (4, 40, 70)


def launch(run, queue=True):
    """Runs run here and now."""
    writer = EventWriter(run.path / "events.jsonl")
    writer.emit("started", device="cpu")
    writer.emit(task.run(RunContext(run.path, json.loads((run.path / "config.json").read_text()), writer)))
    return run


@pytest.fixture(scope="module")
def ws(tmp_path_factory):
    """Four images with six cells each; those of the last two are larger."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Run, "launch", launch)
        folder = tmp_path_factory.mktemp("study")
        empty = np.zeros(SHAPE, np.uint8)
        with Workspace.create(folder / "ws", image=empty, image_name="a", level="cells", kind="instances") as made:
            for name in "bcd":
                made.images.add(name, empty + 1)
            for order, name in enumerate("abcd"):
                values = np.zeros(SHAPE, np.uint32)
                for at in range(6):
                    size = 4 + at + (5 if name in "cd" else 0) + order % 2
                    values[1:3, 5 : 5 + size, 10 * at + 5 : 10 * at + 12] = at + 1
                made.labels("cells", name).write(None, values)
                made.objects("cells", image=name, name=f"of-{name}")
            made.levels.add("nerve", classes=["axon", "myelin"])
            nerve = np.zeros(SHAPE, np.uint8)
            nerve[:, 8:32, 20:44] = 2
            nerve[:, 12:28, 24:40] = 1
            made.labels("nerve", "a").write(None, nerve)
            yield made


def test_groups_are_compared_by_the_means_of_their_images(ws, tmp_path) -> None:
    first = ws.runs["of-a"].result
    kept = first.classifier({"small": [1, 2], "large": [5, 6]}, measures=["volume_um3"]).save(tmp_path / "sizes.json")
    study = ws.study(
        groups={"control": ["a", "b"], "treated": ["c", "d"]},
        classes=kept,
        rules={"big": "volume_um3 > 100"},
        name="Cells",
    )
    table = study.table
    assert table.groupby("group")["object"].count().to_dict() == {"control": 12, "treated": 12}
    means = table.groupby("image")["volume_um3"].mean()
    row = study.tests.set_index("measure").loc["volume_um3"]
    assert row["test"] == "Welch's t-test of the means of images"
    assert row["p"] == pytest.approx(stats.ttest_ind(means[["a", "b"]], means[["c", "d"]], equal_var=False).pvalue)
    described = study.statistics.set_index(["group", "measure"]).loc[("treated", "volume_um3")]
    own = table.loc[table["group"] == "treated", "volume_um3"]
    assert described[["mean", "sd", "objects", "images"]].tolist() == pytest.approx([own.mean(), own.std(), 12, 2])
    assert study.counts["big"].sum() == (table["volume_um3"] > 100).sum()
    assert study.counts[["small", "large"]].to_numpy().sum() == 24
    assert study.g_ratio is not None
    ratio = study.g_ratio.set_index("measure").loc["g_ratio"]
    assert (ratio["mean"], ratio["objects"]) == (pytest.approx(16 / 24), 4)
    assert "none: there is one group" in set(ws.study(groups=["a", "c"]).tests["test"])
    alone = ws.study(groups={"x": "a", "y": ["c"]}, rules="voxels > 60")
    assert ws.study(groups={"a": "x", "c": "y"}, rules=["voxels > 60"]).counts.equals(alone.counts)
    assert "voxels > 60" in alone.counts
    alone = alone.tests
    assert "every group needs two images" in alone["test"].iloc[0]

    page = study.report(tmp_path / "study.html").read_text()
    for words in (
        "Cells", "What was segmented", "1000 x 1000 x 1000 nm", "Welch", "volume_um3 &gt; 100", "g_ratio",
        "examples get their class when left out", "level &#x27;cells&#x27;", "class small: typical",
    ):  # fmt: skip
        assert words in page, words
    assert page.count("data:image/png") >= 9
    assert not re.search(r"<script|https?://", page)
    assert "data:text/csv" in page
    assert pd.read_parquet(study.save_table(tmp_path / "table.parquet"))["group"].tolist() == table["group"].tolist()
    with pytest.raises(PredictionError, match="exists"):
        study.save_table(tmp_path / "table.parquet")
    with pytest.raises(PredictionError, match="exists"):
        study.report(tmp_path / "study.html")
    with pytest.raises(PredictionError, match=r"must end in \.html or \.pdf"):
        study.report(tmp_path / "study.doc")
    ws.close()
    told = CliRunner().invoke(
        main, ["report", str(ws.path), str(tmp_path / "s.pdf"), "--group", "x=a,b", "--measure", "volume_um3", "--json"]
    )
    assert told.exit_code == 0, told.output
    assert (tmp_path / "s.pdf").read_bytes().startswith(b"%PDF")
    assert (tmp_path / "s.csv").read_text().count("\n") == 13
    refused = CliRunner().invoke(main, ["report", str(ws.path), str(tmp_path / "t.html"), "--rule", "x=volumes > 2"])
    assert refused.exit_code == 2
    assert "did you mean 'volume_um3'" in refused.output


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"groups": {"x": ["nope"]}}, "unknown image 'nope'"),
        ({"groups": ["nope"]}, "unknown image 'nope'"),
        ({"groups": "a"}, "name groups and their images"),
        ({"rules": 2}, "name rules"),
        ({"groups": {"x": ["a"], "y": ["a"]}}, "in group 'x' and in group 'y'"),
        ({"groups": {}}, "names no image"),
        ({"objects": ["of-a", "of-a"]}, "both of image 'a'"),
        ({"objects": "of-z"}, "unknown run of objects 'of-z'"),
        ({"measures": ["volum_um3"]}, "did you mean 'volume_um3'"),
        ({"only": "volume_um3"}, "compares nothing"),
        ({"classes": {1: "a"}}, "takes a classifier"),
    ],
)
def test_what_is_no_study_is_said(ws, given, words) -> None:
    with Workspace.open(ws.path, read_only=True) as opened, pytest.raises(PredictionError, match=words):
        opened.study(**given).table  # noqa: B018
