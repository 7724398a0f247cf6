"""Values of the Extras tab become the request that was meant."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from PIL import Image

from modules.gui.extras_request import BATCH, FOLDER, to_extras_request
from modules.imaging.files import save_image
from modules.studio.flags import parse_flags
from modules.terms.errors import BadRequest, Refused
from modules.terms.extras import TO, FaceRepair, FlippedCopies, Upscaling

MADE_BY = "a cat\nSteps: 20, Sampler: Euler, Seed: 5"


def studio(*flags: str) -> Any:
    return SimpleNamespace(flags=parse_flags(list(flags), environ={}))


@pytest.fixture
def picture(tmp_path: Path) -> Path:
    return save_image(Image.new("RGB", (8, 8), "red"), tmp_path / "mine.png", MADE_BY)


def single(path: Path, **values: Any) -> dict[str, Any]:
    return {"mode": "single", "extras": {"image": {"path": str(path)}, "paint": None}, **values}


def test_one_picture_with_its_name_and_text(picture: Path) -> None:
    request = to_extras_request(studio(), single(picture))
    (one,) = request.pictures
    assert (one.image.size, one.name, one.texts["parameters"]) == ((8, 8), "mine", MADE_BY)
    assert request.steps == ()


def test_steps_count_only_where_their_switch_is_on(picture: Path) -> None:
    values = single(
        picture,
        **{
            "upscaling": True,
            "resize_tab": "to",
            "upscaling.width": 640.0,
            "upscaling.upscaler": "Lanczos",
            "upscaling.scale": 3,
            "gfpgan": False,
            "codeformer": True,
            "faces.gfpgan_visibility": 0.7,
            "faces.codeformer_visibility": 0.4,
            "faces.codeformer_weight": 0.2,
            "flips": True,
            "flips.ways": ["Vertical", "Both"],
            "split": False,
            "split.threshold": 0.1,
        },
    )
    request = to_extras_request(studio(), values)
    assert request.upscaling == Upscaling(mode=TO, scale=3, width=640, upscaler="Lanczos")
    assert request.faces == FaceRepair(0, 0.4, 0.2)
    assert request.flips == FlippedCopies(("Vertical", "Both"))
    assert len(request.steps) == 3


def test_several_files(picture: Path, tmp_path: Path) -> None:
    other = save_image(Image.new("RGB", (4, 4)), tmp_path / "other.webp")
    request = to_extras_request(studio(), {"mode": BATCH, "files": [str(picture), str(other)]})
    assert [one.name for one in request.pictures] == ["mine", "other"]


def test_a_folder_and_where_its_results_go() -> None:
    values = {"mode": FOLDER, "input_folder": " /in ", "output_folder": "/out", "show_results": False}
    request = to_extras_request(studio(), values)
    assert (request.folder, request.output_folder, request.show_results) == ("/in", "/out", False)
    with pytest.raises(BadRequest, match="Name the folder"):
        to_extras_request(studio(), {"mode": FOLDER})


@pytest.mark.parametrize("flags", [("--hide-ui-dir-config",), ("--listen", "--listen-without-auth")])
def test_strangers_name_no_folder(flags: tuple[str, ...]) -> None:
    with pytest.raises(Refused, match="gradio-auth"):
        to_extras_request(studio(*flags), {"mode": FOLDER, "input_folder": "/in"})
    allowed = to_extras_request(studio("--listen", "--gradio-auth", "a:b"), {"mode": FOLDER, "input_folder": "/in"})
    assert allowed.folder == "/in"


def test_without_a_picture_it_says_so(tmp_path: Path) -> None:
    for values in ({}, {"mode": BATCH, "files": []}, {"extras": None}):
        with pytest.raises(BadRequest, match="no picture"):
            to_extras_request(studio(), values)
    (tmp_path / "broken.png").write_bytes(b"no picture")
    with pytest.raises(BadRequest, match=r"broken\.png cannot be read"):
        to_extras_request(studio(), single(tmp_path / "broken.png"))
