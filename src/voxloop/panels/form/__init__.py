"""Settings as fields made from a config, and files that are chosen by clicking. Knows no run."""
