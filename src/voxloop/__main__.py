"""``python -m voxloop``: the command line, where the folder of scripts is not on the path."""

from voxloop.cli import main

if __name__ == "__main__":
    main(prog_name="voxloop")
