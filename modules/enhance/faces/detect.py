"""Where the faces of a picture are.

OpenCV's cascades come with its package and need no download; they see faces from the front. A YuNet file in one of the
folders for faces sees more of them, and the nose and mouth as well.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import cv2
import numpy as np
from numpy.typing import NDArray

from modules.enhance.faces.align import Floats, Pixels
from modules.terms.errors import UnknownFile

LOOKED_AT = 640  # longest side of the picture in which faces are looked for
SMALLEST = 0.03  # side of the smallest face, as a share of the longest side
YUNET = "face_detection_yunet*.onnx"
YUNET_SURE = 0.6
# Where the eyes are in the box of the frontal cascade when they are not seen themselves (shares of its side).
USUAL_EYES = np.array([[0.31, 0.39], [0.69, 0.39]])


@dataclass(frozen=True)
class Face:
    """`box`: left, top, right, bottom. `points` (2 or 5, 2): eyes as they stand in the picture from left to right,
    then nose and the corners of the mouth if they are known. All in pixels. `confidence`: 0 to 1; the cascades give
    none and count as sure."""

    box: tuple[int, int, int, int]
    points: Floats
    confidence: float = 1.0

    @property
    def area(self) -> int:
        return (self.box[2] - self.box[0]) * (self.box[3] - self.box[1])


class Detector(Protocol):
    """What finds faces in `picture` (H, W, 3) uint8 RGB; the largest comes first."""

    def __call__(self, picture: Pixels) -> list[Face]: ...


def detector_of(folders: Iterable[Path]) -> Detector:
    """The best detector there is: YuNet, if its file lies in one of `folders`, else OpenCV's cascades."""
    for folder in folders:
        files = sorted(folder.glob(YUNET)) if folder.is_dir() else []
        if files:
            return YuNet(files[-1])
    return Cascades()


class Cascades:
    """Viola and Jones (2001) as OpenCV ships it: fast, faces from the front, eyes inside them."""

    def __init__(self) -> None:
        folder = Path(cv2.__file__).parent / "data"
        self._faces = cv2.CascadeClassifier(str(folder / "haarcascade_frontalface_alt2.xml"))
        self._eyes = cv2.CascadeClassifier(str(folder / "haarcascade_eye_tree_eyeglasses.xml"))

    def __call__(self, picture: Pixels) -> list[Face]:
        small, scale = reduced(picture)
        grey = np.asarray(cv2.equalizeHist(cv2.cvtColor(small, cv2.COLOR_RGB2GRAY)), np.uint8)
        side = max(20, int(max(grey.shape) * SMALLEST))
        found = self._faces.detectMultiScale(grey, scaleFactor=1.1, minNeighbors=5, minSize=(side, side))
        faces = []
        for left, top, width, height in np.asarray(found, float).reshape(-1, 4):
            upper = grey[int(top) : int(top + 0.6 * height), int(left) : int(left + width)]
            eyes = self._pair(upper, width)
            eyes = USUAL_EYES * (width, height) if eyes is None else eyes
            box = np.array([left, top, left + width, top + height]) / scale
            faces.append(Face(whole_box(box, picture), (eyes + (left, top)) / scale))
        return sorted(faces, key=lambda face: -face.area)

    def _pair(self, upper: NDArray[np.uint8], width: float) -> Floats | None:
        """The centres of both eyes in the upper part of a face, None if they are not both plain to see."""
        found = self._eyes.detectMultiScale(upper, scaleFactor=1.05, minNeighbors=3)
        centres = [(x + w / 2, y + h / 2) for x, y, w, h in np.asarray(found, float).reshape(-1, 4)]
        left = [one for one in centres if 0.15 * width < one[0] < 0.48 * width]
        right = [one for one in centres if 0.52 * width < one[0] < 0.85 * width]
        if len(left) != 1 or len(right) != 1:
            return None
        eyes = np.array([left[0], right[0]])
        # A head in this cascade's reach is turned by a quarter of that at most.
        tilt = abs(eyes[1, 1] - eyes[0, 1]) / (eyes[1, 0] - eyes[0, 0])
        return eyes if tilt < 0.5 else None


class YuNet:
    """The network of Wu et al. (2023), as OpenCV runs it, in the file `path`."""

    def __init__(self, path: Path) -> None:
        try:
            self._network = cv2.FaceDetectorYN.create(str(path), "", (LOOKED_AT, LOOKED_AT), YUNET_SURE)
        except cv2.error as error:
            raise UnknownFile(
                f"{path.name} is no YuNet face detector, or it is damaged. Remove it from {path.parent}, and OpenCV's "
                "own detector is used."
            ) from error

    def __call__(self, picture: Pixels) -> list[Face]:
        small, scale = reduced(picture)
        self._network.setInputSize((small.shape[1], small.shape[0]))
        _, found = self._network.detect(cv2.cvtColor(small, cv2.COLOR_RGB2BGR))
        faces = []
        for row in np.asarray(found if found is not None else [], float).reshape(-1, 15):
            left, top, width, height = row[:4]
            box = np.array([left, top, left + width, top + height]) / scale
            faces.append(Face(whole_box(box, picture), row[4:14].reshape(5, 2) / scale, float(row[14])))
        return sorted(faces, key=lambda face: -face.area)


def reduced(picture: Pixels) -> tuple[Pixels, float]:
    """`picture` at the size in which faces are looked for, and the factor by which it is smaller (or 1)."""
    scale = min(1.0, LOOKED_AT / max(picture.shape[:2]))
    if scale == 1:
        return picture, 1.0
    size = max(1, round(picture.shape[1] * scale)), max(1, round(picture.shape[0] * scale))
    return np.asarray(cv2.resize(picture, size, interpolation=cv2.INTER_AREA), np.uint8), scale


def whole_box(box: Floats, picture: Pixels) -> tuple[int, int, int, int]:
    """`box` in whole pixels, inside the picture."""
    height, width = picture.shape[:2]
    left, top, right, bottom = (int(round(side)) for side in box)
    return max(0, left), max(0, top), min(width, right), min(height, bottom)
