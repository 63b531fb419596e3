"""Predict and review in a real JupyterLab: the layer fills, what is accepted reaches the labels, both themes."""

from __future__ import annotations

import pytest

SETUP = """
import voxloop as vl
sample = vl.samples.load("em")
small = dict(z=slice(0, 6), y=slice(0, 160), x=slice(0, 200))
volume = sample.volume.isel(small)
truth = sample.truth.isel(small) if hasattr(sample.truth, "isel") else sample.truth[:6, :160, :200]
ws = vl.Workspace.create({folder!r}, image=volume, classes=sample.classes)
vl.simulate(ws, truth)
ws.train(vl.ShallowConfig(dimensions="2d")).wait()
"""
SHOWS = "panel.prediction is not None and panel.prediction.done == 1.0"
PIXELS = """canvas => {
  const data = canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height).data;
  let count = 0;
  for (let i = 3; i < data.length; i += 4) if (data[i]) count++;
  return count;
}"""


@pytest.mark.timeout(600)
@pytest.mark.slow(reason="trains a classifier and predicts with it, in a browser")
def test_predict_then_review(lab, tmp_path):
    lab.notebook(
        SETUP.format(folder=str(tmp_path / "ws")),
        "panel = vl.PredictPanel(ws)\npanel",
        "review = vl.ReviewPanel(ws)\nreview",
    )
    lab.run(0, timeout=240)
    lab.run(1)
    panel = lab.output(1)
    lab.until("panel.estimate is not None and 'Memory' in panel.forecast.widget.value", timeout=90)
    lab.both_themes("predict-forecast", panel)
    predict = panel.locator("button.vx-primary", has_text="Predict")
    size = lab.page.viewport_size
    lab.page.set_viewport_size({"width": 1280, "height": 600})
    panel.locator(".vx-side").evaluate("side => side.scrollIntoView({block: 'start'})")
    start = predict.bounding_box()
    assert start["y"] + start["height"] < 600  # in view of a long column
    lab.page.set_viewport_size(size)
    predict.click()
    lab.until("panel.run is not None", timeout=30)
    lab.until(SHOWS, timeout=120)
    lab.wait(lambda: "Finished" in panel.inner_text(), "the word that it has finished")
    lab.page.wait_for_timeout(800)
    lab.both_themes("predict-done", panel)

    lab.run(2)
    review = lab.output(2)
    lab.until("review.correct.accepting.counts.count('everything') is not None", timeout=60)
    before = lab.python("sum(ws.labels().counts().values())")
    review.get_by_role("button", name="Next place").click()
    lab.until("review.places.current is not None and review.places.current is review.suggestions[0]", timeout=60)
    lab.page.wait_for_timeout(800)
    lab.both_themes("review-suggestion", review)
    # the button that was clicked has the focus: Space goes on once all the same, and nothing scrolls
    top = review.bounding_box()["y"]
    lab.page.keyboard.press(" ")
    lab.until("review.places.current is review.suggestions[1]", timeout=20)
    review.locator(".vx-rows-line:visible").nth(2).click()
    lab.until("review.places.current is review.suggestions[2]", timeout=20)
    lab.page.keyboard.press(" ")
    lab.until("review.places.current is review.suggestions[3]", timeout=20)
    assert review.bounding_box()["y"] == top
    review.locator("button.vx-primary", has_text="Accept").click()
    lab.until(f"sum(ws.labels().counts().values()) > {before}", timeout=60)
    lab.python("(panel.close(), review.close(), ws.close()) and None")
