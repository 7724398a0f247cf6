"""Maps brought to the size that is drawn, without spoiling lines and flat colours.

Source: what the ControlNet extension does with a detected map, so that the same map steers in the same way.
"""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from modules.control.preprocessor import check_size
from modules.terms.control import FILL, STRETCH

Bytes = NDArray[np.uint8]

# A map with fewer colours than this is a segmentation, whose colours mean something and must not mix.
FEW_COLOURS = 200


def fitted(picture: Bytes, width: int, height: int, mode: str) -> Bytes:
    """`picture` (h, w, 3 or 4) at `width` x `height`. A fourth channel is a mask and stays black and white.

    Just Resize distorts; Crop and Resize covers the size and cuts; Resize and Fill fits inside and paints the rest in
    the colour of the border (masked, where there is a mask).
    """
    if mode == STRETCH:
        return resized(picture, width, height)
    ratios = height / picture.shape[0], width / picture.shape[1]
    scale = min(ratios) if mode == FILL else max(ratios)
    inner = resized(picture, max(1, round(picture.shape[1] * scale)), max(1, round(picture.shape[0] * scale)))
    if mode == FILL:
        sheet = np.broadcast_to(border_colour(picture), (height, width, picture.shape[2])).copy()
        top, left = max(0, (height - inner.shape[0]) // 2), max(0, (width - inner.shape[1]) // 2)
        sheet[top : top + inner.shape[0], left : left + inner.shape[1]] = inner[:height, :width]
        return np.asarray(sheet, np.uint8)
    top, left = max(0, (inner.shape[0] - height) // 2), max(0, (inner.shape[1] - width) // 2)
    cut: Bytes = np.ascontiguousarray(inner[top : top + height, left : left + width])
    return cut


def border_colour(picture: Bytes) -> Bytes:
    """The median colour along the edges of `picture`; its mask, if it has one, says: repaint."""
    edges = np.concatenate([picture[0], picture[-1], picture[:, 0], picture[:, -1]])
    colour: Bytes = np.median(edges, axis=0).astype(np.uint8)
    if len(colour) == 4:
        colour[3] = 255
    return colour


def resized(picture: Bytes, width: int, height: int) -> Bytes:
    """`picture` (h, w, 3 or 4) at that size: few colours do not mix, black and white stays so."""
    import cv2

    if picture.shape[2] == 4:
        picture = np.dstack([picture[..., :3], np.where(picture[..., 3] > 127, 255, 0).astype(np.uint8)])
    if picture.shape[:2] == (height, width):
        return picture
    check_size(picture, width, height)
    colours = picture[..., :3]
    count = colour_count(colours, FEW_COLOURS)
    smaller = width * height < picture.shape[0] * picture.shape[1]
    way = cv2.INTER_NEAREST if 2 < count < FEW_COLOURS else cv2.INTER_AREA if smaller else cv2.INTER_CUBIC
    result = cv2.resize(np.ascontiguousarray(colours), (width, height), interpolation=way)
    if count == 2 and colours.min() < 16 and colours.max() > 240:
        grey = result.astype(np.float32).mean(axis=2).clip(0, 255).astype(np.uint8)
        _, black_and_white = cv2.threshold(grey, 0, 255, cv2.THRESH_BINARY + cv2.THRESH_OTSU)
        result = np.repeat(black_and_white[..., None], 3, axis=2)
    if picture.shape[2] == 4:
        mask = cv2.resize(np.ascontiguousarray(picture[..., 3]), (width, height), interpolation=way)
        result = np.concatenate([result, np.where(mask > 127, 255, 0)[..., None]], axis=2)
    return np.asarray(result, np.uint8)


def colour_count(picture: Bytes, limit: int) -> int:
    """How many colours `picture` (h, w, 3) has; `limit` if there are so many or more."""
    red, green, blue = (picture[..., channel].astype(np.uint32) for channel in range(3))
    return min(limit, len(np.unique(red << 16 | green << 8 | blue)))


def hint_of(picture: Bytes) -> Tensor:
    """What a network sees of `picture` (h, w, 3 or 4): (1, 3, h, w), 0 to 1, and -1 where the mask is set."""
    pixels = torch.from_numpy(np.array(picture)).permute(2, 0, 1)[None].float() / 255
    colours = pixels[:, :3]
    if pixels.shape[1] == 3:
        return colours
    mask = (pixels[:, 3:] > 0.5).float()
    return colours * (1 - mask) - mask


def pixel_perfect_resolution(size: tuple[int, int], width: int, height: int, mode: str) -> int:
    """The short side at which a picture of `size` (width, height) is looked at, so that its map needs no resizing."""
    ratios = height / size[1], width / size[0]
    return int(np.round((min(ratios) if mode == FILL else max(ratios)) * min(size)))
