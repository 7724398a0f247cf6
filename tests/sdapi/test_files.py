"""Files by their path: pictures go out, what the studio keeps does not, wherever the pictures are saved."""

from __future__ import annotations

import base64
import io
import json
from collections.abc import Callable
from pathlib import Path
from urllib.parse import quote

import pytest
from PIL import Image
from safetensors.numpy import save_file

from modules.sdapi.file_door import may_leave
from tests.sdapi.serving import Server


def png() -> bytes:
    buffer = io.BytesIO()
    Image.new("RGB", (8, 8), "green").save(buffer, "PNG")
    return buffer.getvalue()


def lora(folder: Path, name: str = "style", **metadata: str) -> Path:
    import numpy

    folder.mkdir(parents=True, exist_ok=True)
    tensors = {
        "lora_unet_mid_block_attentions_0_proj_in.lora_up.weight": numpy.zeros((4, 1), "float32"),
        "lora_unet_mid_block_attentions_0_proj_in.lora_down.weight": numpy.zeros((1, 4), "float32"),
    }
    save_file(tensors, folder / f"{name}.safetensors", metadata)
    return folder / f"{name}.safetensors"


def test_pictures_are_shown_by_their_path(server: Server) -> None:
    folder = server.studio.flags.data_dir / "outputs" / "txt2img-images"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "ä #1.png").write_bytes(png())
    answer = server.client.get(f"/file={quote(str(folder / 'ä #1.png'))}")
    assert (answer.status_code, answer.headers["content-type"], answer.content) == (200, "image/png", png())
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert server.client.get(f"/file={quote(str(folder / 'none.png'))}").status_code == 404


@pytest.mark.parametrize("prefix", ["/file=", "/gradio_api/file=", "/gradio_api/file/"])
def test_what_the_studio_keeps_does_not_leave(served: Callable[..., Server], prefix: str) -> None:
    """Even where pictures are saved into the data folder itself."""
    server = served()
    data = server.studio.flags.data_dir
    server.studio.set_options({"outdir_samples": str(data)})
    (data / "seen.png").write_bytes(png())
    (data / "trick.png").symlink_to(data / "config.json")
    kept = [path for path in data.rglob("*") if path.is_file() and path.suffix != ".png"]
    assert {"config.json"} <= {path.name for path in kept}
    assert any(path.suffix.startswith(".sqlite") or path.suffix == ".db" for path in kept), kept
    for path in [*kept, data / "trick.png", data / "seen.png" / ".." / "config.json"]:
        answer = server.client.get(f"{prefix}{path}")
        assert answer.status_code in (403, 404), path
        assert b"samples_format" not in answer.content
    if prefix == "/file=":
        assert server.client.get(f"{prefix}{data / 'seen.png'}").status_code == 200


def test_other_folders_are_not_shown(server: Server, tmp_path: Path) -> None:
    (tmp_path / "private.png").write_bytes(png())
    link = server.studio.flags.data_dir / "outputs" / "link.png"
    link.parent.mkdir(parents=True, exist_ok=True)
    link.unlink(missing_ok=True)
    link.symlink_to(tmp_path / "private.png")
    for path in (tmp_path / "private.png", "/etc/passwd", link, "../../etc/passwd", "", "a\0b.png", "x" * 5000):
        for address in (f"/file={quote(str(path))}", f"/sd_extra_networks/thumb?filename={quote(str(path))}"):
            assert server.client.get(address).status_code in (403, 404), address


def test_a_folder_may_be_allowed(served: Callable[..., Server], tmp_path_factory: pytest.TempPathFactory) -> None:
    folder = tmp_path_factory.mktemp("mine")
    (folder / "a.png").write_bytes(png())
    (folder / "a.html").write_text("<script>1</script>")
    server = served(gradio_allowed_path=(str(folder),))
    assert server.client.get(f"/file={folder / 'a.png'}").content == png()
    assert server.client.get(f"/file={folder / 'a.html'}").status_code == 403


def test_uploads_to_the_page_are_gradios_own_matter(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GRADIO_TEMP_DIR", str(tmp_path / "uploads"))
    assert may_leave(str(tmp_path / "uploads" / "notes.csv"), tmp_path)
    assert not may_leave(str(tmp_path / "notes.csv"), tmp_path)


def test_a_model_shows_what_stands_beside_and_inside_it(served: Callable[..., Server]) -> None:
    server = served()
    folder = server.studio.flags.lora_folders[0]
    covers = json.dumps([base64.b64encode(png()).decode(), base64.b64encode(b"<svg/>").decode()])
    path = lora(folder, "<b>st&yle", ssmd_cover_images=covers, ss_tag_frequency='{"a": {"b": 1}}')
    path.with_suffix(".png").write_bytes(png())
    server.client.post("/sdapi/v1/refresh-loras")
    asked = {"page": "lora", "item": path.stem}
    thumb = server.client.get("/sd_extra_networks/thumb", params={"filename": str(path.with_suffix(".png"))})
    assert thumb.content == png()
    cover = server.client.get("/sd_extra_networks/cover-images", params=asked)
    assert (cover.content, cover.headers["content-type"]) == (png(), "image/png")
    for index in (1, 2):
        answer = server.client.get("/sd_extra_networks/cover-images", params={**asked, "index": index})
        assert answer.status_code == 404, "SVG runs scripts; the third is not there"
    said = json.loads(server.client.get("/sd_extra_networks/metadata", params=asked).json()["metadata"])
    assert said == {"ss_tag_frequency": {"a": {"b": 1}}}
    card = {"page": "lora", "tabname": '"><script>', "name": path.stem}
    html = server.client.get("/sd_extra_networks/get-single-card", params=card).json()["html"]
    assert "<b>" not in html, "CVE-2026-111984: a file's name is text, not markup"
    assert "<script" not in html
    assert "&lt;b&gt;st&amp;yle" in html
    assert server.client.get("/sd_extra_networks/metadata", params={"page": "lora", "item": "no"}).status_code == 404
    assert server.client.get("/sd_extra_networks/metadata", params={"page": "x", "item": "no"}).status_code == 404
