"""Going through places with buttons and keys: what is shown, what is done, what leaves."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from tests.panels.hand import Hand
from tests.panels.screen import Screen

from voxloop.panels.label.label_panel import LabelPanel
from voxloop.workspace.workspace import Workspace


@pytest.fixture
def ws(tmp_path: Path) -> Iterator[Workspace]:
    rng = np.random.default_rng(0)
    image = rng.normal(100, 5, (4, 160, 200))
    image[:, :80, 100:] += rng.normal(0, 40, (4, 80, 100))
    image[:, 80:, :100] += 60 * (np.arange(100) // 3 % 2)
    with Workspace.create(tmp_path / "ws", image=image.astype(np.float32), classes=["background", "grain"]) as made:
        made.images.add("other", (image[:, ::-1] ** 2).astype(np.float32))
        yield made


@pytest.fixture
def panel(ui, ws) -> Iterator[LabelPanel]:
    made = LabelPanel(ws)
    yield made
    made.close()


def test_before_any_prediction_space_goes_to_places_worth_painting(panel, ws):
    hand, screen = Hand(panel), Screen(panel)
    assert "Where to paint first" in screen.text
    hand.press(" ")
    places = panel.first.places
    first = places.current
    assert first is places.suggestions[0]
    assert panel.image == first.image
    assert panel.view.index == first.index
    assert f"1 of {len(places.suggestions)}, slice {first.index}" in screen.text
    assert screen.code == "ws.suggest()"
    assert len(screen.rows) == len(places.suggestions)
    assert f"z {first.index}" in screen.rows[0].text
    hand.press("x")
    assert first not in places.suggestions
    assert places.current == places.suggestions[0]
    places.look()
    assert first not in places.suggestions, "whoever passed by a place is not sent there again"


def test_a_place_that_got_strokes_is_done_and_leaves_when_the_hand_goes_on(panel):
    hand, places = Hand(panel), panel.first.places
    hand.press(" ")
    place, count = places.current, len(places.suggestions)
    _, y, x = place.centre
    hand.stroke([y, x], [y + 2, x + 4], index=place.index, value=2, radius=2)
    assert places.current == place, "the picture stays while somebody paints"
    assert len(places.suggestions) == count - 1
    assert len(panel.view.shapes) > 0
    hand.press(" ")
    assert places.current != place
    assert place not in places.suggestions
    Screen(panel).click("Previous place")
    assert places.current == places.suggestions[-1]


def test_a_place_in_another_image_shows_that_image(panel, ws):
    places = panel.first.places
    places.look()
    assert {place.image for place in places.suggestions} == {"image", "other"}
    for _ in range(len(places.suggestions)):
        places.step()
        assert panel.image == places.current.image
        assert panel.labels.image == places.current.image


def test_the_rule_can_be_chosen_and_makes_the_list_anew(panel, ws):
    screen, places = Screen(panel), panel.first.places
    assert not {"uncertainty", "score", "motion"} & {name for _, name in places._strategy.options}
    places.look()
    before = places.suggestions
    screen.field("Which places").value = "random"
    assert places.suggestions != before
    assert screen.code == "ws.suggest(strategy='random')"
    assert all(place.reason == "drawn by chance" for place in places.suggestions)


def test_skipping_all_says_what_to_do(panel):
    places = panel.first.places
    places.look()
    for _ in range(len(places.suggestions)):
        places.skip()
    assert places.suggestions == ()
    assert "All places are seen to" in Screen(panel).text
    assert len(panel.view.shapes) == 0


def test_nothing_is_left_open(ui, ws, no_leak):
    panel = LabelPanel(ws)
    panel.first.places.look()
    panel.close()
    assert no_leak.left() == []
