"""Networks and the devices they stand on. Knows no labels."""

from voxloop.deep.networks.quick_start import postpone_compiler
from voxloop.runs.process import is_own

if is_own():  # a notebook or script has torch as it is
    postpone_compiler()  # before anything that imports torchvision
