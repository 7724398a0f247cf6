"""From a pasted link to a file in its folder, with its notes; asked, paused, cancelled, taken up again."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from PIL import Image

from modules.studio.downloads.downloads import Downloads
from modules.studio.downloads.keys import Keys
from modules.studio.downloads.record import Download
from modules.studio.flag_table import Flags
from modules.terms.errors import BadRequest, NotFound, Refused
from tests.studio.downloads.bad_server import BadServer, sha256, until
from tests.studio.lora_files import model_bytes

LORA = model_bytes()


def ended(downloads: Downloads, download: Download) -> Download:
    until(lambda: download.state not in ("waiting", "running"))
    assert download is downloads.get(download.id)
    return download


def picture() -> bytes:
    buffer = io.BytesIO()
    Image.new("RGB", (8, 8), "red").save(buffer, "JPEG")
    return buffer.getvalue()


@pytest.fixture
def civitai(server: BadServer, store: BadServer) -> dict[str, Any]:
    """A model with a version, as Civitai's API tells of them; the file lies elsewhere and needs a key."""
    stored = store.serves("/bucket/1", LORA, headers={"Content-Disposition": 'attachment; filename="../evil.py"'})
    server.redirects("/api/download/models/20", stored, needs="Bearer secret")
    version = {
        "id": 20,
        "modelId": 10,
        "name": "v2",
        "baseModel": "SDXL 1.0",
        "trainedWords": ["in style, ", "bold"],
        "model": {"name": "Style", "type": "LORA"},
        "files": [
            {"name": "data.zip", "type": "Training Data", "downloadUrl": f"{server.url}/api/download/models/20?type=x"},
            {
                "name": "style.pt",
                "type": "Model",
                "primary": True,
                "downloadUrl": "https://civitai.com/api/download/models/20",
            },
            {
                "name": "style.safetensors",
                "type": "Model",
                "metadata": {"fp": "fp16"},
                "hashes": {"SHA256": sha256(LORA).upper()},
                "downloadUrl": "https://civitai.com/api/download/models/20?format=SafeTensor",
            },
        ],
        "images": [
            {"url": f"{store.url}/rude.jpeg", "nsfwLevel": 16, "type": "image"},
            {"url": store.serves("/mild.jpeg", picture()), "nsfwLevel": 1, "type": "image"},
        ],
    }
    server.tells("/api/v1/model-versions/20", version)
    server.tells("/api/v1/models/10", {"id": 10, "modelVersions": [{"id": 20}, {"id": 19}]})
    return version


def test_a_page_on_civitai_becomes_a_lora_with_its_notes(
    server: BadServer, civitai: dict[str, Any], downloads: Downloads, keys: Keys, flags: Flags
) -> None:
    keys.set("civitai", "secret")
    download = ended(downloads, downloads.start(f"{server.url}/models/10/style"))
    assert (download.state, download.sentence, download.kind) == ("done", "", "network")
    path = flags.lora_dir / "style.safetensors"
    assert path == download.path
    assert path.read_bytes() == LORA
    notes = json.loads(path.with_suffix(".json").read_text())
    assert notes == {"description": "Style v2", "activation text": "in style, bold", "sd version": "SDXL"}
    assert json.loads((flags.lora_dir / "style.civitai.info").read_text())["id"] == 20
    assert (flags.lora_dir / "style.preview.jpg").read_bytes() == picture()
    assert len(list(flags.lora_dir.iterdir())) == 4
    assert downloads.file.stat().st_mode & 0o777 == 0o600, "an address may hold a key"
    view = download.view()
    assert (view["written"], view["total"]) == (len(LORA), len(LORA))


def test_the_same_file_is_not_fetched_twice(
    server: BadServer, store: BadServer, civitai: dict[str, Any], downloads: Downloads, keys: Keys, flags: Flags
) -> None:
    keys.set("civitai", "secret")
    text = f"{server.url}/api/download/models/20?format=SafeTensor"
    first = ended(downloads, downloads.start(text))
    fetched = len(store.asked)
    again = ended(downloads, downloads.start(text))
    assert again.path == first.path
    assert len(store.asked) == fetched + 1, "its beginning is looked at, no more"


def test_without_a_key_it_says_what_to_do(
    server: BadServer, civitai: dict[str, Any], downloads: Downloads, keys: Keys, flags: Flags
) -> None:
    download = ended(downloads, downloads.start(f"{server.url}/models/10"))
    assert download.state == "failed"
    assert "API key" in download.sentence
    keys.set("civitai", "secret")
    downloads.resume(download.id)
    assert ended(downloads, download).state == "done"


def test_a_file_of_another_hash_is_thrown_away(
    server: BadServer, civitai: dict[str, Any], downloads: Downloads, keys: Keys, flags: Flags
) -> None:
    keys.set("civitai", "secret")
    civitai["files"][2]["hashes"]["SHA256"] = "ab" * 32
    server.tells("/api/v1/model-versions/20", civitai)
    download = ended(downloads, downloads.start("urn:air:sdxl:lora:civitai:10@20"))
    assert (download.state, "not what the site promises" in download.sentence) == ("failed", True)
    assert list(flags.lora_dir.iterdir()) == []


@pytest.fixture
def hub(server: BadServer) -> str:
    lfs = {"oid": sha256(LORA), "size": len(LORA)}
    server.tells(
        "/api/models/owner/name/tree/main",
        [
            {"type": "directory", "path": "vae"},
            {"type": "file", "path": "README.md", "size": 5},
            {"type": "file", "path": "unsafe.ckpt", "size": 5},
            {"type": "file", "path": "vae/part.safetensors", "size": 5},
            {"type": "file", "path": "style.safetensors", "size": len(LORA), "lfs": lfs},
        ],
    )
    server.serves("/owner/name/resolve/main/style.safetensors", LORA)
    return server.url


def test_a_repository_offers_its_files_the_best_first(hub: str, downloads: Downloads, flags: Flags) -> None:
    assert [offer.name for offer in downloads.offers("owner/name")] == [
        "style.safetensors",
        "part.safetensors",
        "unsafe.ckpt",
    ]
    assert [offer.name for offer in downloads.offers(f"{hub}/owner/name/tree/main/vae")] == ["part.safetensors"]
    download = ended(downloads, downloads.start(f"{hub}/owner/name/blob/main/style.safetensors"))
    assert (download.state, download.path) == ("done", flags.lora_dir / "style.safetensors")
    for text, name in (("owner/name", "other"), (f"{hub}/owner/name/blob/main/README.md", "")):
        with pytest.raises(NotFound):
            downloads.start(text, name=name)


def test_what_is_no_model_is_not_downloaded(store: BadServer, downloads: Downloads, flags: Flags) -> None:
    header = b'{"odd.x":{"dtype":"F16","shape":[1],"data_offsets":[0,2]}}'
    odd = len(header).to_bytes(8, "little") + header + bytes(2)
    cut = LORA[:-100]
    for name, content, words in (
        ("run.py", b"import os", "no model file"),
        ("archive.zip", b"PK\x03\x04", "no model file"),
        ("json.safetensors", b'{"error": "no"}', "cannot be read"),
        ("odd.safetensors", odd, "no folder"),
        ("cut.safetensors", cut, "cut off"),
    ):
        download = ended(downloads, downloads.start(store.serves(f"/{name}", content)))
        assert (download.state, words in download.sentence) == ("failed", True), download.sentence
    assert not list(flags.data_dir.rglob("*.part"))
    assert not list(flags.data_dir.rglob("*.safetensors"))


def test_a_person_may_say_what_an_odd_file_is(store: BadServer, downloads: Downloads, flags: Flags) -> None:
    url = store.serves("/odd.safetensors", model_bytes(key="something.else"))
    download = ended(downloads, downloads.start(url, kind="controlnet"))
    assert download.path == flags.control_folders[0] / "odd.safetensors"
    with pytest.raises(BadRequest):
        downloads.start(url, kind="../..")


def test_a_pickle_is_asked_for(store: BadServer, downloads: Downloads, flags: Flags) -> None:
    buffer = io.BytesIO()
    torch.save({"string_to_param": {"*": torch.zeros(2, 768)}, "name": "x"}, buffer)
    url = store.serves("/word.pt", buffer.getvalue())
    download = ended(downloads, downloads.start(url))
    assert (download.state, "pickle" in download.sentence) == ("asking", True)
    assert not list(flags.data_dir.rglob("word*"))
    downloads.resume(download.id)
    assert ended(downloads, download).state == "asking", "going on is no permission"
    downloads.resume(download.id, allow_pickle=True)
    assert ended(downloads, download).path == flags.embeddings_dir / "word.pt"


class Code:
    def __reduce__(self) -> tuple[object, ...]:
        return print, ("ran",)


def test_a_pickle_with_a_program_is_thrown_away(
    store: BadServer, downloads: Downloads, flags: Flags, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    buffer = io.BytesIO()
    torch.save({"x": Code()}, buffer)
    url = store.serves("/evil.pt", buffer.getvalue())
    download = ended(downloads, downloads.start(url, allow_pickle=True, kind="embedding"))
    assert (download.state, "not opened" in download.sentence) == ("failed", True)
    assert capsys.readouterr().out == ""
    assert not list(tmp_path.rglob("*evil*"))


def test_nothing_is_overwritten(store: BadServer, downloads: Downloads, flags: Flags) -> None:
    flags.lora_dir.mkdir(parents=True)
    (flags.lora_dir / "style.safetensors").write_bytes(b"mine")
    download = ended(downloads, downloads.start(store.serves("/style.safetensors", LORA)))
    assert download.path == flags.lora_dir / "style (2).safetensors"
    assert (flags.lora_dir / "style.safetensors").read_bytes() == b"mine"


def test_it_can_be_paused_taken_up_and_cancelled(
    store: BadServer, make_downloads: Callable[[], Downloads], flags: Flags
) -> None:
    downloads = make_downloads()
    url = store.serves("/slow.safetensors", LORA, delay=0.2)
    download = downloads.start(url)
    until(lambda: download.written > 1000)
    downloads.close()
    assert ended(downloads, download).state == "paused"
    until(lambda: not download.busy.locked())
    here = download.written
    store.paths["/slow.safetensors"].delay = 0
    again = make_downloads()
    (kept,) = again.all
    assert (kept.id, kept.state) == (download.id, "paused")
    again.resume(kept.id)
    assert ended(again, kept).state == "done"
    assert f"bytes={here}-" in store.ranges_asked("/slow.safetensors")

    store.paths["/slow.safetensors"].delay = 0.2
    other = again.start(url)
    until(lambda: other.written > 1000)
    again.cancel(other.id)
    until(lambda: not other.busy.locked())
    assert sorted(path.name for path in flags.lora_dir.iterdir()) == ["slow.safetensors"]
    again.cancel(other.id)
    with pytest.raises(NotFound):
        again.get(other.id)


def test_private_addresses_are_refused(store: BadServer, downloads: Downloads, flags: Flags) -> None:
    for url in (
        f"http://127.0.0.1:{store.port}/m.safetensors",
        store.redirects("/x.safetensors", f"http://127.0.0.1:{store.port}/m.safetensors"),
        "http://169.254.169.254/latest.safetensors",
    ):
        download = ended(downloads, downloads.start(url))
        assert (download.state, "private network" in download.sentence) == ("failed", True)
    assert not any(path == "/m.safetensors" for path, _ in store.asked)


def test_notes_of_a_person_win_and_a_bad_picture_is_no_failure(
    server: BadServer, store: BadServer, civitai: dict[str, Any], downloads: Downloads, keys: Keys, flags: Flags
) -> None:
    keys.set("civitai", "secret")
    store.serves("/mild.jpeg", b"<svg onload=alert(1)>")
    flags.lora_dir.mkdir(parents=True)
    (flags.lora_dir / "style.json").write_text('{"activation text": "mine", "other": 1}')
    download = ended(downloads, downloads.start(f"{server.url}/models/10"))
    assert (download.state, "picture" in download.sentence) == ("done", True)
    notes = json.loads((flags.lora_dir / "style.json").read_text())
    assert (notes["activation text"], notes["other"], notes["sd version"]) == ("mine", 1, "SDXL")


def test_keys_are_kept_for_their_owner_alone(tmp_path: Path) -> None:
    file = tmp_path / "private" / "keys.json"
    keys = Keys(file, {"HF_TOKEN": "from-environment"})
    keys.set("civitai", " secret ")
    keys.set("hub", "from-file")
    assert (keys.get("civitai"), keys.get("hub")) == ("secret", "from-environment")
    assert file.stat().st_mode & 0o777 == 0o600
    assert file.parent.stat().st_mode & 0o777 == 0o700
    assert keys.known() == {"civitai": True, "hub": True}
    keys.set("civitai", "")
    assert "secret" not in file.read_text()
    for site, key in (("other", "x"), ("hub", "a b"), ("hub", "a\nHost: x"), ("hub", "ä")):
        with pytest.raises((BadRequest, Refused)):
            keys.set(site, key)
