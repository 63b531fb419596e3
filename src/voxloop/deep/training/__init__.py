"""The loop: steps, checkpoints, validation, what a run keeps.

Where labels are sparse, half of the windows are pseudo-labelled (``pseudo_labels``): a shallow model fitted to the
strokes of the train split labels windows anywhere in the images, from a certain probability on; blocks of them join
at ends of epochs, so that a resumed run has the same. Later the averaged network joins in. Strokes are right whatever
anybody says, and what is held out for validation or test is neither pseudo-labelled nor trained on.

With ``devices`` above 1 the process of the run starts the others (``team``), which run the same task with a silent
context; ``team.Team`` is all that they say to each other. The first alone hears orders, looks at the clock and
writes. The loss is taken over the gathered logits of the whole batch and batch normalisation shares its statistics,
so that a team equals one process.
"""
