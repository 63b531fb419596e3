"""Networks from and for other programs: bioimage.io packages, ONNX, any torch module."""
