"""Sample volumes: made up by seed with known truth, and a registry of real ones. Knows no network at import.

Examples
--------
>>> sample = vl.samples.load("spots")
>>> sample.volume.dims
('z', 'y', 'x')
>>> "spots" in vl.samples.list()
True
"""

from voxloop.volumes.samples.catalogue import list, load
from voxloop.volumes.samples.sample import Sample

__all__ = ["Sample", "list", "load"]
