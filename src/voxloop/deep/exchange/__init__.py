"""Networks from and for other programs: bioimage.io packages, ONNX, any torch module.

A torch module that voxloop did not build is kept as an ONNX graph; without a spec, ``inspection`` asks the module for
one: channels, stride, halo. Packages are opened with ONNX weights alone; weights of other kinds are, or bring, code
that would run, and are refused. What a package does to intensities becomes one clip and one line (``intensities``),
measured once where it would measure each picture.
"""
