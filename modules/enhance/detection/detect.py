"""Detectors, by name: what each finds in a picture."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from PIL import Image

from modules.enhance.detection.files import load_detector
from modules.enhance.detection.found import Detection, inside
from modules.enhance.detection.names import PERSON, folder_called, own_instead
from modules.terms.detail import FACE

# What finds things in an RGB picture, those of at least that confidence (0 to 1).
Finder = Callable[[Image.Image, float], list[Detection]]


@dataclass
class Detectors:
    """Detectors by name. `face_folders`: where the file of YuNet is looked for; `folders`: other models.

    own: those that need no file, by name; by default OpenCV's, made at the first use.
    """

    face_folders: tuple[Path, ...] = ()
    folders: tuple[Path, ...] = ()
    own: Mapping[str, Finder] = field(default_factory=dict)
    _made: dict[str, Finder] = field(default_factory=dict, repr=False)

    def check(self, name: str) -> None:
        """Raises: NotFound if `name` means none, saying which file is missing and where it goes."""
        if folder_called(name, self.folders) is None:
            own_instead(name)

    def chosen(self, name: str) -> tuple[Finder, str]:
        """The detector that `name` means, and a sentence if another one stands in for it ("" otherwise).

        Raises: NotFound as `check`; UnknownFile for a folder that is no detector.
        """
        folder = folder_called(name, self.folders)
        if folder is not None:
            if str(folder) not in self._made:
                self._made[str(folder)] = load_detector(folder)
            return self._made[str(folder)], ""
        own, note = own_instead(name)
        if own in self.own:
            return self.own[own], note
        if own not in self._made:
            self._made[own] = face_finder(self.face_folders) if own == FACE else person_finder()
        return self._made[own], note

    def forget(self) -> None:
        """Drops the detectors from memory; the next use loads them again."""
        self._made.clear()


def face_finder(folders: tuple[Path, ...]) -> Finder:
    """Faces by YuNet, if its file is in `folders`, else by OpenCV's cascades, which are always sure."""
    from modules.enhance.faces.detect import detector_of

    detector = detector_of(folders)

    def find(picture: Image.Image, confidence: float) -> list[Detection]:
        faces = detector(np.asarray(picture.convert("RGB")))
        return [Detection(face.box, face.confidence, label=FACE) for face in faces if face.confidence >= confidence]

    return find


def person_finder() -> Finder:
    """People who stand upright, by the histograms of Dalal and Triggs (2005) that OpenCV ships."""
    import cv2

    histogram = cv2.HOGDescriptor()
    histogram.setSVMDetector(np.asarray(cv2.HOGDescriptor.getDefaultPeopleDetector()))

    def find(picture: Image.Image, confidence: float) -> list[Detection]:
        pixels = cv2.cvtColor(np.asarray(picture.convert("RGB")), cv2.COLOR_RGB2BGR)
        if min(pixels.shape[0] / 128, pixels.shape[1] / 64) < 1:  # its window
            return []
        boxes, weights = histogram.detectMultiScale(pixels, winStride=(8, 8), scale=1.05)
        found = [
            Detection(inside(edges(box), picture.size), min(1.0, float(weight)), label=PERSON)
            for box, weight in zip(np.asarray(boxes).reshape(-1, 4), np.asarray(weights).ravel(), strict=True)
        ]
        return sorted((one for one in found if one.confidence >= confidence), key=lambda one: -one.confidence)

    return find


def edges(box: np.ndarray[tuple[int, ...], np.dtype[np.generic]]) -> tuple[float, float, float, float]:
    """(left, top, width, height) as left, top, right, bottom."""
    left, top, width, height = (float(number) for number in box)
    return left, top, left + width, top + height
