"""Classifiers on pixel features or supervoxels: seconds of training. The only room that imports sklearn.

``learner.train`` is the task of a run, ``model.load`` opens a model folder, ``live.LiveShallow`` is the twin that the
helper trains stroke by stroke. A model keeps a perceptron as ``perceptron.npz`` (arrays alone, never unpickled) and
any other classifier as ``classifier.skops``. Features of a block equal those of the whole: every filter states its
reach. Probabilities come in the order of ``spec.classes``; unlabelled (0) is never a class.
"""
