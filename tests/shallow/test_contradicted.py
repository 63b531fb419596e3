"""Which strokes are left out: few, surely contradicted, of a class that models know by its other strokes."""

from __future__ import annotations

import numpy as np
import pytest

from voxloop.shallow.contradicted import contradicted
from voxloop.shallow.crossfit import Answers
from voxloop.shallow.samples import APART

VOXELS = 8


def answers(strokes: list[tuple[int, float]], images: list[int] | None = None) -> tuple[Answers, np.ndarray]:
    """Of each stroke the class painted and how probable models think it; of two classes, edits from 1 on."""
    images = [0] * len(strokes) if images is None else images
    targets = np.repeat([painted for painted, _ in strokes], VOXELS)
    own = np.repeat([probability for _, probability in strokes], VOXELS)
    probabilities = np.where(targets[:, None] == [0, 1], own[:, None], 1 - own[:, None])
    count = len(targets)
    at = np.column_stack([np.repeat(images, VOXELS) * APART, np.arange(count), np.arange(count)])
    whole = Answers(at, targets, np.ones(count), np.zeros(count, int), probabilities)
    return whole, np.repeat(np.arange(1, len(strokes) + 1), VOXELS)


def left_out(strokes, **how) -> list[int]:
    return [one.sequence for one in contradicted(*answers(strokes), **how)]


def test_one_stroke_that_the_others_contradict_is_left_out():
    known = [(0, 0.9), (1, 0.8)] * 5
    assert left_out(known) == []
    found = contradicted(*answers([*known, (1, 0.02)]))
    assert [(one.sequence, one.painted, one.said) for one in found] == [(11, 1, 0)]
    assert found[0].confidence == pytest.approx(0.98)
    assert left_out([*known, (1, 0.3)]) == [], "models are not sure"
    assert left_out([*known, (1, 0.02)], kept=frozenset({(0, 11)})) == [], "somebody says it is right"


def test_a_class_that_models_do_not_know_keeps_its_strokes():
    assert left_out([(0, 0.9)] * 10 + [(1, 0.02)]) == [], "painted once"
    assert left_out([(0, 0.9)] * 10 + [(1, 0.8)] * 2 + [(1, 0.02)]) == [], "three would not be left"
    assert left_out([(0, 0.9)] * 10 + [(1, 0.8), (1, 0.02)] * 4) == [], "contradicted every other time: it is hard"


def test_one_among_others_that_models_are_unsure_of_is_left_out_where_these_tell_more_without_it():
    strokes = [(0, 0.7)] * 8 + [(1, 0.8), (1, 0.4)] * 4 + [(1, 0.02)]
    assert left_out(strokes) == [], "corrections make every class look unknown"
    tried = []

    def without(own: float, rest=tuple(strokes[8:])):
        def asked(some):
            tried.append([one.sequence for one in some])
            return answers([(0, own)] * 8 + list(rest))[0]

        return asked

    assert left_out(strokes, without=without(0.8)) == [17]
    assert left_out(strokes, without=without(0.7)) == [], "a right one changes nothing"
    assert left_out(strokes, without=lambda some: None) == [], "no class is left to learn"
    assert tried == [[17]] * 2
    assert left_out(strokes, without=without(0.8), kept=frozenset({(0, 17)})) == []
    hard = [(0, 0.7)] * 8 + [(1, 0.8), (1, 0.2)] * 4 + [(1, 0.02)]
    assert left_out(hard, without=without(0.8)) == [], "the others are clearly something else too"
    kind = [(0, 0.7)] * 8 + [(1, 0.8)] * 8 + [(1, 0.4)] * 5 + [(1, 0.02), (1, 0.05), (1, 0.06)]
    assert left_out(kind[:-1], without=without(0.8, kind[8:-1])) == [22]
    assert left_out(kind, without=without(0.8, kind[8:])) == [], "three alike are a kind that models do not know"
    tried.clear()
    known = [(0, 0.7), (1, 0.8)] * 5 + [(1, 0.02)]
    assert left_out(known, without=without(0.8)) == [11], "sure without a trial"
    assert not tried, "models are fitted anew where it must be"


def test_no_more_than_one_in_twenty_is_left_out_the_surest_first():
    known = [(0, 0.9), (1, 0.8)] * 12
    assert left_out([*known, (1, 0.05), (0, 0.01), (1, 0.03)]) == [26]
    assert len(left_out([*known * 2, (1, 0.05), (0, 0.01), (1, 0.03)])) == 3


def test_strokes_of_several_images_are_told_apart():
    whole, strokes = answers([(0, 0.9), (1, 0.8)] * 5 + [(1, 0.02), (1, 0.9)], images=[0] * 11 + [1])
    strokes[strokes == 12] = 11
    assert [(one.image, one.sequence) for one in contradicted(whole, strokes)] == [(0, 11)]


def test_what_is_of_no_stroke_is_never_left_out():
    whole, strokes = answers([(0, 0.9), (1, 0.8)] * 5 + [(1, 0.02)])
    assert contradicted(whole, np.where(strokes == 11, 0, strokes)) == []
