"""A filter is set up in the page, seen on the picture, and kept."""

SETUP = """
import numpy as np
import voxloop as vl

sample = vl.samples.load("em")
ws = vl.Workspace.create({folder!r}, image=sample.volume, classes=["background", "organelle"])
"""


def test_a_filter_is_previewed_and_kept(lab, tmp_path):
    lab.page.set_viewport_size({"width": 1280, "height": 720})
    lab.notebook(SETUP.format(folder=str(tmp_path / "ws")), "panel = vl.ChannelsPanel(ws)\npanel")
    lab.run(0, timeout=90)
    lab.run(1)
    shown = lab.output(1)
    shown.evaluate("output => output.scrollIntoView({block: 'start'})")
    lab.until("panel.view.planes.shape == ws.images.open().shape", timeout=60)
    lab.page.wait_for_timeout(1500)
    lab.screenshot("channels", shown)
    shown.get_by_label("Filter").select_option(label="Edges and blobs: gradient")
    lab.until("panel.draft.recipe.filter == 'gradient'")
    shown.get_by_label("Name").fill("edges")
    shown.get_by_label("Name").press("Enter")
    lab.until("panel.draft.name == 'edges'")
    shown.locator("button", has_text="Add").click()
    lab.until("ws.channels.names == ['edges']")
    lab.wait(lambda: "gradient of image" in shown.inner_text(), "the channel in the list")
    lab.page.wait_for_timeout(1500)
    lab.screenshot("channels-edges", shown)
    lab.python("(panel.close(), ws.close()) and None")
