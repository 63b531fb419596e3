"""Runs under way and ended: curves, samples, orders, tables."""
