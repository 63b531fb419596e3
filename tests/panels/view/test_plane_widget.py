"""What plane views share with their pages: the script once for all of them, taken back with the last."""

from __future__ import annotations

import json

from voxloop.panels.view.plane_widget import PlaneWidget


def test_views_share_one_script_which_goes_with_the_last_of_them(no_leak):
    first, second = PlaneWidget(), PlaneWidget()
    assert first.script is second.script
    assert "class PlaneViewer" in first.script.code
    assert len(json.dumps(first.get_state("_esm"))) < 2000
    first.close()
    third = PlaneWidget()
    assert third.script is second.script
    second.close()
    third.close()
    assert not {"PlaneWidget", "ScriptWidget"} & set(no_leak.left())
    fourth = PlaneWidget()
    assert fourth.script.comm is not None
    fourth.close()
