"""A filter is set up in the page, seen on the picture, and kept; then painted on and learnt from."""

SETUP = """
import numpy as np
import voxloop as vl

sample = vl.samples.load("em")
ws = vl.Workspace.create({folder!r}, image=sample.volume, classes=["background", "organelle"])
"""


def test_a_filter_is_previewed_kept_painted_on_and_learnt_from(lab, tmp_path):
    lab.page.set_viewport_size({"width": 1280, "height": 720})
    show = "bench = vl.Workbench(ws, step='channels', guide=False)\npanel = bench.panels['channels']\nbench"
    lab.notebook(SETUP.format(folder=str(tmp_path / "ws")), show)
    lab.run(0, timeout=90)
    lab.run(1)
    shown = lab.output(1)
    shown.evaluate("output => output.scrollIntoView({block: 'start'})")
    lab.until("panel.view.planes.shape == ws.images.open().shape", timeout=60)
    shown.get_by_label("Filter").select_option(label="Edges and blobs: gradient")
    lab.until("panel.draft.recipe.filter == 'gradient'")
    shown.get_by_label("Name").fill("edges")
    shown.get_by_label("Name").press("Enter")
    lab.until("panel.draft.name == 'edges'")
    shown.locator("button", has_text="Add").click()
    lab.until("ws.channels.names == ['edges']")
    lab.wait(lambda: "gradient of image" in shown.inner_text(), "the channel in the list")
    assert shown.get_by_label("Of", exact=True).evaluate("list => list.selectedOptions[0]?.text") == "image"
    lab.screenshot("channels", shown)
    shown.get_by_label("Filter").select_option(label="Intensity: threshold")
    lab.until("panel.draft.recipe.filter == 'threshold'")
    assert not shown.get_by_label("At least", exact=True).is_visible()
    shown.get_by_role("tab", name="Label").click()
    lab.until("bench.step == 'label'")
    shown.get_by_label("Picture", exact=True).select_option(label="edges")
    lab.until("bench.panels['label'].state.channel == 'edges'")
    lab.screenshot("channels-painted-on", shown)
    shown.get_by_role("tab", name="Train").click()
    lab.until("bench.step == 'train'")
    shown.get_by_text("Shallow · seconds").click()
    shown.locator("label", has_text="edges").locator("visible=true").click()
    lab.until("bench.panels['train'].config.channels == ('edges',)")
    lab.screenshot("channels-learnt-from", shown)
    lab.python("(bench.close(), ws.close()) and None")
