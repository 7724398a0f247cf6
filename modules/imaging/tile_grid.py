"""A picture in tiles of one size and back, laid out and joined as A1111's scripts do it (SD upscale, outpainting).

`tiles.py` joins without seams whatever the overlap; this one keeps old pictures as they were. Each tile fades in over
`overlap` pixels from its left and upper edge, however many it really shares with the one before.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from PIL import Image

from modules.imaging.tiles import tiling

Box = tuple[int, int, int, int]


@dataclass(frozen=True)
class TileGrid:
    """Boxes (left, top, right, bottom) over a picture of `size`, row by row, `columns` in each."""

    size: tuple[int, int]
    boxes: tuple[Box, ...]
    columns: int
    overlap: int

    @classmethod
    def over(cls, size: tuple[int, int], tile: tuple[int, int], overlap: int) -> TileGrid:
        """Tiles of that size; where one is larger than the picture it sticks out at the left and top.

        Raises: ValueError unless 0 <= overlap < both sides of a tile.
        """
        if not 0 <= overlap < min(tile):
            raise ValueError(f"An overlap of {overlap} does not fit tiles of {tile[0]}x{tile[1]}.")
        plan = tiling(*size, *tile, overlap)
        lefts = [span.end - tile[0] for span in plan.columns]
        tops = [span.end - tile[1] for span in plan.rows]
        boxes = tuple((left, top, left + tile[0], top + tile[1]) for top in tops for left in lefts)
        return cls(size, boxes, len(lefts), overlap)

    def split(self, image: Image.Image) -> list[Image.Image]:
        return [image.crop(box) for box in self.boxes]

    def joined(self, tiles: Sequence[Image.Image]) -> Image.Image:
        """The picture (RGB) that `tiles`, one for each box, make up."""
        sheet = Image.new("RGB", self.size)
        for start in range(0, len(self.boxes), self.columns):
            boxes = self.boxes[start : start + self.columns]
            top, height = boxes[0][1], boxes[0][3] - boxes[0][1]
            row = Image.new("RGB", (self.size[0], height))
            for box, tile in zip(boxes, tiles[start : start + self.columns], strict=True):
                row.paste(tile, (box[0], 0), self._fade(tile.size, axis=1) if box[0] > 0 else None)
            sheet.paste(row, (0, top), self._fade(row.size, axis=0) if top > 0 else None)
        return sheet

    def _fade(self, size: tuple[int, int], axis: int) -> Image.Image:
        """White but for the first pixels along `axis` (0: downwards), where it rises from black."""
        side = size[1] if axis == 0 else size[0]
        ramp = (np.arange(side, dtype=np.float32) * 255 / max(1, self.overlap)).clip(0, 255).astype(np.uint8)
        ramp[self.overlap :] = 255
        line = ramp[:, None] if axis == 0 else ramp
        return Image.fromarray(np.broadcast_to(line, size[::-1]).copy())
