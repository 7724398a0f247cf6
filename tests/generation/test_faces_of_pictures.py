"""Faces are repaired after drawing, before colours and masks; without weights the picture comes with a note."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from modules.enhance.faces.restore import Faces
from modules.enhance.networks import Networks, Placement
from modules.enhance.upscaler import PLAIN, Work
from modules.generation import Tools, generate
from modules.terms.errors import Interrupted
from modules.terms.progress import Progress
from modules.terms.request import GenerationRequest, Mask, Source

QUICK = GenerationRequest(prompt="a cat", steps=2, width=64, height=64, seed=3, restore_faces=True)


class Painting(Faces):
    """Paints the left half red, whatever is there, and says so after each of two faces."""

    def restore(self, name: str, image: Image.Image, weight: float = 0.5, work: Work = PLAIN) -> Image.Image:
        self.asked = (name, weight)
        result = image.copy()
        result.paste("red", (0, 0, image.width // 2, image.height))
        for face in (1, 2):
            work.done(face, 2)
        return result

    def unload(self, name: str) -> None:
        self.unloaded = name


@pytest.fixture
def painting(tmp_path: Path) -> Painting:
    return Painting(Networks(lambda path: Placement(torch.device("cpu"))), (tmp_path,))


def red(image: Image.Image) -> np.ndarray[Any, Any]:
    return (np.asarray(image) == (255, 0, 0)).all(axis=-1)


def test_drawn_faces_are_repaired(tools: Tools, painting: Painting) -> None:
    settings = {
        "save_images_before_face_restoration": True,
        "code_former_weight": 0.25,
        "face_restoration_unload": True,
    }
    result = generate(QUICK.with_(settings=settings), tools.with_(faces=painting))
    before, after = result.images
    assert (before.kind, before.suffix) == ("before", "-before-face-restoration")
    assert not red(before.image).all(axis=0)[:32].all()
    assert red(after.image)[:, :32].all()
    assert np.array_equal(np.asarray(before.image)[:, 32:], np.asarray(after.image)[:, 32:])
    assert painting.asked == ("CodeFormer", 0.25)
    assert painting.unloaded == "CodeFormer"
    assert "Face restoration: CodeFormer" in after.infotext


def test_faces_are_left_alone_unless_asked(tools: Tools, painting: Painting) -> None:
    result = generate(QUICK.with_(restore_faces=None), tools.with_(faces=painting))
    assert not red(result.images[0].image).any()
    asked = generate(QUICK.with_(restore_faces=None, settings={"face_restoration": True}), tools.with_(faces=painting))
    assert red(asked.images[0].image)[:, :32].all()


def test_without_weights_the_picture_comes_with_a_note(tools: Tools, tmp_path: Path) -> None:
    plain = generate(QUICK.with_(restore_faces=False), tools)
    faces = Faces(Networks(lambda path: Placement(torch.device("cpu"))), (tmp_path,))
    result = generate(QUICK, tools.with_(faces=faces))
    assert np.array_equal(np.asarray(result.images[0].image), np.asarray(plain.images[0].image))
    assert any("codeformer-v0.1.0.pth" in note and "models/Codeformer" in note for note in result.notes)
    assert "Face restoration" not in result.images[0].infotext


def test_what_the_mask_keeps_is_not_repaired(tools: Tools, painting: Painting) -> None:
    mask = Image.new("L", (64, 64))
    mask.paste(255, (0, 0, 64, 24))
    picture = Image.new("RGB", (64, 64), (10, 120, 90))
    source = Source((picture,), mask=Mask(mask, blur_x=0, blur_y=0))
    result = generate(QUICK.with_(source=source, denoising_strength=0.5), tools.with_(faces=painting))
    drawn = result.images[0].image
    assert red(drawn)[:24, :32].all()
    assert (np.asarray(drawn)[24:] == (10, 120, 90)).all()


def test_an_interrupt_between_faces_keeps_the_picture(tools: Tools, painting: Painting) -> None:
    def watch(progress: Progress, preview: Any = None) -> None:
        if progress.phase == "faces" and progress.step == 1:
            raise Interrupted

    result = generate(QUICK.with_(n_iter=2), tools.with_(faces=painting), watch)
    assert result.interrupted
    assert len(result.images) == 1
    assert red(result.images[0].image)[:, :32].all()
