"""Many pictures on one sheet."""

from __future__ import annotations

import math
from collections.abc import Sequence

from PIL import Image


def grid_rows(count: int, *, rows: int = -1, batch_size: int = 1, no_gaps: bool = False) -> int:
    """How many rows a grid of `count` pictures has, at least 1.

    rows > 0 asks for that many, 0 for the batch size, below 0 for the rounded square root; then `no_gaps` asks for the
    largest number below it that fills every place. Source: spec/settings.md, n_rows.
    """
    if rows < 0:
        if no_gaps:
            rows = math.isqrt(count)
            while rows > 1 and count % rows:
                rows -= 1
        else:
            rows = round(math.sqrt(count))
    elif rows == 0:
        rows = batch_size
    return max(1, min(rows, count))


def image_grid(images: Sequence[Image.Image], rows: int | None = None, *, background: str = "#ffffff") -> Image.Image:
    """The pictures row by row on one RGB sheet, each in a cell of the largest size, at its upper left.

    rows: as `grid_rows` gives them; None means it chooses. Raises: ValueError without a picture.
    """
    if not images:
        raise ValueError("A grid needs at least one picture.")
    rows = grid_rows(len(images)) if rows is None else rows
    columns = math.ceil(len(images) / rows)
    width, height = (max(image.size[axis] for image in images) for axis in (0, 1))
    sheet = Image.new("RGB", (columns * width, rows * height), background)
    for number, image in enumerate(images):
        row, column = divmod(number, columns)
        sheet.paste(image, (column * width, row * height))
    return sheet
