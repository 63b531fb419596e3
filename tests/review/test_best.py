"""Which prediction is offered: the rule, on what is known of made-up predictions."""

from __future__ import annotations

import pytest

from voxloop.review.best import Candidate, choose
from voxloop.review.comparison import Pair
from voxloop.review.score import Score


def offer_of(*candidates, pairs=None, held_out=None, apart=None):
    """The offer: ``pairs`` gives differences (low, high) of the first of two, ``held_out`` gains, ``apart`` 1 - IoU."""

    def pair_of(one, other):
        if pairs and (one, other) in pairs:
            low, high = pairs[one, other]
            middle = (low + high) / 2
            return Pair(one=one, other=other, difference=(middle, low, high), differ=0.1, n=30, source="30 places")
        return Pair(one=one, other=other, differ=0.1, lacking="check 100 points")

    return choose(
        candidates,
        pair_of,
        lambda one, other: (held_out or {}).get((one, other)),
        lambda one, other: (apart or {}).get((one, other), 0.2),
    )


FIRST = Candidate(name="p1", run="s1", seen=24, voxels=10)
SECOND = Candidate(name="p2", run="s2", seen=48, voxels=10)


def scored(low, high):
    return Score(known=True, iou=(low + high) / 2, interval=(low, high), basis="corrections", n=20)


def test_more_labels_follow_unless_something_says_worse():
    assert offer_of(FIRST, SECOND).name == "p2"
    assert offer_of(FIRST, SECOND, pairs={("p1", "p2"): (0.02, 0.2)}).name == "p1"
    assert offer_of(FIRST, SECOND, held_out={("s1", "s2"): (-0.1, -0.2, -0.06)}).name == "p1"
    assert offer_of(FIRST, SECOND, held_out={("s1", "s2"): (-0.1, -0.2, -0.01)}).name == "p2", "that may be chance"


def test_a_comparison_counts_before_all_else():
    worse_by_held_out = {("s1", "s2"): (-0.2, -0.3, -0.1)}
    assert offer_of(FIRST, SECOND, pairs={("p1", "p2"): (-0.2, -0.05)}, held_out=worse_by_held_out).name == "p2"


@pytest.mark.parametrize(("against", "offered"), [("behind", "p1"), ("", "p1"), ("ahead", "n1")])
def test_a_network_follows_only_where_it_is_ahead_of_its_classifier(against, offered):
    network = Candidate(name="n1", run="d1", learner="deep", seen=24, voxels=10, against=against)
    assert offer_of(FIRST, network).name == offered


def test_a_network_behind_its_classifier_never_follows():
    network = Candidate(
        name="n1", run="d1", learner="deep", seen=90, voxels=99, against="behind", score=scored(0.9, 0.95)
    )
    first = Candidate(name="p1", run="s1", seen=24, voxels=10, score=scored(0.1, 0.2))
    assert offer_of(first, network, pairs={("p1", "n1"): (-0.5, -0.3)}).name == "p1"


def test_a_network_that_had_fewer_labels_does_not_follow_though_it_was_ahead_then():
    network = Candidate(name="n1", run="d1", learner="deep", seen=24, voxels=10, against="ahead")
    assert offer_of(SECOND, network).name == "p2"


def test_scores_that_do_not_overlap_decide_where_no_comparison_does():
    first = Candidate(name="p1", run="s1", seen=24, voxels=10, score=scored(0.7, 0.8))
    worse = Candidate(name="p2", run="s2", seen=48, voxels=10, score=scored(0.3, 0.5))
    assert offer_of(first, worse).name == "p1"
    better = Candidate(name="n1", run="d1", learner="deep", seen=24, voxels=10, score=scored(0.85, 0.9))
    assert offer_of(first, better).name == "n1"


def test_a_model_that_says_something_else_of_the_image_is_not_offered_silently():
    first, fallen, third = (
        Candidate(name=f"p{k}", run=f"s{k}", seen=24 * k, voxels=10, score=scored(0.6, 0.8)) for k in (1, 2, 3)
    )
    alone = offer_of(first, fallen, apart={("p1", "p2"): 0.9})
    assert alone.name == "p1"
    assert "more than their scores allow" in alone.words
    # the next one agrees with the first again: the fall is passed over; or with the second: then the first had fallen
    assert offer_of(first, fallen, third, apart={("p1", "p2"): 0.9, ("p2", "p3"): 0.9}).name == "p3"
    assert offer_of(first, fallen, third, apart={("p1", "p2"): 0.9, ("p1", "p3"): 0.9}).name == "p3"
    unknown = Candidate(name="p1", run="s1", seen=24, voxels=10)
    assert offer_of(unknown, fallen, apart={("p1", "p2"): 0.9}).name == "p2", "nothing is said of the first"


def test_a_part_of_the_image_does_not_follow_all_of_it():
    part = Candidate(name="p2", run="s2", seen=48, voxels=3)
    assert offer_of(FIRST, part).name == "p1"
    assert offer_of(part, FIRST).name == "p1"


def test_best_is_said_only_where_comparison_says_so():
    third = Candidate(name="p3", run="s3", seen=72, voxels=10)
    alone = offer_of(FIRST)
    assert (alone.clear, alone.words) == (False, "p1 is the only prediction")
    by_habit = offer_of(FIRST, SECOND, third)
    assert (by_habit.name, by_habit.clear) == ("p3", False)
    assert "not known that it is the best" in by_habit.words
    half = {("p1", "p3"): (-0.3, -0.1)}
    assert not offer_of(FIRST, SECOND, third, pairs=half).clear
    proven = offer_of(FIRST, SECOND, third, pairs={**half, ("p2", "p3"): (-0.3, -0.1)})
    assert proven.clear
    assert "better than each of the others" in proven.words
