"""Sample volumes: made up by seed with known truth, and a registry of real ones. Knows no network at import."""

from voxloop.volumes.samples.catalogue import Sample, list, load

__all__ = ["Sample", "list", "load"]
