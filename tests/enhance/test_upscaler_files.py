"""Upscaler files: which there are, what they are called, and what becomes of those that are no upscalers."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
import torch
from PIL import Image
from safetensors.torch import save_file

from modules.enhance.networks import Networks, Placement
from modules.enhance.upscaler import Work
from modules.enhance.upscalers.files import UpscalerFiles, find_upscalers
from modules.enhance.upscalers.known import KNOWN, missing
from modules.enhance.upscalers.network import file_upscalers
from modules.settings.store import Settings
from modules.terms.errors import NotFound, Refused, UnknownFile, WebuiError
from tests.enhance.small_networks import esrgan, write

CPU = Placement(torch.device("cpu"))


def touched(folder: Path, *names: str) -> Path:
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    return folder


def test_names_are_those_of_a1111(tmp_path: Path) -> None:
    names = [
        *("ESRGAN/4x-UltraSharp.pth", "ESRGAN/sub/1x_DeJPG.safetensors", "ESRGAN/.hidden.pth", "ESRGAN/readme.txt"),
        *("RealESRGAN/RealESRGAN_x4plus_anime_6B.pth", "RealESRGAN/RealESRGAN_x2plus.pth", "DAT/DAT_x3.pth"),
    ]
    found = find_upscalers([touched(tmp_path, *names) / folder for folder in ("ESRGAN", "RealESRGAN", "DAT", "HAT")])
    assert [(one.name, one.scale) for one in found] == [
        ("1x_DeJPG", 1.0),
        ("4x-UltraSharp", 4.0),
        ("DAT x3", 3.0),
        ("R-ESRGAN 2x+", 2.0),
        ("R-ESRGAN 4x+ Anime6B", 4.0),
    ]
    assert found[-1].aliases == ("RealESRGAN_x4plus_anime_6B",)


def test_two_files_of_one_name_are_both_there(tmp_path: Path) -> None:
    touched(tmp_path, "ESRGAN/one.pth", "upscalers/one.safetensors", "upscalers/Lanczos.pth")
    found = find_upscalers([tmp_path / "ESRGAN", tmp_path / "upscalers", tmp_path])
    assert [one.name for one in found] == ["Lanczos (upscalers.pth)", "one", "one (upscalers.safetensors)"]
    upscalers = file_upscalers(found, Networks(lambda path: CPU))
    assert len({upscaler.name for upscaler in upscalers}) == 3


def test_a_new_file_is_seen_after_a_refresh(tmp_path: Path) -> None:
    files = UpscalerFiles([tmp_path / "ESRGAN"])
    assert files.files == ()
    touched(tmp_path, "ESRGAN/new.pth")
    files.refresh()
    assert [one.name for one in files.files] == ["new"]


def test_known_names_are_told_where_they_belong() -> None:
    assert "RealESRGAN_x4plus.pth" in (missing("R-ESRGAN 4x+") or "")
    assert "models/ScuNET" in (missing("scunet_color_real_gan") or "")
    assert missing("no such thing") is None
    assert len({one.name.lower() for one in KNOWN} | {one.stem.lower() for one in KNOWN}) >= len(KNOWN)


def test_looking_needs_no_torch() -> None:
    code = "import sys, modules.enhance.upscaler, modules.enhance.upscalers.files; print(*sys.modules)"
    root = Path(__file__).parents[2]
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=root)
    assert not {"torch", "spandrel"} & set(done.stdout.split())


class Bomb:
    def __reduce__(self) -> tuple[object, ...]:
        return exec, ("raise SystemExit('a pickle ran')",)


def broken_files(folder: Path) -> dict[str, tuple[type[WebuiError], str]]:
    """Name -> what loading it must say; the files are written."""
    state = esrgan()
    torch.save({"params": state, "extra": Bomb()}, folder / "bomb.pth")
    save_file({"first": torch.zeros(3)}, folder / "stranger.safetensors")
    cut = write(folder / "cut.safetensors", state)
    cut.write_bytes(cut.read_bytes()[:-100])
    write(folder / "odd.safetensors", {**state, "model.0.weight": torch.zeros(8, 5, 3, 3)})
    (folder / "page.pth").write_text("<!doctype html>")
    return {
        "bomb.pth": (Refused, "code"),
        "stranger.safetensors": (UnknownFile, "no upscaler"),
        "cut.safetensors": (UnknownFile, "cut off"),
        "odd.safetensors": (UnknownFile, "channels|built"),
        "page.pth": (UnknownFile, "web page"),
        "gone.pth": (NotFound, "gone.pth"),
    }


def test_what_is_no_upscaler_says_so(tmp_path: Path) -> None:
    networks = Networks(lambda path: CPU)
    for name, (kind, words) in broken_files(tmp_path).items():
        touched(tmp_path, "gone.pth") if name == "gone.pth" else None
        (one,) = [one for one in find_upscalers([tmp_path]) if one.path.name == name]
        (tmp_path / "gone.pth").unlink(missing_ok=True)
        (upscaler,) = file_upscalers([one], networks)
        with pytest.raises(kind, match=words):
            upscaler.enlarge(Image.new("RGB", (16, 16)), 4, Work(Settings()))
    assert networks.held() in ((), (tmp_path / "odd.safetensors",))


def test_without_spandrel_a_sentence_says_what_to_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write(tmp_path / "one.safetensors", esrgan())
    monkeypatch.setitem(sys.modules, "spandrel", None)
    with (
        pytest.raises(WebuiError, match="torchvision and spandrel.*--reinstall-torch"),
        Networks(lambda path: CPU).borrow(path),
    ):
        pass
