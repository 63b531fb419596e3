"""Channels: a filter with its preview, a list of those there are, recipes as files. Computes nothing itself."""
