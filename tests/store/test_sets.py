"""Named training sets: rows, versions, and what they mean to whoever opens them."""

from __future__ import annotations

import numpy as np
import pytest

from voxloop.config import DeepConfig, ShallowConfig
from voxloop.errors import ConfigError, LabelError, WorkspaceError
from voxloop.geometry import Box
from voxloop.store import Store
from voxloop.store.confined import Area
from voxloop.store.teaching import freeze, open_portions

BOX = (slice(0, 4), slice(0, 40), slice(0, 50))


@pytest.fixture
def ws(tmp_path):
    """Two images; class 1 on the left, class 2 on the right; a parent level whose class covers the upper half."""
    picture = np.zeros((4, 80, 100), np.uint8)
    with Store.create(tmp_path / "ws", image=picture, image_name="one", classes=["rest", "cell"]) as store:
        store.images.add("two", picture, copy=True)
        store.levels.add("tissue", classes=["gland"])
        values = np.where(np.arange(100) < 50, 1, 2).astype(np.uint8)
        for name in ("one", "two"):
            store.labels("labels", name).write(None, np.broadcast_to(values, picture.shape))
        upper = np.zeros(picture.shape, np.uint8)
        upper[:, :40] = 1
        store.labels("tissue", "one").write(None, upper)
        store.regions.add("corner", BOX, image="one")
        yield store


def counts(store, config):
    portions, _ = open_portions(store.path, freeze(store, config))
    return {p.name: (p.judges, p.labels.counts()) for p in portions}


def test_a_set_is_rows_of_image_level_and_region(ws):
    made = ws.sets.add("cells", [("one", "labels", "corner"), {"image": "two", "level": "labels"}])
    assert made.title == "cells@1"
    assert [(row.image, row.region, row.box) for row in made.rows] == [
        ("one", "corner", Box((0, 0, 0), (4, 40, 50))),
        ("two", None, None),
    ]
    with Store.open(ws.path, read_only=True) as again:
        assert again.sets["cells"] == made


def test_an_edit_is_a_new_version_and_the_old_one_stays(ws):
    ws.sets.add("cells", [("one", "labels")])
    second = ws.sets.edit("cells", [("one", "labels", BOX), ("two", "labels")])
    assert (second.version, ws.sets["cells"], len(ws.sets["cells@1"].rows)) == (2, second, 1)
    assert ws.sets.edit("cells", second.rows) == second  # nothing changed
    copy = ws.sets.duplicate("cells@1")
    assert (copy.name, copy.version, copy.rows) == ("cells copy", 1, ws.sets["cells@1"].rows)
    assert ws.sets.duplicate("cells").name == "cells copy 2"
    ws.sets.remove("cells")
    assert ws.sets.names == ["cells copy", "cells copy 2"]


def test_a_version_keeps_its_box_when_the_region_moves(ws):
    ws.sets.add("cells", [("one", "labels", "corner")])
    ws.regions.add("corner", (slice(0, 1), slice(0, 5), slice(0, 5)), image="one")
    assert ws.sets["cells"].rows[0].slices == BOX


@pytest.mark.parametrize(
    ("rows", "error", "words"),
    [
        ([], LabelError, "at least one row"),
        ([("one", "labels", "corne")], WorkspaceError, "corner"),
        ([("two", "labels", "corner")], WorkspaceError, "belongs to image 'one'"),
        ([("three", "labels")], WorkspaceError, "three"),
        ([("one", "labels"), ("one", "tissue")], LabelError, "different classes"),
        ([("one",)], LabelError, "say which level"),
    ],
)
def test_rows_that_mean_nothing_are_refused(ws, rows, error, words):
    with pytest.raises(error, match=words):
        ws.sets.add("cells", rows)
    assert not ws.sets.names


@pytest.mark.parametrize("kind", [DeepConfig, ShallowConfig])
def test_only_the_rows_of_a_set_teach(ws, kind):
    ws.sets.add("cells", [("one", "labels", (slice(0, 4), slice(0, 10), slice(40, 60)))])
    assert counts(ws, kind(training_set="cells")) == {"one": (False, {1: 400, 2: 400})}
    facts = freeze(ws, kind(training_set="cells"))
    assert (facts["level"], facts["set"]) == ("labels", {"name": "cells", "version": 1})
    with pytest.raises(ConfigError, match="use one of them"):
        kind(training_set="cells", images=("one",))
    with pytest.raises(ConfigError, match="tissue"):
        freeze(ws, kind(training_set="cells", level="tissue"))


def test_a_validation_set_judges_and_never_teaches(ws):
    """Nor does what lies within eight voxels of it."""
    box = (slice(0, 4), slice(30, 50), slice(30, 70))
    ws.sets.add("judge", [("one", "labels", box)])
    found = counts(ws, DeepConfig(level="labels", validation_set="judge"))
    assert found["one (validation)"] == (True, {1: 1600, 2: 1600})
    near = 4 * 36 * 28  # the box and eight voxels around it, either class
    assert found["one"] == (False, {1: 4 * 80 * 50 - near, 2: 4 * 80 * 50 - near})
    assert found["two"] == (False, {1: 16000, 2: 16000})
    ws.sets.add("same", [("one", "labels", box)])
    with pytest.raises(LabelError, match="apart from what validation set judge@1 holds"):
        freeze(ws, DeepConfig(training_set="same", validation_set="judge"))


def test_training_is_confined_to_a_class_of_another_level(ws):
    found = counts(ws, DeepConfig(level="labels", constrain="tissue/gland"))
    assert found == {"one": (False, {1: 8000, 2: 8000})}  # nothing is gland on the other image
    with pytest.raises(ConfigError, match="lies in no other"):
        freeze(ws, DeepConfig(level="labels", constrain="parent"))
    with pytest.raises(ConfigError, match="tissue/gland"):
        freeze(ws, DeepConfig(level="labels", constrain="tissue"))
    with pytest.raises(LabelError, match="gland"):
        freeze(ws, DeepConfig(level="labels", constrain="tissue/glend"))


def test_labels_are_those_of_the_edit_that_was_frozen(ws):
    ws.sets.add("cells", [("two", "labels", BOX), ("two", "labels", (slice(0, 4), slice(0, 40), slice(50, 100)))])
    facts = freeze(ws, DeepConfig(training_set="cells", constrain=None))
    ws.labels("labels", "two").write(None, np.ones((4, 80, 100), np.uint8))
    portions, _ = open_portions(ws.path, facts)
    assert portions[0].labels.counts() == {1: 8000, 2: 8000}


@pytest.mark.parametrize("seed", range(4))
def test_an_area_is_its_mask(ws, seed):
    """Touched, read and the shortcuts agree with a mask of the whole image."""
    rng = np.random.default_rng(seed)

    def box():
        low = [int(rng.integers(size - 1)) for size in (4, 80, 100)]
        return Box.from_json([(a, int(rng.integers(a + 1, s + 1))) for a, s in zip(low, (4, 80, 100), strict=True)])

    inside = (ws.labels("tissue", "one"), 1) if seed % 2 else None
    area = Area(boxes=(box(), box()) if seed < 3 else None, without=(box(),), inside=inside)
    whole = area.mask(Box.whole((4, 80, 100)))
    for _ in range(20):
        part = box()
        assert np.array_equal(area.mask(part), whole[part.slices])
        assert area.touches(part) == whole[part.slices].any()
        assert not area.holds(part) or whole[part.slices].all()


def test_versions_of_thousands_of_tiles_say_what_they_keep(tmp_path):
    def rows(first, stop):
        return [("image", "labels", (slice(0, 1), slice(n, n + 1), slice(0, 4))) for n in range(first, stop)]

    place = tmp_path / "ws"
    with Store.create(place, image=np.zeros((1, 4000, 4), np.uint8), classes=["a"]) as store:
        store.sets.add("tiles", rows(0, 2000))
        size = (place / "workspace.json").stat().st_size
        store.sets.edit("tiles", [*store.sets["tiles"].rows[:1500], *rows(3000, 3010), ("image", "labels", None)])
        store.sets.edit("tiles", store.sets["tiles"].rows[5:])
        written = store.sets.versions("tiles")
        assert (place / "workspace.json").stat().st_size - size < 2000
    with Store.open(place) as store:
        assert store.sets.versions("tiles") == written
        assert [len(one.rows) for one in written] == [2000, 1511, 1506]
        store.sets.edit("tiles", store.sets["tiles"].rows[:-1])
        assert (place / "workspace.json").stat().st_size - size < 3000
    text = (place / "workspace.json").read_text()
    for wrong in ("0:2001", "5:x"):
        (place / "workspace.json").write_text(text.replace('"kept": "0:1500"', f'"kept": "{wrong}"'))
        with pytest.raises(WorkspaceError, match="damaged"):
            Store.open(place)
