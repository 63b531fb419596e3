"""Networks and the devices they stand on. Knows no labels."""

from voxloop.deep.networks.quick_start import postpone_compiler

postpone_compiler()  # before anything that imports torchvision
