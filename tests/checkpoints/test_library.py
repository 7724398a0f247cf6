from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from modules.checkpoints.hashes import HashCache, sha256_of
from modules.checkpoints.library import Library, natural_key
from modules.terms.errors import NotFound


def touch(path: Path, content: bytes = b"model") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content + path.name.encode())
    return path


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    models = tmp_path / "models"
    for name in ("v10.safetensors", "v2.ckpt", "anime/Cat.safetensors", "notes.txt", "v2.vae.safetensors"):
        touch(models / name)
    return models


def names(library: Library) -> list[str]:
    return [info.name for info in library.checkpoints]


def test_checkpoints_are_listed_naturally_with_their_folders(folder: Path) -> None:
    assert names(Library([folder])) == ["anime/Cat.safetensors", "v2.ckpt", "v10.safetensors"]


def test_the_first_root_comes_first(folder: Path, tmp_path: Path) -> None:
    touch(tmp_path / "extra" / "z.safetensors")
    assert names(Library([tmp_path / "extra", folder]))[0] == "z.safetensors"


def test_a_missing_folder_is_an_empty_one(tmp_path: Path) -> None:
    library = Library([tmp_path / "none"])
    assert library.checkpoints == ()
    with pytest.raises(NotFound, match="no checkpoint yet.*none"):
        library.find_or_first(None)


def test_links_are_followed_and_circles_end(folder: Path, tmp_path: Path) -> None:
    touch(tmp_path / "elsewhere" / "linked.safetensors")
    (folder / "link").symlink_to(tmp_path / "elsewhere")
    (folder / "anime" / "circle").symlink_to(folder)
    (folder / "broken.safetensors").symlink_to(tmp_path / "nothing")
    listed = names(Library([folder]))
    assert "link/linked.safetensors" in listed
    assert len(listed) == 4


def test_hidden_folders_may_be_left_out(folder: Path) -> None:
    touch(folder / ".trash" / "old.safetensors")
    assert ".trash/old.safetensors" in names(Library([folder]))
    assert ".trash/old.safetensors" not in names(Library([folder], list_hidden=lambda: False))


def test_refresh_sees_what_is_new(folder: Path) -> None:
    library = Library([folder])
    touch(folder / "new.safetensors")
    (folder / "v2.ckpt").unlink()
    library.refresh()
    assert names(library) == ["anime/Cat.safetensors", "new.safetensors", "v10.safetensors"]


def test_identity_is_that_of_a1111(folder: Path) -> None:
    library = Library([folder])
    info = library.hashed(library.find("anime/Cat.safetensors"))
    digest = hashlib.sha256(info.path.read_bytes()).hexdigest()
    assert info.name == "anime/Cat.safetensors"
    assert info.model_name == "anime_Cat"
    assert info.name_for_extra == "Cat"
    assert info.sha256 == digest
    assert info.shorthash == digest[:10]
    assert info.title == f"anime/Cat.safetensors [{digest[:10]}]"
    assert info.short_title == f"Cat [{digest[:10]}]"


def test_every_alias_finds_the_model(folder: Path) -> None:
    library = Library([folder])
    info = library.hashed(library.find("Cat"))
    for alias in (*info.aliases, info.hash, f"{info.name} [{info.hash}]"):
        assert library.find(alias).path == info.path, alias


def test_the_closest_title_is_the_shortest_that_contains_the_text(folder: Path) -> None:
    touch(folder / "v10-inpainting.safetensors")
    library = Library([folder])
    assert library.find("v10").name == "v10.safetensors"
    assert library.find("10-inp").name == "v10-inpainting.safetensors"
    assert library.find("v10.safetensors [0123456789]").name == "v10.safetensors"


def test_an_unknown_name_names_the_nearest(folder: Path) -> None:
    with pytest.raises(NotFound, match="Did you mean 'anime/Cat.safetensors'"):
        Library([folder]).find("anime/Kat.safetensor")


def test_a_lost_setting_takes_the_first_and_says_so(folder: Path) -> None:
    info, note = Library([folder]).find_or_first("gone.ckpt")
    assert info.name == "anime/Cat.safetensors"
    assert "gone.ckpt" in note


def test_a_single_file_from_elsewhere_is_listed(folder: Path, tmp_path: Path) -> None:
    alone = touch(tmp_path / "alone.safetensors")
    library = Library([folder], checkpoint_files=[alone])
    assert library.find("alone").path == alone
    assert library.find("alone").name == "alone.safetensors"


def test_metadata_is_decoded_and_the_thumbnail_left_out(tmp_path: Path) -> None:
    said = {"modelspec.title": "Cat", "recipe": '{"a": 1}', "modelspec.thumbnail": "data:...", "odd": "{not json"}
    save_file({"x": torch.ones(1)}, tmp_path / "m.safetensors", metadata=said)
    (info,) = Library([tmp_path]).checkpoints
    assert info.metadata == {"modelspec.title": "Cat", "recipe": {"a": 1}, "odd": "{not json"}


def test_a_broken_file_is_listed_without_metadata(folder: Path) -> None:
    assert Library([folder]).find("Cat").metadata == {}


# --- hashes ---


def test_hashes_are_computed_in_the_background_and_kept(folder: Path, tmp_path: Path) -> None:
    database = tmp_path / "cache" / "hashes.sqlite"
    library = Library([folder], hashes=HashCache(database))
    assert all(info.sha256 is None for info in library.checkpoints)
    library.hash_in_background()
    library.wait_for_hashes()
    digests = {info.name: info.sha256 for info in library.checkpoints}
    assert all(digests.values())
    library.close()
    again = Library([folder], hashes=HashCache(database))
    assert {info.name: info.sha256 for info in again.checkpoints} == digests


def test_a_changed_file_is_hashed_again(tmp_path: Path) -> None:
    path, cache = touch(tmp_path / "m.safetensors"), HashCache()
    first = cache.compute(path)
    path.write_bytes(b"other content")
    os.utime(path, (1, 1))
    assert cache.known(path) is None
    assert cache.compute(path) == hashlib.sha256(b"other content").hexdigest() != first


def test_a1111s_cache_is_believed_while_the_file_is_older(tmp_path: Path) -> None:
    path = touch(tmp_path / "m.safetensors")
    listed = {"hashes": {"checkpoint/m.safetensors": {"mtime": path.stat().st_mtime, "sha256": "ab" * 32}}}
    (tmp_path / "cache.json").write_text(json.dumps(listed))
    cache = HashCache(None, tmp_path / "cache.json")
    assert cache.known(path, "checkpoint/m.safetensors") == "ab" * 32
    future = path.stat().st_mtime + 100
    os.utime(path, (future, future))
    assert cache.known(path, "checkpoint/m.safetensors") is None


def test_a_broken_a1111_cache_is_ignored(tmp_path: Path) -> None:
    (tmp_path / "cache.json").write_text("{broken")
    assert HashCache(None, tmp_path / "cache.json").known(touch(tmp_path / "m.safetensors"), "x") is None


def test_the_hash_of_the_content_skips_the_header(tmp_path: Path) -> None:
    one, other = tmp_path / "a.safetensors", tmp_path / "b.safetensors"
    save_file({"x": torch.ones(3)}, one)
    save_file({"x": torch.ones(3)}, other, metadata={"said": "something else"})
    assert sha256_of(one) != sha256_of(other)
    assert (
        sha256_of(one, "content") == sha256_of(other, "content") == hashlib.sha256(one.read_bytes()[-12:]).hexdigest()
    )


def test_hashing_can_be_switched_off(folder: Path) -> None:
    library = Library([folder], hashing=False)
    assert library.hashed(library.checkpoints[0]).title == library.checkpoints[0].name


# --- VAE ---


@pytest.fixture
def vaes(tmp_path: Path) -> Path:
    for name in ("good.vae.pt", "v10-soft.safetensors", "other.ckpt"):
        touch(tmp_path / "vae" / name)
    return tmp_path / "vae"


def test_vaes_are_listed_from_both_folders(folder: Path, vaes: Path) -> None:
    listed = [vae.name for vae in Library([folder], [vaes]).vaes]
    assert listed == ["good.vae.pt", "other.ckpt", "v2.vae.safetensors", "v10-soft.safetensors"]


@pytest.mark.parametrize(
    ("model", "setting", "wins", "noted", "expected"),
    [
        ("Cat", "Automatic", True, None, None),
        ("Cat", "good.vae.pt", True, None, "good.vae.pt"),
        ("Cat", "None", True, None, None),
        ("Cat", "lost.pt", True, None, None),
        ("v10", "Automatic", True, None, "v10-soft.safetensors"),
        ("v2", "Automatic", True, None, "v2.vae.safetensors"),
        ("v10", "None", True, None, None),
        ("v10", "other.ckpt", False, None, "v10-soft.safetensors"),
        ("Cat", "other.ckpt", False, None, "other.ckpt"),
        ("Cat", "Automatic", True, "good.vae.pt", "good.vae.pt"),
        ("v10", "Automatic", True, "None", None),
        ("Cat", "other.ckpt", True, "good.vae.pt", "other.ckpt"),
        ("Cat", "other.ckpt", False, "good.vae.pt", "good.vae.pt"),
        ("v10", "Automatic", True, "Automatic", "v10-soft.safetensors"),
    ],
)
def test_vae_rules(
    folder: Path, vaes: Path, model: str, setting: str, wins: bool, noted: str | None, expected: str | None
) -> None:
    library = Library([folder], [vaes])
    info = library.find(model)
    if noted:
        info.path.with_suffix(".json").write_text(json.dumps({"vae": noted}))
    choice = library.resolve_vae(info, setting, setting_wins=wins)
    assert (choice.vae.name if choice.vae else None) == expected
    assert bool(choice.note) == (setting == "lost.pt")


def test_the_command_lines_vae_beats_all(folder: Path, vaes: Path, tmp_path: Path) -> None:
    library = Library([folder], [vaes])
    forced = touch(tmp_path / "forced.pt")
    choice = library.resolve_vae(library.find("v10"), "good.vae.pt", forced=forced)
    assert choice.vae and choice.vae.path == forced


def test_natural_order() -> None:
    assert sorted(["b10", "B2", "a", "b1x"], key=natural_key) == ["a", "b1x", "B2", "b10"]


def test_listing_needs_no_torch(folder: Path, root: Path) -> None:
    code = (
        "import sys; from pathlib import Path; from modules.checkpoints.library import Library;"
        f"assert len(Library([Path({str(folder)!r})])) == 3; assert 'torch' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], cwd=root, check=True)


def test_reference_hash(parity: Path) -> None:
    library = Library([parity / "models" / "Stable-diffusion"], [parity / "models" / "VAE"])
    assert library.hashed(library.find("parity-sd1.safetensors")).shorthash == "5047776f69"
