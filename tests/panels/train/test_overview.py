"""What is labelled so far, and what stands against training."""

from __future__ import annotations

from types import SimpleNamespace

from voxloop.panels.train.overview import StrokeTally, class_facts, preflight

CLASSES = [
    SimpleNamespace(value=1, name="background", color="#999"),
    SimpleNamespace(value=2, name="mito", color="#e69"),
]


def stroke(seq, value, index=3, axis="z", **more):
    return {
        "seq": seq,
        "tool": "paint",
        "voxels": 9,
        "arguments": {"axis": axis, "index": index, "value": value},
        **more,
    }


def tally(*records):
    made = StrokeTally()
    for record in records:
        made.add(record)
    return made


def test_strokes_and_planes_are_counted_per_class_by_value_or_name_without_undone_ones():
    found = tally(
        stroke(1, 1),
        stroke(2, 2),
        stroke(3, "mito", index=9),
        stroke(4, 2, index=9),
        stroke(5, 2, voxels=0),
        {"seq": 6, "tool": "undo", "of": 2, "reverse": True, "voxels": 9, "arguments": {}},
        {"seq": 7, "tool": "undo", "of": 1, "reverse": True, "voxels": 9, "arguments": {}},
        {"seq": 8, "tool": "redo", "of": 1, "reverse": False, "voxels": 9, "arguments": {}},
        {"seq": 9, "tool": "write", "voxels": 99, "arguments": {}},
        stroke(10, 1, joined=True),
    )
    rows = class_facts(CLASSES, {1: 50, 2: 70}, [found, tally(stroke(1, 2, index=9))])
    assert [(row.strokes, row.slices, row.voxels) for row in rows] == [(1, 1, 50), (3, 2, 70)]
    assert found.sequence == 10


def words(counts, deep=False, *records):
    return preflight(class_facts(CLASSES, counts, [tally(*records)]), deep=deep)


def test_what_stands_against_training():
    assert words({})[0] == ("error", "Nothing is labelled yet; paint a few strokes of at least two classes.")
    assert words({1: 500}) == [("error", "Only 'background' is labelled; paint a few strokes of 'mito' as well.")]
    assert "only 20 voxels" in words({1: 500, 2: 20})[0][1]
    assert "100 times" in words({1: 50_000, 2: 500})[0][1]
    assert words({1: 500, 2: 500}) == []
    assert "on one slice" in words({1: 500, 2: 500}, True, stroke(1, 1), stroke(2, 2))[0][1]
    assert words({1: 500, 2: 500}, True, stroke(1, 1), stroke(2, 2, index=20), stroke(3, 2)) == []
    assert preflight([])[0][0] == "error"


def test_an_unlabelled_class_among_others_is_a_warning_only():
    third = SimpleNamespace(value=3, name="membrane", color="#c7a")
    found = preflight(class_facts([*CLASSES, third], {1: 500, 2: 500}, []))
    assert [kind for kind, _ in found] == ["warning"]
    assert "'membrane' has no labels" in found[0][1]
