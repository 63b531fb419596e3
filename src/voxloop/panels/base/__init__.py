"""What every panel stands on: the one thread that owns widgets, frame, message line, lists of rows. Knows no volume."""
