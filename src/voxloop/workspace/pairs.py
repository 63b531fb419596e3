"""``ws.add_pairs``: folders of pictures and their masks, as images with labels, in one step. Delegates."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from voxloop.store import pairs
from voxloop.workspace.project import Project

if TYPE_CHECKING:
    import pandas as pd

    from voxloop.store.mask_values import Values


def add_pairs(
    project: Project,
    images: str | Path,
    masks: str | Path | None = None,
    *,
    level: str | None = None,
    zero: str | None = None,
    values: Values | None = None,
    copy: bool = False,
    **arguments: Any,
) -> pd.DataFrame:
    """Add every picture of a folder that has a mask as an image, and its mask as labels; all of them, or none.

    Parameters
    ----------
    images
        A folder of pictures or volumes of any format.
    masks
        The folder of their masks; not given, they lie beside the pictures and are told by their names. A mask belongs
        to the picture of the same name, but for words such as ``_mask``, ``_label``, ``_seg``, ``_gt``, ``_cp_masks``,
        in front or behind.
    level
        The level that the masks are loaded into; None where there is one.
    zero, values
        What the numbers mean, as ``ws.labels().load`` takes them; the same for all masks.
    copy, **arguments
        As ``ws.images.add`` takes them.

    Returns
    -------
    DataFrame
        A row a picture: ``image`` (its name here), ``picture``, ``mask``, ``voxels`` labelled. Pictures without a mask
        and masks without a picture are rows as well, with nothing in the other columns: neither is added
        (``ws.images.add_folder(path, masks=...)`` adds such pictures too).
        ``ws.images.remove(list(table["image"].dropna()))`` takes all of it back.

    Raises
    ------
    WorkspaceError
        There is no such folder, or nothing in it makes a pair.
    VolumeError, LabelError
        A picture cannot be opened, or a mask does not fit: it is named, and nothing is added.

    Examples
    --------
    >>> from pathlib import Path
    >>> Path("pairs").mkdir()
    >>> vl.save_volume(volume, "pairs/a.tif"), vl.save_volume((truth > 0).astype("uint8"), "pairs/a_mask.tif")
    (PosixPath('pairs/a.tif'), PosixPath('pairs/a_mask.tif'))
    >>> table = ws.add_pairs("pairs", level="labels", zero="background")
    >>> table[["image", "voxels"]]
      image  voxels
    0     a   24576
    """
    how: dict[str, Any] = {"level": level, "zero": zero, "values": values, "copy": copy}
    return pairs.add_pairs(project.store, images, masks, **how, **arguments)
