"""A trained network as a model: what it needs, how it is fed, what it gives.

Labels, uint8 probabilities and uncertainty of a block are made strip by strip behind the last layer (``reduction``), so
that the floats of many classes never lie in memory together. Where blocks would compute much twice, or the smallest
exact block does not fit, a network of plain convolutions is fed with rows (``feeding``): every layer keeps the rows
that its next output needs, every voxel is computed once, and the result equals the whole forward. A processor computes
large planes that way in any case, since it is quicker (``rows``). ``streaming`` makes the layers of the exported graph,
and declines what looks at a whole image. With batch normalisation a 3-D network has a bounded field of view, so tiles
equal the whole; with instance normalisation, and SwinUNETR, there is none.
"""
