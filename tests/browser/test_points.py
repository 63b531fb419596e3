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


KINDS = """
import numpy as np
import voxloop as vl
from voxloop import DetectConfig, PictureConfig, PoseConfig
from voxloop.volumes.samples import walkers

small = dict(threads=1, batch_size=2, steps_per_epoch=12, epochs=1, warmup_steps=1, learning_rate=0.02, samples=0)
maps = dict(small, filters=4, max_stride=8)
film, truth = walkers.make(0, frames=10, size=(96, 128), animals=1)
ws = vl.Workspace.create({folder!r})
ws.images.add("film", film, z_kind="frame")
ws.levels.add("animals", kind="points", skeleton=walkers.SKELETON)
ws.levels.add("frames", ["animal"], kind="boxes")
ws.levels.add("sorts", ["left", "right"], kind="pictures")
for one in truth[:3]:
    at = np.array(list(one["points"].values()))
    ws.points("animals").add(one["frame"], dict(one["points"]))
    ws.boxes("frames").add(one["frame"], (at.min(0), at.max(0)), label="animal")
    ws.pictures("sorts").assign(one["frame"], ["left", "right"][one["frame"] % 2])
settings = {{
    "animals": PoseConfig(**maps, pipeline="single", peak_threshold=0.0),
    "frames": DetectConfig(**maps, window=64, peak_threshold=0.03),
    "sorts": PictureConfig(**small, network="test_resnet", encoder_weights="", size=64),
}}
panel = vl.PointsPanel(ws)
marks = lambda: panel.marks
"""


def test_one_of_each_kind_is_labelled_learned_found_and_corrected(lab, tmp_path):
    lab.page.set_viewport_size({"width": 1280, "height": 900})
    lab.notebook(KINDS.format(folder=str(tmp_path / "ws")), "panel")
    lab.run(0, timeout=90)
    lab.run(1)
    shown = lab.output(1)
    lab.until("panel.view.window is not None", timeout=60)
    stage, mouse, keys = shown.locator(".vl-stage"), lab.page.mouse, lab.page.keyboard

    def spot(row, column):
        y, x, zoom = lab.python("[panel.view.widget.camera[name] for name in ('y', 'x', 'zoom')]")
        box = stage.bounding_box()
        middle = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
        return middle[0] + (column + 0.5 - x) * zoom, middle[1] + (row + 0.5 - y) * zoom

    def drag(start, stop):
        mouse.move(*spot(*start))
        mouse.down()
        mouse.move(*spot(*stop), steps=4)
        mouse.up()

    def choose(level):
        """Another level, as a person chooses it, and the tiny network that it is learned with."""
        shown.locator("select").filter(has_text="sorts").select_option(level)
        lab.until(f"panel.level == {level!r} and marks().level.name == {level!r}")
        lab.until(f"type(panel.learn.settings.form.value) is type(settings[{level!r}])")
        lab.python(f"setattr(panel.learn.settings.form, 'value', settings[{level!r}])")
        lab.python("panel.view.go_to_plane(3)")

    def learn_and_find():
        """Train, then Find; the frames that nobody labelled hold predictions."""
        for name, kind in (("Train", "train"), ("Find", "places")):
            count = lab.python("len(ws.runs)")
            shown.get_by_role("button", name=name, exact=True).click()
            lab.until(f"len(ws.runs) == {count + 1}")
            lab.until("list(ws.runs.values())[-1].state == 'finished'", timeout=90)
            assert lab.python("list(ws.runs.values())[-1].kind") == kind
        lab.until("panel.learn._run is None")

    shown.get_by_role("button", name="Learn and find").click()
    lab.until("panel.learn.fold.is_open")

    choose("animals")
    mouse.click(*spot(40, 60))
    lab.until("len(marks().read(3)) == 1")
    learn_and_find()
    lab.until("len(marks().read(6)) and marks().read(6)[0].predicted")
    lab.python("panel.view.go_to_plane(6)")
    keys.press("d")
    lab.until("panel.view.tool['name'] == 'node'")
    row, column = lab.python("list(marks().read(6)[0].points['head'])")
    drag((row, column), (80, 30))
    lab.until("not marks().read(6)[0].predicted and abs(marks().read(6)[0].points['head'][0] - 80) < 2")
    for theme in ("dark", "light"):
        lab.theme(theme)
        lab.screenshot(f"learned-{theme}", shown)

    choose("frames")
    stage.focus()
    keys.press("i")
    lab.until("panel.view.tool['name'] == 'add'")
    drag((30, 40), (60, 90))
    lab.until("len(marks().read(3)) == 1")
    learn_and_find()
    lab.python("panel.view.go_to_plane(7)")
    before = lab.until("len(marks().read(7))")
    stage.focus()
    keys.press("g")
    lab.until("panel.selected is not None")
    keys.press("x")
    lab.until(f"len(marks().read(7)) == {before - 1}")
    lab.screenshot("learned-boxes", shown)

    choose("sorts")
    stage.focus()
    keys.press("1")
    lab.until("marks().read(3) and marks().read(3).label == 'left'")
    learn_and_find()
    assert "on 1 held-out picture" in shown.inner_text()
    lab.python("panel.view.go_to_plane(8)")
    said = lab.until("marks().read(8) and marks().read(8).predicted and marks().read(8).label")
    keys.press("2" if said == "left" else "1")
    lab.until(f"marks().read(8).label != {said!r} and not marks().read(8).predicted")
    lab.screenshot("learned-pictures", shown)
    lab.python("(panel.close(), ws.close()) and None")
