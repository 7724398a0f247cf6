"""Faces are brought upright and put back where they were; what repairs them is a file of the user."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from modules.enhance.faces.align import SIDE, UPRIGHT, box_of, put_back, similarity, soft_mask, to_square, upright
from modules.enhance.faces.detect import Cascades, Face, YuNet, detector_of
from modules.enhance.faces.known import RESTORERS, restorer_called
from modules.enhance.faces.restore import Faces, repaired_square
from modules.enhance.networks import Networks, PictureNetwork, Placement
from modules.enhance.upscaler import Work
from modules.terms.errors import Interrupted, NotFound, UnknownFile
from tests.enhance.drawn_face import with_face
from tests.enhance.small_networks import esrgan, write

CPU = Placement(torch.device("cpu"))


def smooth(width: int, height: int) -> np.ndarray[Any, Any]:
    """A picture without edges: resampling it loses almost nothing."""
    across, down = np.meshgrid(np.linspace(0, 1, width), np.linspace(0, 1, height))
    return (np.stack([across, down, (across + down) / 2], axis=-1) * 255).round().astype(np.uint8)


def turned(angle: float, scale: float, shift: tuple[float, float]) -> np.ndarray[Any, Any]:
    """Points of a face (5, 2) in a picture: the upright ones turned, scaled and shifted."""
    cos, sin = scale * np.cos(angle), scale * np.sin(angle)
    return (UPRIGHT - SIDE / 2) @ np.array([[cos, sin], [-sin, cos]]) + np.array(shift)


@given(st.floats(-3, 3), st.floats(0.1, 4), st.floats(-500, 900), st.floats(-500, 900), st.sampled_from([2, 5]))
def test_a_face_is_brought_where_networks_expect_it(angle, scale, x, y, count: int) -> None:
    points = turned(angle, scale, (x, y))[:count]
    transform = to_square(points)
    there = points @ transform[:, :2].T + transform[:, 2]
    assert np.allclose(there, UPRIGHT[:count], atol=1e-6)


def test_points_that_fit_no_turn_are_met_as_well_as_can_be() -> None:
    rng = np.random.default_rng(0)
    points = UPRIGHT + rng.normal(0, 5, UPRIGHT.shape)
    best = similarity(points, UPRIGHT)

    def error(transform: np.ndarray[Any, Any]) -> float:
        return float(np.sum((points @ transform[:, :2].T + transform[:, 2] - UPRIGHT) ** 2))

    for _ in range(50):
        change = rng.normal(0, 1e-2, 4)
        other = best + np.array([[change[0], -change[1], change[2]], [change[1], change[0], change[3]]])
        assert error(other) >= error(best)
    with pytest.raises(ValueError, match="one place"):
        similarity(np.zeros((2, 2)), UPRIGHT[:2])


@given(st.floats(-1, 1), st.floats(0.15, 1.4), st.floats(60, 240), st.floats(60, 180))
@settings(max_examples=25)
def test_what_is_not_repaired_comes_back(angle, scale, x, y) -> None:
    picture = smooth(300, 240)
    transform = to_square(turned(angle, scale, (x, y)))
    back = put_back(picture, upright(picture, transform), transform)
    inside = cv2.warpAffine(soft_mask(), cv2.invertAffineTransform(transform), (300, 240)) == 0
    assert np.array_equal(back[inside], picture[inside])
    # Beyond the border the square shows grey, which may be mixed in along it.
    interior = np.abs(back.astype(int) - picture)[4:-4, 4:-4]
    assert np.percentile(interior, 99) <= 3


@pytest.mark.parametrize("scale", [0.2, 1.0, 1.5])
def test_a_repaired_face_fades_into_the_picture(scale: float) -> None:
    picture = np.zeros((900, 900, 3), np.uint8)
    transform = to_square(turned(0.2, scale, (450, 450)))
    back = put_back(picture, np.full((SIDE, SIDE, 3), 200, np.uint8), transform)[..., 0].astype(int)
    assert back[450, 450] == 200
    steps = max(np.abs(np.diff(back, axis=0)).max(), np.abs(np.diff(back, axis=1)).max())
    assert steps <= 200 / (SIDE * scale / 10) * 2 + 2
    left, top, right, bottom = box_of(transform, 900, 900) or (0, 0, 0, 0)
    back[top:bottom, left:right] = 0
    assert not back.any()


def test_a_face_outside_changes_nothing() -> None:
    picture = smooth(64, 64)
    transform = to_square(turned(0, 0.1, (900, 900)))
    assert box_of(transform, 64, 64) is None
    assert put_back(picture, np.zeros((SIDE, SIDE, 3), np.uint8), transform) is picture


class Finder:
    """Finds the faces that it was told of."""

    def __init__(self, *faces: Face) -> None:
        self.faces = list(faces)

    def __call__(self, picture: Any) -> list[Face]:
        return self.faces


class Inverting(torch.nn.Module):
    def __init__(self, gain: float = -1.0) -> None:
        super().__init__()
        self.gain = torch.nn.Parameter(torch.tensor(gain))

    def forward(self, face: torch.Tensor, **options: Any) -> tuple[torch.Tensor, None]:
        assert face.shape == (1, 3, SIDE, SIDE)
        assert -1 <= face.min() <= face.max() <= 1
        return face * self.gain, None


class Descriptor:
    device, dtype = torch.device("cpu"), torch.float32

    def __init__(self, model: torch.nn.Module) -> None:
        self.model = model


class Shelf(Networks):
    """Lends a network that inverts, whatever the file."""

    def _network(self, path: Path) -> PictureNetwork:
        return PictureNetwork(path.stem, "CodeFormer", "FaceSR", 1, 3, Descriptor(Inverting()))  # type: ignore[arg-type]


def inverting(folder: Path, *places: tuple[float, float]) -> Faces:
    (folder / "codeformer-v0.1.0.pth").touch()
    faces = [Face((0, 0, 9, 9), turned(0.1, 0.2, place)) for place in places]
    return Faces(Shelf(lambda path: CPU), (folder,), Finder(*faces))


def test_every_face_is_repaired_and_nothing_else(tmp_path: Path) -> None:
    picture = Image.fromarray(np.full((300, 600, 3), 50, np.uint8))
    told: list[tuple[int, int]] = []
    faces = inverting(tmp_path, (150, 150), (450, 150))
    result = faces.restore("codeformer", picture, work=Work(done=lambda one, all_: told.append((one, all_))))
    values = np.asarray(result)[..., 0].astype(int)
    assert values[150, 150] == values[150, 450] == 205
    assert values[150, 300] == values[10, 10] == 50
    assert told == [(1, 2), (2, 2)]


def test_the_work_can_be_ended_after_a_face(tmp_path: Path) -> None:
    def stop(part: int, parts: int) -> None:
        raise Interrupted

    with pytest.raises(Interrupted):
        inverting(tmp_path, (150, 150), (450, 150)).restore(
            "CodeFormer", Image.new("RGB", (600, 300)), work=Work(done=stop)
        )


def test_without_a_face_the_picture_stays(tmp_path: Path) -> None:
    picture = Image.fromarray(smooth(90, 70))
    assert np.array_equal(np.asarray(inverting(tmp_path).restore("CodeFormer", picture)), np.asarray(picture))


def test_without_weights_it_says_what_is_missing_and_where_it_goes(tmp_path: Path) -> None:
    faces = Faces(Networks(lambda path: CPU), (tmp_path,), Finder())
    for one in RESTORERS:
        with pytest.raises(NotFound, match=f"{one.name} cannot.*{one.file}.*models/{one.folder}"):
            faces.restore(one.name, Image.new("RGB", (64, 64)))
    with pytest.raises(NotFound, match="Did you mean 'GFPGAN'"):
        faces.restore("GFPGUN", Image.new("RGB", (64, 64)))


def test_the_newest_weights_are_taken(tmp_path: Path) -> None:
    for name in ("GFPGANv1.3.pth", "GFPGANv1.4.pth", "sub/GFPGANv1.pth", "detection_Resnet50_Final.pth"):
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.touch()
    assert restorer_called("gfpgan").file_in([tmp_path / "none", tmp_path]).name == "GFPGANv1.4.pth"


def restoreformer(head: int = 8) -> dict[str, torch.Tensor]:
    from spandrel.architectures.RestoreFormer import RestoreFormer

    torch.manual_seed(0)
    network = RestoreFormer(
        n_embed=16, embed_dim=32, ch=32, ch_mult=(1, 1, 1, 1, 1, 1), num_res_blocks=1, z_channels=32, head_size=head
    )
    return {key: tensor.detach().contiguous().clone() for key, tensor in network.state_dict().items()}


@pytest.mark.slow
def test_a_file_of_weights_repairs_a_face(tmp_path: Path) -> None:
    write(tmp_path / "RestoreFormer.safetensors", restoreformer())
    faces = Faces(Networks(lambda path: CPU), (tmp_path,), Finder(Face((50, 50, 150, 150), turned(0, 0.2, (100, 100)))))
    picture = Image.fromarray(smooth(200, 200))
    result = faces.restore("RestoreFormer", picture)
    changed = np.abs(np.asarray(result).astype(int) - np.asarray(picture)).max(axis=-1)
    assert changed[100, 100] > 0
    assert changed[:40].max() == 0


@pytest.mark.slow
def test_codeformer_and_gfpgan_are_recognised_and_weigh(tmp_path: Path) -> None:
    """Their networks have fixed sizes of a few hundred megabytes."""
    from spandrel.architectures.GFPGAN import GFPGAN
    from spandrel_extra_arches.architectures.CodeFormer import CodeFormer

    torch.manual_seed(0)
    write(tmp_path / "codeformer.pth", CodeFormer(n_layers=1).state_dict())
    write(tmp_path / "GFPGANv1.4.pth", GFPGAN().state_dict())
    networks = Networks(lambda path: CPU)
    square = np.random.default_rng(0).integers(0, 256, (SIDE, SIDE, 3), dtype=np.uint8)
    with networks.borrow(tmp_path / "codeformer.pth") as network:
        strong, weak = (repaired_square(network, square, weight) for weight in (0.0, 1.0))
    assert strong.shape == (SIDE, SIDE, 3)
    assert not np.array_equal(strong, weak)
    with networks.borrow(tmp_path / "GFPGANv1.4.pth") as network:
        first, second = (repaired_square(network, square, 0.5) for _ in range(2))
    assert np.array_equal(first, second)


def test_an_upscaler_repairs_no_faces(tmp_path: Path) -> None:
    path = write(tmp_path / "gfpgan.safetensors", esrgan())
    with Networks(lambda path: CPU).borrow(path) as network, pytest.raises(UnknownFile, match="no faces"):
        repaired_square(network, np.zeros((SIDE, SIDE, 3), np.uint8), 0.5)


def test_the_cascades_load_and_find_no_face_in_noise() -> None:
    finder = detector_of([])
    assert isinstance(finder, Cascades)
    noise = np.random.default_rng(0).integers(0, 256, (900, 700, 3), dtype=np.uint8)
    assert finder(noise) == []
    assert finder(np.zeros((16, 16, 3), np.uint8)) == []


def test_a_broken_detector_says_so(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "face_detection_yunet_2023mar.onnx").write_bytes(b"no network")
    with pytest.raises(UnknownFile, match="face_detection_yunet_2023mar.onnx is no YuNet"):
        detector_of([tmp_path])
    assert YuNet.__doc__


@pytest.mark.parametrize("side", [90, 300, 900])
def test_the_cascades_find_a_face_and_its_eyes(side: int) -> None:
    sheet = Image.new("RGB", (side * 2, side * 2), (120, 120, 120))
    eyes = with_face(sheet, side // 3, side // 4, side)
    (face,) = Cascades()(np.asarray(sheet))
    assert np.abs(face.points - eyes).max() < 0.06 * side
    left, top, right, bottom = face.box
    assert left < eyes[0][0] < eyes[1][0] < right
    assert top < eyes[0][1] < bottom


def test_the_largest_face_comes_first() -> None:
    sheet = Image.new("RGB", (900, 600), (120, 120, 120))
    small, large = with_face(sheet, 60, 200, 140), with_face(sheet, 400, 80, 300)
    first, second = Cascades()(np.asarray(sheet))
    assert np.abs(first.points - large).max() < 20
    assert np.abs(second.points - small).max() < 10
