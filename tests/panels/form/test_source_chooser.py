"""Going through folders, samples and what was opened lately."""

from __future__ import annotations

from tests.panels.screen import Screen

from voxloop.panels.form.source_chooser import ChosenSource, SourceChooser


def test_chooser_goes_through_folders_and_says_what_was_chosen(ui, files, recent, no_leak):
    chosen = []
    chooser = SourceChooser(chosen.append, folder=files, recent=recent)
    screen = Screen(chooser)
    screen.row("plain").click()
    assert chooser.folder == files / "plain"
    screen.row("..").click()
    assert chooser.folder == files
    assert "3 pictures" in screen.row("pictures").cells[0]
    screen.row("pictures").click("Open as stack")
    screen.row("pictures").click()
    screen.row(".").click()
    screen.row("..").click()
    screen.row("two.h5").click()
    assert [source.text for source in chosen] == [str(files / "pictures")] * 2 + [str(files / "two.h5")]
    screen.field("Where to look").value = "Samples"
    screen.row("em").click()
    assert chosen[-1] == ChosenSource("sample", "em")
    recent.add(str(files / "stack.tif"))
    screen.field("Where to look").value = "Recent"
    screen.row(str(files / "stack.tif")).click()
    assert chosen[-1].text == str(files / "stack.tif")
    screen.field("path or URL of a stack").value = str(files / "nothing.tif")
    assert chosen[-1].text.endswith("nothing.tif")
    chooser.go_to(files / "nowhere")
    assert "cannot be read" in chooser.message.words
    chooser.close()
    assert no_leak.left() == []
