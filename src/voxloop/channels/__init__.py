"""Channels: named filters of an image or of another channel, lazy and equal to the whole whatever the blocks.

A filter is a function of arrays (z, y, x) float32 that mirrors them at their faces, with a stated reach: how far it
looks (``kinds.py``). A channel is a filter, its settings and what it is made of (``recipe.py``); ``evaluation.py``
works out how much of each source a box needs. Knows volumes, no labels and no learner.
"""

from voxloop.channels.evaluation import ChannelChain
from voxloop.channels.kinds import FILTERS, filter_named
from voxloop.channels.recipe import ChannelRecipe, check_chain, settle

__all__ = ["FILTERS", "ChannelChain", "ChannelRecipe", "check_chain", "filter_named", "settle"]
