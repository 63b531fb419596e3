"""Models, images and regions chosen; predictions started, followed and written as files."""
