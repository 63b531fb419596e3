"""The loop in a real JupyterLab: find a stack, paint with the mouse, train, predict, accept, reload, look twice."""

from __future__ import annotations

import re
from pathlib import Path

import nbformat
import pytest
from playwright.sync_api import expect

QUICKSTART = Path(__file__).parents[2] / "notebooks" / "01-quickstart.ipynb"


@pytest.fixture
def quickstart(lab, lab_server):
    """The notebook as a newcomer opens it, with a cell more that shows the workbench again: places of the cells that
    open the stack, show the workbench, show it again."""
    book = nbformat.read(QUICKSTART, 4)
    code = [number for number, cell in enumerate(book.cells) if cell.cell_type == "code"]
    assert "Workbench" in book.cells[code[1]].source
    book.cells.insert(code[1] + 1, nbformat.v4.new_code_cell("bench"))
    nbformat.write(book, lab_server.root / "quickstart.ipynb")
    lab.open("quickstart.ipynb")
    return code[0], code[1], code[1] + 1


def drag(lab, stage, start, end):
    """Press at one place of the picture, move to another, let go; places as shares of its size."""
    stage.scroll_into_view_if_needed()
    box = stage.bounding_box()
    at = [(box["x"] + u * box["width"], box["y"] + v * box["height"]) for u, v in (start, end)]
    lab.page.mouse.move(*at[0])
    lab.page.mouse.down()
    lab.page.mouse.move(*at[1], steps=12)
    lab.page.mouse.up()


def step(out, name):
    return out.locator(".vx-steps").get_by_role("tab", name=name)


def lit(lab, stage):
    """Whether the picture in this stage has been drawn: some pixel of its canvas is not dark."""
    return stage.evaluate(
        """stage => {
          const canvas = stage.querySelector('canvas');
          if (!canvas?.width) return false;
          const pixels = canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height).data;
          for (let i = 0; i < pixels.length; i += 4 * 997) if (pixels[i] > 60) return true;
          return false;
        }"""
    )


@pytest.mark.slow(reason="training, prediction and a reload, one after the other")
def test_the_quickstart_once_round_the_loop_then_reload_and_look_twice(lab, quickstart):
    stack, shown, again = quickstart
    lab.run(stack, shown)
    out, page = lab.output(shown), lab.page
    stage = out.locator(".vl-stage")
    lab.wait(lambda: lit(lab, stage), "the picture is drawn")
    stage.hover()
    for key, (start, end) in {"1": ((0.4, 0.3), (0.6, 0.32)), "2": ((0.4, 0.7), (0.6, 0.72))}.items():
        page.keyboard.press(key)
        before = lab.python("ws.labels().sequence")
        drag(lab, stage, start, end)
        lab.until(f"ws.labels().sequence > {before}")
    assert set(lab.python("ws.labels().counts()")) == {"1", "2"}
    lab.both_themes("workbench-label", out)

    step(out, "Train").click()
    expect(out.locator(".vx-train-setup")).to_contain_text("mitochondria")
    lab.both_themes("workbench-train", out)
    out.locator(".vx-train-start .vx-primary").click()
    lab.until("[run.state for run in ws.runs.values()] == ['finished']", timeout=90)
    expect(out.locator(".vx-train-runs .vx-rows-line")).to_contain_text(re.compile("shallow-1.*finished"))
    expect(out.locator(".vx-train-runs")).to_contain_text("Finished")
    lab.screenshot("workbench-trained", out)

    step(out, "Predict").click()
    out.locator(".vx-primary:visible", has_text="Predict").click()
    lab.until("'predict-1' in ws.predictions and ws.predictions['predict-1'].done == 1.0", timeout=90)
    step(out, "Review").click()
    lab.until("'review' in bench.panels and bench.panels['review'].prediction is not None")
    before = lab.python("sum(ws.labels().counts().values())")
    out.locator(".widget-checkbox:visible", has_text="background").click()  # most of what is sure
    out.get_by_role("button", name="Accept").click()
    lab.until(f"sum(ws.labels().counts().values()) > {before}")
    lab.both_themes("workbench-review", out)
    assert lab.python("[name for name in ('torch', 'sklearn') if name in __import__('sys').modules]") == []

    lab.reload()
    out = lab.output(shown)
    expect(step(out, "Review")).to_have_class(re.compile("vx-here"), timeout=30_000)
    step(out, "Label").click()
    expect(step(out, "Label")).to_have_class(re.compile("vx-here"))
    stage = out.locator(".vl-stage:visible")
    lab.wait(lambda: lit(lab, stage), "the picture is drawn again")
    before = lab.python("ws.labels().sequence")
    drag(lab, stage, (0.45, 0.5), (0.55, 0.52))
    lab.until(f"ws.labels().sequence > {before}")

    lab.run(again)
    second = lab.output(again)
    lab.wait(lambda: lit(lab, second.locator(".vl-stage:visible")), "the second display draws the picture")
    step(second, "Train").click()
    expect(step(out, "Train")).to_have_class(re.compile("vx-here"))
    expect(second.locator(".vx-train-runs .vx-rows-line")).to_contain_text("shallow-1")


def test_from_nothing_to_a_workspace_on_a_sample(lab):
    lab.notebook("import voxloop as vl\nbench = vl.Workbench(); bench")
    lab.run(0)
    out = lab.output(0)
    expect(step(out, "Label")).to_be_disabled()
    out.get_by_role("button", name="Samples").click()
    out.locator(".vx-volume-left .vx-rows-line", has_text="made up: membranes").click()
    stage = out.locator(".vl-stage").first
    lab.wait(lambda: stage.is_visible() and lit(lab, stage), "the preview is drawn", timeout=60)
    expect(out.locator(".vx-checks")).to_contain_text("40 × 8 × 8 nm")
    lab.both_themes("workbench-volume", out)
    out.get_by_role("button", name="Create workspace").click()
    expect(step(out, "Label")).to_have_class(re.compile("vx-here"), timeout=30_000)
    assert lab.python("bench.ws.images.names") == ["em"]
    assert lab.python("[c.name for c in bench.ws.levels['labels'].classes]") == [
        "background",
        "mitochondria",
        "membrane",
    ]
    lab.python("bench.ws.close()")
