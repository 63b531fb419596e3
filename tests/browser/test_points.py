"""A body is placed, dragged and looked at over the frames of a film, in the page."""

SETUP = """
import numpy as np
import voxloop as vl
from voxloop.volumes.samples import walkers

film, truth = walkers.make(1, frames=30)
ws = vl.Workspace.create({folder!r})
ws.images.add("film", film, z_kind="frame")
ws.levels.add("animals", ["big", "small"], kind="points", skeleton=walkers.SKELETON)
pts = ws.points()
pts.add_many([one for one in truth if one["frame"] < 8])
guesses = [{{**one, "score": 0.8}} for one in truth if 20 <= one["frame"] < 26]
ids = pts.add_many(guesses, predicted=True)
"""


def test_a_body_is_placed_dragged_and_played(lab, tmp_path):
    lab.page.set_viewport_size({"width": 1280, "height": 720})
    lab.notebook(
        SETUP.format(folder=str(tmp_path / "ws")), "bench = vl.Workbench(ws)\npanel = bench.panels['points']\nbench"
    )
    lab.run(0, timeout=90)
    lab.run(1)
    shown = lab.output(1)
    shown.evaluate("output => output.scrollIntoView({block: 'start'})")
    lab.until("panel.view.window is not None", timeout=60)
    stage = shown.locator(".vl-stage")
    mouse = lab.page.mouse

    def spot(row, column):
        """Where a voxel is on the screen: the camera looks at (y, x) with so many pixels a micrometre, here a voxel."""
        y, x, zoom = lab.python("[panel.view.widget.camera[name] for name in ('y', 'x', 'zoom')]")
        box = stage.bounding_box()
        across, down = (column + 0.5 - x) * zoom, (row + 0.5 - y) * zoom
        return box["x"] + box["width"] / 2 + across, box["y"] + box["height"] / 2 + down

    lab.python("panel.view.go_to_plane(10)")
    mouse.click(*spot(120, 160))
    lab.until("len(pts.read(10)) == 1")
    lab.page.keyboard.press("d")
    lab.until("panel.view.tool['name'] == 'node'")
    row, column = lab.python("list(pts.read(10)[0].points['head'])")
    mouse.move(*spot(row, column))
    mouse.down()
    mouse.move(*spot(row + 15, column - 20), steps=5)
    mouse.up()
    lab.until(f"abs(pts.read(10)[0].points['head'][0] - {row + 15}) < 2")
    lab.python("panel.view.go_to_plane(21)")
    row, column = lab.python("list(pts.read(21)[0].points['thorax'])")
    mouse.dblclick(*spot(row, column))
    lab.until("not pts.read(21)[0].predicted")
    bar = shown.locator(".vx-seek canvas")
    box = bar.bounding_box()
    mouse.click(box["x"] + box["width"] * 0.1, box["y"] + box["height"] / 2)
    lab.until("panel.view.index == 3")
    lab.page.keyboard.press("g")
    lab.until("panel.selected is not None")
    lab.python("(setattr(panel.looks.trails, 'value', 10), setattr(panel.looks.names, 'value', True)) and None")
    lab.page.wait_for_timeout(1200)
    for theme in ("dark", "light"):
        lab.theme(theme)
        lab.screenshot(f"points-{theme}", shown)
    stage.focus()
    lab.page.keyboard.press("j")
    shown.get_by_placeholder("go to frame, y, x").fill("frame 12, 120 µm, 160 µm")
    lab.page.keyboard.press("Enter")
    lab.until("panel.view.index == 12")
    lab.python("(bench.close(), ws.close()) and None")
