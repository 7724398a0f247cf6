"""A crop around what draws the eye: faces, corners, and where most is going on. Source: spec/training.md §8."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from modules.enhance.upscaler import LANCZOS, Work
from modules.generation.postprocessing.step import Piece, Step
from modules.generation.tools import Tools
from modules.terms.extras import ExtrasRequest, FocalCrop

CORNERS = 100
WINDOW_STEP = 4
LEVELS = 16

Point = tuple[float, float]


def focal_crop(piece: Piece, request: ExtrasRequest, tools: Tools, work: Work) -> list[Piece]:
    """The part of the target's proportions around the focal point, and a picture that shows how it was found."""
    asked = request.focal_crop or FocalCrop()
    if piece.target is None:
        return [piece]
    image = filling(piece.image.convert("RGB"), *piece.target)
    points = points_of(image, piece.target, asked, tools)
    box = crop_box(image.size, piece.target, weighted(points, image.size))
    cropped = piece.with_(image.crop(box))
    if not asked.debug:
        return [cropped]
    shown = replace(piece.tagged(annotated(image, points, box), "focal-crop-debug"), finished=True)
    return [cropped, shown]


def filling(image: Image.Image, width: int, height: int) -> Image.Image:
    """`image` scaled so that it just covers `width` x `height`."""
    scale = max(width / image.width, height / image.height)
    return image.resize((max(width, round(image.width * scale)), max(height, round(image.height * scale))), LANCZOS)


def points_of(
    image: Image.Image, target: tuple[int, int], asked: FocalCrop, tools: Tools
) -> list[tuple[str, Point, float]]:
    """(what, where, weight) of all that may draw the eye, as far as it is found and counts."""
    found: list[tuple[str, Point | None, float]] = [
        ("face", faces_point(image, tools) if asked.face_weight else None, asked.face_weight),
        ("entropy", entropy_point(image, target) if asked.entropy_weight else None, asked.entropy_weight),
        ("edges", corners_point(image) if asked.edges_weight else None, asked.edges_weight),
    ]
    return [(what, where, weight) for what, where, weight in found if where is not None]


def faces_point(image: Image.Image, tools: Tools) -> Point | None:
    """The middle of the faces, large ones counting more."""
    faces = tools.face_repair().find(image)
    if not faces:
        return None
    centres = np.array([((face.box[0] + face.box[2]) / 2, (face.box[1] + face.box[3]) / 2) for face in faces])
    x, y = np.average(centres, axis=0, weights=[face.area for face in faces])
    return float(x), float(y)


def corners_point(image: Image.Image) -> Point | None:
    """The middle of the corners that OpenCV finds best to track."""
    import cv2

    grey = np.asarray(image.convert("L"))
    corners: Any = cv2.goodFeaturesToTrack(grey, CORNERS, 0.04, minDistance=max(1.0, min(image.size) * 0.06))
    if corners is None:
        return None
    x, y = np.asarray(corners, float).reshape(-1, 2).mean(axis=0)
    return float(x), float(y)


def entropy_point(image: Image.Image, target: tuple[int, int]) -> Point:
    """The middle of the window of the target's size whose brightness tells most."""
    # Coarse levels: fine grain is not what draws the eye.
    grey = np.asarray(image.convert("L")) // (256 // LEVELS)
    across = image.width - target[0] >= image.height - target[1]
    spare = image.width - target[0] if across else image.height - target[1]
    best, start = -1.0, 0
    for place in range(0, max(0, spare) + 1, WINDOW_STEP):
        window = grey[:, place : place + target[0]] if across else grey[place : place + target[1]]
        told = entropy(window)
        if told > best + 1e-9:
            best, start = told, place
    left, top = (start, 0) if across else (0, start)
    return left + min(target[0], image.width) / 2, top + min(target[1], image.height) / 2


def entropy(levels: NDArray[np.uint8]) -> float:
    """Bits per pixel (Shannon) of a histogram of `levels`."""
    counts = np.bincount(levels.ravel(), minlength=LEVELS)
    shares = counts[counts > 0] / levels.size
    return float(-(shares * np.log2(shares)).sum())


def weighted(points: list[tuple[str, Point, float]], size: tuple[int, int]) -> Point:
    """The mean of `points`; the middle of the picture without any."""
    if not points:
        return size[0] / 2, size[1] / 2
    x, y = np.average([where for _, where, _ in points], axis=0, weights=[weight for *_, weight in points])
    return float(x), float(y)


def crop_box(size: tuple[int, int], target: tuple[int, int], around: Point) -> tuple[int, int, int, int]:
    """The box of `target`'s size around a point, moved inside a picture of `size`."""
    left = min(max(0, round(around[0] - target[0] / 2)), size[0] - target[0])
    top = min(max(0, round(around[1] - target[1] / 2)), size[1] - target[1])
    return left, top, left + target[0], top + target[1]


def annotated(
    image: Image.Image, points: list[tuple[str, Point, float]], box: tuple[int, int, int, int]
) -> Image.Image:
    """`image` with the points, larger where they count more, and the box drawn in."""
    shown = image.copy()
    draw = ImageDraw.Draw(shown)
    for what, (x, y), weight in points:
        radius = max(3, int(min(image.size) * 0.07 * weight))
        colour = {"face": "#f00", "entropy": "#ff0", "edges": "#0f0"}[what]
        draw.ellipse((x - radius, y - radius, x + radius, y + radius), outline=colour, width=2)
    draw.rectangle((box[0], box[1], box[2] - 1, box[3] - 1), outline="#0ff", width=2)
    return shown


FOCAL_CROP = Step("Auto focal point crop", 4010, lambda request: request.focal_crop is not None, focal_crop)
