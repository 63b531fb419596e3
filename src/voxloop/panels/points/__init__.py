"""Points, boxes and classes of pictures on screen: placing, moving, playing, looking through frames."""
