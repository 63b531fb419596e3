"""What is settled, measured and shown before the first step of a training.

``material.gather`` puts together data, windows and network as a run begins with them, for the run and for what is
shown before it: training inputs, field of view, learning-rate finder, forecast (memory from shapes on torch's meta
device, time from real steps) and preflight notes. Each has a twin that answers the helper. Sizes that nobody names
come from ``sizing``: labelled objects, levels, image, memory. What cannot fit in memory is refused at the start of a
run; a step that runs out of memory all the same is repeated with half the batch and twice the accumulation.
"""
