"""Files go where they belong: never over another, never from or to anywhere else."""

from __future__ import annotations

from pathlib import Path

import pytest

from modules.studio.flag_table import Flags
from modules.studio.placing import known_file, place, safe_name
from modules.studio.uploads import Uploads
from modules.terms.errors import BadRequest, NotFound, Refused, UnknownFile, WebuiError
from tests.studio.lora_files import model_bytes, put


@pytest.fixture
def flags(tmp_path: Path) -> Flags:
    return Flags(data_dir=tmp_path)


def test_a_model_moves_with_what_stands_beside_it(flags: Flags) -> None:
    wrong = put(flags.models_dir / "Stable-diffusion" / "style.safetensors")
    put(wrong.with_suffix(".json"), b"{}")
    put(wrong.with_suffix(".preview.png"), b"x")
    there = place(known_file(str(wrong), flags), flags)
    assert there == flags.lora_dir / "style.safetensors"
    assert sorted(path.name for path in there.parent.iterdir()) == [
        "style.json",
        "style.preview.png",
        "style.safetensors",
    ]
    assert not wrong.exists()
    assert place(there, flags) == there, "it stays where it belongs"
    deeper = put(flags.lora_dir / "deep" / "other.safetensors")
    assert place(deeper, flags) == deeper


def test_nothing_is_overwritten(flags: Flags) -> None:
    wrong = put(flags.models_dir / "VAE" / "style.safetensors")
    there = put(flags.lora_dir / "style.safetensors", b"mine")
    with pytest.raises(Refused, match="already"):
        place(wrong, flags)
    assert (there.read_bytes(), wrong.exists()) == (b"mine", True)


def test_what_has_no_place_stays(flags: Flags) -> None:
    odd = put(flags.models_dir / "VAE" / "odd.safetensors", model_bytes(key="something.else"))
    with pytest.raises(Refused, match="no folder for such files"):
        place(odd, flags)
    assert odd.exists()


@pytest.mark.parametrize(
    ("text", "error"),
    [
        ("/etc/passwd", Refused),
        ("models/../config.json", Refused),
        ("models/Lora/../../../../../etc/hosts.pt", Refused),
        ("models/Lora/secret.txt", Refused),
        ("models/Lora/none.safetensors", NotFound),
        ("models/Lora/a\0.safetensors", BadRequest),
        ("", Refused),
    ],
)
def test_only_models_in_known_folders_are_touched(flags: Flags, text: str, error: type[WebuiError]) -> None:
    put(flags.lora_dir / "secret.txt", b"x")
    with pytest.raises(error):
        known_file(text, flags)


@pytest.mark.parametrize(
    ("name", "safe"),
    [
        ("a.safetensors", "a.safetensors"),
        ("../../x.pt", "x.pt"),
        ("C:\\folder\\x.PT", "x.PT"),
        ('<a>:"b|?*\n.ckpt', "_a___b____.ckpt"),
        ("con.pt", "_con.pt"),
        ("模型" * 200 + ".safetensors", None),
    ],
)
def test_names_are_made_safe(name: str, safe: str | None) -> None:
    made = safe_name(name)
    assert len(made.encode()) <= 255 and "/" not in made and made.endswith(name[-3:])
    assert safe in (None, made)


@pytest.mark.parametrize("name", ["run.py", "page.html", "", ".safetensors", "../..", "model.safetensors.exe", " .pt"])
def test_other_names_are_refused(name: str) -> None:
    with pytest.raises(Refused):
        safe_name(name)


def test_a_beginning_tells_what_a_large_file_is(flags: Flags, tmp_path: Path) -> None:
    uploads = Uploads(tmp_path / "up", flags)
    beginning = model_bytes(7 * 1024**3)
    report = uploads.inspect_beginning("style.safetensors", len(beginning) + 7 * 1024**3, beginning)
    assert (report.kind, report.base) == ("network", "SD 1.x")
    assert uploads.inspect_beginning("x.ckpt", 100, b"PK\x03\x04").kind == "pickle"
    with pytest.raises(UnknownFile):
        uploads.inspect_beginning("x.safetensors", 100, b"<html>")
    with pytest.raises(BadRequest):
        uploads.inspect_beginning("x.safetensors", 3, b"long")
    assert list((tmp_path / "up").iterdir()) == []


def test_an_upload_arrives_piece_by_piece(flags: Flags, tmp_path: Path) -> None:
    uploads, data = Uploads(tmp_path / "up", flags), model_bytes()
    put(flags.lora_dir / "style.safetensors", b"mine")
    upload = uploads.begin("../style.safetensors", len(data))
    uploads.add(upload.id, 0, data[:100])
    for offset, piece in ((0, b"x"), (200, b"x"), (100, data)):
        with pytest.raises(BadRequest, match="begins at byte 100"):
            uploads.add(upload.id, offset, piece)
    with pytest.raises(BadRequest, match="bytes are here"):
        uploads.finish(upload.id)
    uploads.add(upload.id, 100, data[100:])
    path, report = uploads.finish(upload.id)
    assert (path, report.kind) == (flags.lora_dir / "style (2).safetensors", "network")
    assert path.read_bytes() == data
    assert (flags.lora_dir / "style.safetensors").read_bytes() == b"mine"
    assert list((tmp_path / "up").iterdir()) == []


def test_what_is_no_model_leaves_nothing_behind(flags: Flags, tmp_path: Path) -> None:
    uploads = Uploads(tmp_path / "up", flags)
    upload = uploads.begin("x.safetensors", 6)
    uploads.add(upload.id, 0, b"<html>")
    with pytest.raises(UnknownFile):
        uploads.finish(upload.id)
    with pytest.raises(NotFound):
        uploads.finish(upload.id)
    uploads.drop(uploads.begin("y.safetensors", 6).id)
    assert list((tmp_path / "up").iterdir()) == []
    with pytest.raises(Refused, match="no room"):
        uploads.begin("z.safetensors", 1 << 42)
