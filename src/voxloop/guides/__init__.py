"""Masks from hints: clicks, strokes and boxes on a plane become an object. Arrays in, arrays out; knows no workspace.

:mod:`hints` is what was pointed at, :mod:`objects` finds the mask by one of several ways, :mod:`carrying` takes it
through slices, :mod:`scissors` traces outlines, :mod:`sam_pair` asks a pair of networks that the user named.
"""
