"""Maps, peaks, groups, scores and views of places: pure parts."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from voxloop.config import DetectConfig, PoseConfig
from voxloop.deep.pose.backbone import Backbone, BackboneConfig, MapHead, without_normalisation
from voxloop.deep.pose.directions import usual_turn
from voxloop.deep.pose.finding import Finder
from voxloop.deep.pose.grouping import group
from voxloop.deep.pose.last_word import _some
from voxloop.deep.pose.lessons import Lesson, MapLoss
from voxloop.deep.pose.maps import affinity_fields, confidence_maps, extent_maps
from voxloop.deep.pose.peaks import highest_peaks, local_peaks
from voxloop.deep.pose.pictures import Album, AlbumPicture, Placed, Reader
from voxloop.deep.pose.plan import plan_of
from voxloop.deep.pose.scores import f_score, found_points, match, oks, summary
from voxloop.deep.pose.split import hold_out
from voxloop.deep.pose.variation import look, plain_view, varied_view, vary_grays
from voxloop.errors import ConfigError


@settings(max_examples=30, deadline=None)
@given(st.floats(12, 50), st.floats(12, 50), st.sampled_from([1, 2, 4]), st.floats(2.5, 4), st.sampled_from([2, 3]))
def test_a_peak_is_found_where_it_was_drawn(y: float, x: float, stride: int, sigma: float, axes: int) -> None:
    place = (y, x) if axes == 2 else (y / 2, y, x)
    places = torch.tensor([[list(place)]])
    steps = (stride,) * axes
    maps = confidence_maps(places, (64 // stride,) * axes, steps, (sigma,) * axes)
    at, score = highest_peaks(maps, steps)
    assert np.allclose(at[0], place, atol=0.02)
    assert 0.3 < score[0] <= 1
    found = local_peaks(maps, steps, 0.2)
    assert len(found) == 1
    assert np.allclose(found.at[0], place, atol=0.02)


def test_two_animals_are_told_apart_by_their_edges() -> None:
    # side by side, so that the nearest node is the other one's
    animals = np.array([[[10.0, 10], [40, 10], [70, 10]], [[10, 22], [40, 22], [70, 22]]])
    edges = ((0, 1), (1, 2))
    fields = affinity_fields(torch.tensor(animals).float(), edges, (20, 20), (4, 4), 4.0).numpy()
    at = animals.reshape(-1, 2)
    node = np.tile([0, 1, 2], 2)
    own = group(at, node, np.ones(6), fields, (4, 4), edges, 3, 30.0)
    assert sorted(tuple(sorted(one.values())) for one in own) == [(0, 1, 2), (3, 4, 5)]


def test_a_peak_that_no_field_joins_stays_alone() -> None:
    at, node = np.array([[10.0, 10], [40, 10]]), np.array([0, 1])
    own = group(at, node, np.array([0.9, 0.8]), np.zeros((2, 20, 20)), (4, 4), ((0, 1),), 2, 30.0)
    assert [len(one) for one in own] == [1, 1]


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 10_000), st.sampled_from([0.5, 1.0, 1.5]))
def test_places_move_with_the_picture(seed: int, scale: float) -> None:
    rng = np.random.default_rng(seed)
    place = rng.uniform(30, 66, (1, 1, 2))
    picture = confidence_maps(torch.from_numpy(place).float(), (96, 96), (1, 1), (3.0, 3.0))
    config = PoseConfig(rotation=180, flip="both", shift=0.1)
    view = varied_view(config, rng, (96, 96), (47.5, 47.5), (scale, scale))
    shown = view.on_window(place)
    if not ((shown > 24) & (shown < 71)).all():  # the whole of it is to be seen
        return
    seen = look(picture, view, (96, 96))[0].numpy()
    # its middle: linear interpolation moves the peak by up to half a pixel of the picture, but not that
    middle = [np.average(np.arange(96), weights=seen.sum(1 - axis)) for axis in (0, 1)]
    assert np.allclose(middle, shown[0, 0], atol=0.1)
    assert np.allclose(view.on_picture(shown), place)


_BODY = np.array([[0.0, 20], [6, 12], [-6, 12], [0, 0], [2, -25]])


def _lying(degrees: list[float], seed: int = 0) -> list[Placed]:
    """A body a frame, each turned, of its own size, somewhere, its nodes a little off; one node is missing in turn."""
    rng = np.random.default_rng(seed)
    out = []
    for number, angle in enumerate(np.radians(degrees)):
        turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
        at = _BODY @ turn.T * rng.uniform(0.8, 1.3) + rng.uniform(50, 400, 2) + rng.normal(0, 0.5, _BODY.shape)
        at[number % len(at)] = np.nan
        out.append(Placed(at[None]))
    return out


@pytest.mark.parametrize(
    ("degrees", "least", "most"),
    [
        ([*range(-5, 6), 0] * 2, 15, 35),  # from the side
        ([170, 175, -175, -170, 180, 178, -178, 172] * 3, 20, 40),  # where angles begin anew is no border
        ([*range(-30, 31, 5)], 50, 80),
        ([*range(0, 360, 24)], 180, 180),  # from above
        ([3, 183] * 4, 180, 180),
        ([0, 1], 180, 180),  # too few to tell
    ],
)
def test_frames_are_turned_as_far_as_animals_lie_apart(degrees: list[float], least: float, most: float) -> None:
    turned, words = usual_turn(_lying([float(one) for one in degrees]))
    assert least <= turned <= most
    assert f"{turned:.0f}" in words
    also, _ = usual_turn(_lying([one + 77.0 for one in degrees]))  # the frame has no say
    assert abs(also - turned) <= 5


@pytest.mark.parametrize(("rotation", "kinds"), [(180, 4), (15, 1)])
def test_boxes_are_turned_by_right_angles_alone(rotation: float, kinds: int) -> None:
    """Nobody knows how large the box of a thing is once that was turned otherwise."""
    config = DetectConfig(rotation=rotation, magnify=(1, 1), flip="none")
    rng = np.random.default_rng(0)
    views = [varied_view(config, rng, (32, 32), (16, 16), (1, 1), quarters=True) for _ in range(60)]
    matrices = {tuple(np.round(view.matrix, 9).ravel().tolist()) for view in views}
    assert all(np.allclose(sorted(np.abs(one)), [0, 0, 1, 1]) for one in matrices)
    assert len({tuple(value + 0.0 for value in one) for one in matrices}) == kinds


def test_oks_is_that_of_coco() -> None:
    true = np.array([[[0.0, 0], [10, 10]]])
    area, spread = 100.0, 0.025
    off = true + np.array([0, 1.0])
    assert oks(true, off)[0, 0] == pytest.approx(np.exp(-1 / (2 * area * (2 * spread) ** 2)))
    half = off.copy()
    half[0, 1] = np.nan
    assert oks(true, half)[0, 0] == pytest.approx(oks(true, off)[0, 0] / 2)


def test_measures_of_frames() -> None:
    true = np.array([[[10.0, 10], [30, 30]], [[60, 60], [80, 80]]])
    perfect = match(true, true[::-1].copy(), np.array([0.9, 0.8]))
    told = summary([perfect], ["a", "b"])
    assert told["oks_map"] == pytest.approx(1.0)
    assert told["median_px"] == 0
    assert told["within_3px"] == 1
    missed = summary([match(true, true[:1], np.array([0.9]))], ["a", "b"])
    assert missed["oks_mar"] == pytest.approx(0.5)
    assert missed["oks_map"] < 0.6
    nothing = match(true, np.zeros((0, 2, 2)), np.zeros(0))
    assert summary([nothing], ["a", "b"])["oks_map"] == 0


def test_each_point_is_found_once() -> None:
    true, other = np.array([[0.0, 0], [10, 0]]), np.array([[0.5, 0], [0.6, 0], [30, 0]])
    assert found_points(true, other, 2.0) == (1, 2, 1)
    assert f_score(1, 2, 1) == pytest.approx(0.4)
    assert found_points(true, np.zeros((0, 2)), 2.0) == (0, 0, 2)


def test_cells_of_a_map_compete_for_its_one_place() -> None:
    wanted = confidence_maps(torch.tensor([[[20.0, 20.0]]]), (20, 20), (2, 2), (2.5, 2.5))[None]
    flat = {"maps": torch.full_like(wanted, -2.0)}
    # one step along the gradient, taken where nothing is known yet
    pulls = []
    for weight, alone in ((0.0, True), (1.0, False), (1.0, True)):
        logits = flat["maps"].clone().requires_grad_()
        lesson = Lesson(torch.zeros(1, 1, 40, 40), wanted, alone=alone)
        MapLoss(PoseConfig(place_weight=weight))({"maps": logits}, lesson).backward()
        assert logits.grad is not None
        pulls.append(logits.grad[0, 0])
    assert torch.equal(pulls[0], pulls[1])  # where a map may hold several places nothing competes
    gained = pulls[2] - pulls[0]
    assert gained.sum().abs() < 1e-5  # what one cell gains the others lose
    assert gained[9:11, 9:11].max() < 0 < gained[:5].min()


def test_classes_compete_for_a_place_unless_they_were_seen_in_one() -> None:
    def album(*others: tuple[float, float]) -> Album:
        at = np.full((1 + len(others), 2, 2), np.nan)
        at[0, 0] = (20, 20)
        at[1:, 1] = others
        grays = np.zeros((1, 1, 64, 64), np.uint8)
        picture = AlbumPicture("a", 0, (64, 64), lambda box: grays, Placed(at, np.full((len(at), 2), 6.0)))
        return Album((picture,), 1, (1, 1, 1), ("disc", "square"), ("#e69f00",) * 2, mirrored=(0, 1), kind="boxes")

    assert not plan_of(DetectConfig(), album((20.5, 20))).exclusive  # a nucleus in its cell
    assert not plan_of(DetectConfig(class_weight=0), album((50, 40))).exclusive
    plan = plan_of(DetectConfig(), album((50, 40)))
    assert plan.exclusive

    stage = plan.stages[0]
    wanted = confidence_maps(torch.tensor([[[21.0, 21.0], [np.nan] * 2]]), (32, 32), (2, 2), stage.sigma)[None]
    both = (wanted.amax(1, keepdim=True) * 8 - 4).repeat(1, 2, 1, 1).requires_grad_()  # sure of both
    lesson = Lesson(torch.zeros(1, 1, 64, 64), wanted)
    pulls = []
    for exclusive in (False, True):
        both.grad = None
        MapLoss(DetectConfig(), exclusive=exclusive)({"maps": both}, lesson).backward()
        assert both.grad is not None
        pulls.append(both.grad[0, :, 10, 10].clone())
    gained = pulls[1] - pulls[0]
    assert gained[1] > 0.01
    assert gained.sum().abs() < 1e-5  # what the one class gains the other loses

    class Answers(torch.nn.Module):
        def forward(self, x: torch.Tensor) -> dict[str, torch.Tensor]:
            faint = torch.stack([both[0, 0], both[0, 1] - 0.5])[None].detach()
            return {"maps": faint, "extents": torch.full((1, 2, 32, 32), 6.0)}

    picture = album((50, 40)).pictures[0]
    for exclusive, count in ((True, 1), (False, 2)):
        finder = Finder(
            replace(plan, exclusive=exclusive), {"things": Answers()}, Reader([0.0], [1.0]), torch.device("cpu")
        )
        found = finder.find([picture], 0.3)[0]
        assert len(found) == count
        assert np.allclose(found.at[0, 0], 21, atol=0.2)
        assert np.isnan(found.at[0, 1]).all()


def test_sizes_of_boxes_are_told_at_their_middles() -> None:
    places = torch.tensor([[[20.0, 30.0]]])
    values, where = extent_maps(places, torch.tensor([[5.0, 7.0]]), (32, 32), (2, 2))
    assert where.sum() == 9
    assert values[:, where].T.unique(dim=0).tolist() == [[5, 7]]


def test_held_out_pictures_are_some_runs_of_neighbours() -> None:
    class One:
        def __init__(self, n: int) -> None:
            self.n, self.places = n, [0]

    pictures = [One(n) for n in range(100)]
    teach, held = hold_out(pictures, 0.2, seed=3)
    numbers = [one.n for one in held]
    assert len(held) == 20
    assert len(teach) == 80
    assert sum(b - a > 1 for a, b in pairwise(numbers)) <= 3
    assert hold_out(pictures[:1], 0.2, seed=0)[1] == []
    assert len(hold_out(pictures[:2], 0.05, seed=0)[1]) == 1


@pytest.mark.parametrize(("there", "asked", "taken"), [(30, 21, 21), (30, 40, 30), (30, 1, 1), (30, -3, 0), (0, 5, 0)])
def test_as_many_learned_pictures_as_asked_have_a_say(there: int, asked: int, taken: int) -> None:
    pictures = [
        AlbumPicture(str(n), 0, (8, 8), lambda box: np.zeros(1), Placed(np.zeros((1, 1, 2)))) for n in range(there)
    ]
    some = _some(pictures, asked)
    numbers = [int(one.name.partition("#")[0]) for one in some]
    assert len(set(numbers)) == len(numbers) == taken
    assert max((b - a for a, b in pairwise(numbers)), default=0) <= 2
    if taken > 1:
        assert (numbers[0], numbers[-1]) == (0, there - 1)


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: PoseConfig(max_stride=12), "power of 2"),
        (lambda: PoseConfig(output_stride=32), "coarser"),
        (lambda: PoseConfig(crop_size=3), "16 to 4096"),
        (lambda: PoseConfig(magnify=(2, 1)), "smaller one first"),
        (lambda: DetectConfig(peak_threshold=2), "between 0 and 1"),
        (lambda: DetectConfig(sigma="wide"), "auto"),
        (lambda: PoseConfig(rotation=200), "0 to 180"),
        (lambda: PoseConfig(encoder=DetectConfig(encoder=" Auto ").encoder), "encoder: auto: only points choose"),
    ],
)
def test_settings_that_make_no_sense_are_refused(make: object, words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        make()  # type: ignore[operator]


@pytest.mark.parametrize("halvings", [((2, 2), (2, 2)), ((1, 2, 2), (2, 2, 2))])
def test_normalisation_is_worked_in_without_another_answer(halvings: tuple[tuple[int, ...], ...]) -> None:
    axes = len(halvings[0])
    torch.manual_seed(0)
    network = Backbone(BackboneConfig(channels=1, heads=(MapHead("maps", 2, 1),), halvings=halvings, filters=4))
    pixels = torch.randn(2, 1, *(16,) * axes)
    for _ in range(3):
        network(pixels * 3 + 1)  # so that there is something to work in
    network.eval()
    with torch.inference_mode():
        before = network(pixels)["maps"]
        after = without_normalisation(network)(pixels)["maps"]
    assert torch.allclose(before, after, atol=1e-5)
    assert not any(isinstance(one, torch.nn.BatchNorm2d | torch.nn.BatchNorm3d) for one in network.modules())


@pytest.mark.parametrize("at", [(9.5, 11.5), (3.5, 20.5), (40.5, 5.5)])
def test_what_lies_on_pixels_is_taken_as_it_is(at: tuple[float, float]) -> None:
    """A window without a turn shows what the interpolation shows, and 0 beyond the edge."""
    picture = torch.rand(2, 20, 24)
    shape = (16, 16)
    found = look(picture, plain_view(shape, at, (1.0, 1.0)), shape)
    between = look(picture, plain_view(shape, np.array(at) + 1e-4, (1.0, 1.0)), shape)
    assert torch.allclose(found, between, atol=1e-3)


@pytest.mark.parametrize("shape", [(48, 64), (8, 32, 32)])
def test_a_glow_is_light_that_changes_slowly(shape: tuple[int, ...]) -> None:
    config = DetectConfig(glow=4, brightness=0, noise=0)
    lights = [vary_grays(config, np.random.default_rng(seed), torch.zeros(2, *shape)) for seed in range(8)]
    tops = [float(light.max()) for light in lights]
    assert 0 < min(tops) < 2 < max(tops) <= 4
    for light, top in zip(lights, tops, strict=True):
        assert float(light.min()) == 0
        assert torch.equal(light[0], light[1])  # the light of one source shows in every channel
        assert float(light.diff(dim=-1).abs().max()) < 2.1 * top / (shape[-1] - 1)
