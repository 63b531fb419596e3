"""The benchmark of the loop: data set x strategy x learner x seed, IoU against annotation seconds.

Knows the public verbs only, so its numbers are the ones a user gets; draws no widgets.
"""
