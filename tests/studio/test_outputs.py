"""Pictures are saved where the settings say, under names that are given once."""

from __future__ import annotations

import dataclasses
import multiprocessing
import threading
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from modules.imaging.metadata import read_metadata
from modules.settings.store import Settings
from modules.studio.outputs import Outputs, with_grid
from modules.terms.errors import BadRequest, WebuiError
from modules.terms.request import GenerationRequest, Source
from modules.terms.result import GeneratedImage, GenerationResult

TEXT = "a cat\nSteps: 20, Sampler: Euler, Seed: 5"
TODAY = date.today().isoformat()


def picture(seed: int = 5, size: tuple[int, int] = (16, 8), **more: Any) -> GeneratedImage:
    pixels = np.random.default_rng(seed).integers(0, 256, (size[1], size[0], 3), dtype=np.uint8)
    return GeneratedImage(Image.fromarray(pixels), "a cat", "", seed, 0, TEXT, **more)


def result(*images: GeneratedImage, **request: Any) -> GenerationResult:
    images = images or (picture(),)
    seeds = tuple(image.seed for image in images if image.kind == "sample")
    return GenerationResult(
        GenerationRequest(prompt="a cat", seed=seeds[0], **request),
        images,
        seeds,
        (0,) * len(seeds),
        model={"name": "mini", "hash": "0123456789"},
        extra={"Schedule type": "Karras"},
    )


def files_in(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


def settings(**values: Any) -> Settings:
    return Settings().with_flat(values)


def test_pictures_go_where_a1111_puts_them(tmp_path: Path) -> None:
    paths = Outputs(tmp_path).save(result(picture(5), picture(6), batch_size=2), settings())
    folder = tmp_path / "outputs" / "txt2img-images" / TODAY
    assert paths == [folder / "00000-5.png", folder / "00001-6.png"]
    assert files_in(tmp_path / "outputs") == [f"txt2img-images/{TODAY}/0000{n}-{n + 5}.png" for n in (0, 1)]
    back = Image.open(paths[0])
    assert np.array_equal(np.asarray(back), np.asarray(picture(5).image))
    assert read_metadata(back).text == TEXT
    assert (tmp_path / "params.txt").read_text(encoding="utf-8") == TEXT


def test_img2img_has_its_own_folder(tmp_path: Path) -> None:
    drawn = result(source=Source(images=(picture().image,)))
    assert "img2img-images" in str(Outputs(tmp_path).save(drawn, settings())[0])
    everywhere = Outputs(tmp_path).save(drawn, settings(outdir_samples=str(tmp_path / "mine")))[0]
    assert everywhere.parent == tmp_path / "mine" / TODAY


@pytest.mark.parametrize(
    ("values", "name"),
    [
        ({"save_to_dirs": False}, "outputs/txt2img-images/00000-5-a cat.png"),
        ({"directories_filename_pattern": "[model_name]/[steps]"}, "outputs/txt2img-images/mini/20/00000-5.png"),
        ({"directories_filename_pattern": "../../[seed]"}, "outputs/txt2img-images/5/00000-5.png"),
        ({"samples_filename_pattern": "[scheduler]/[seed]"}, f"outputs/txt2img-images/{TODAY}/00000-Karras_5.png"),
        ({"samples_filename_pattern": "[none]"}, f"outputs/txt2img-images/{TODAY}/00000.png"),
        ({"save_images_add_number": False}, f"outputs/txt2img-images/{TODAY}/5.png"),
        (
            {"save_images_add_number": False, "samples_filename_pattern": "[none]"},
            f"outputs/txt2img-images/{TODAY}/00000.png",
        ),
        ({"samples_format": "webp"}, f"outputs/txt2img-images/{TODAY}/00000-5.webp"),
        ({"samples_format": ".JPG"}, f"outputs/txt2img-images/{TODAY}/00000-5.jpg"),
        ({"samples_filename_pattern": "x" * 400}, f"outputs/txt2img-images/{TODAY}/00000-{'x' * 245}.png"),
        ({"samples_save": False}, None),
    ],
)
def test_settings_choose_the_name(tmp_path: Path, values: dict[str, Any], name: str | None) -> None:
    path = Outputs(tmp_path).save(result(), settings(**values))[0]
    assert path.is_file()
    assert read_metadata(Image.open(path)).text == TEXT
    if name is None:
        assert path.parent == tmp_path / "tmp" / "pictures"
    else:
        assert str(path.relative_to(tmp_path)) == name


def test_numbers_go_on_across_starts_and_deletions(tmp_path: Path) -> None:
    first = Outputs(tmp_path)
    names = [first.save(result(), settings())[0].name for _ in range(3)]
    assert names == ["00000-5.png", "00001-5.png", "00002-5.png"]
    assert Outputs(tmp_path).save(result(), settings())[0].name == "00003-5.png"
    assert first.save(result(), settings())[0].name == "00004-5.png"
    folder = tmp_path / "outputs" / "txt2img-images" / TODAY
    (folder / "00017-somebody-else.png").touch()
    assert first.save(result(), settings())[0].name == "00018-5.png"


def test_a_taken_name_is_replaced_or_numbered_as_set(tmp_path: Path) -> None:
    outputs = Outputs(tmp_path)
    plain = {"save_images_add_number": False}
    for _ in range(2):
        assert outputs.save(result(), settings(**plain))[0].name == "5.png"
    plain["save_images_replace_action"] = "Add number suffix"
    assert [outputs.save(result(), settings(**plain))[0].name for _ in range(2)] == ["5-1.png", "5-2.png"]


def test_threads_never_share_a_name(tmp_path: Path) -> None:
    outputs, paths = Outputs(tmp_path), []
    threads = [
        threading.Thread(target=lambda: paths.extend(outputs.save(result(), settings()) for _ in range(5)))
        for _ in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    numbers = sorted(int(path.name.split("-")[0]) for (path,) in paths)
    assert numbers == list(range(40))


def save_some(data_dir: Path) -> list[str]:
    return [str(Outputs(data_dir, prompt_history=False).save(result(), settings())[0]) for _ in range(5)]


def test_processes_never_overwrite_each_other(tmp_path: Path) -> None:
    with multiprocessing.get_context("fork").Pool(4) as pool:
        paths = [path for some in pool.map(save_some, [tmp_path] * 4) for path in some]
    assert len(set(paths)) == len(files_in(tmp_path / "outputs")) == 20


@pytest.mark.parametrize("name", ["a-file/inside", "x" * 300])
def test_a_folder_that_cannot_be_one_is_the_fault_of_who_asks(tmp_path: Path, name: str) -> None:
    (tmp_path / "a-file").touch()
    with pytest.raises(BadRequest, match="Paths for saving"):
        Outputs(tmp_path).save(result(), settings(outdir_txt2img_samples=str(tmp_path / name)))


def test_a_failure_leaves_nothing_behind(tmp_path: Path) -> None:
    (tmp_path / "outputs").write_text("a file, not a folder")
    with pytest.raises(WebuiError, match="Paths for saving|in the way"):
        Outputs(tmp_path).save(result(), settings())
    assert files_in(tmp_path) == ["outputs"]


def test_incomplete_pictures_are_kept_for_the_page_only(tmp_path: Path) -> None:
    drawn = result(picture(5), picture(6, complete=False))
    saved, shown = Outputs(tmp_path).save(drawn, settings())
    assert saved.name == "00000-5.png"
    assert shown.parent == tmp_path / "tmp" / "pictures"
    assert Outputs(tmp_path).save(drawn, settings(save_incomplete_images=True))[1].name == "00002-6.png"


def test_masks_and_copies_carry_their_ending(tmp_path: Path) -> None:
    drawn = result(
        picture(5), picture(5, kind="mask", suffix="-mask"), picture(5, kind="before", suffix="-before-highres-fix")
    )
    paths = Outputs(tmp_path).save(drawn, settings(save_mask=True))
    assert [path.name for path in paths] == ["00000-5.png", "00001-5-mask.png", "00002-5-before-highres-fix.png"]
    assert "tmp" in str(Outputs(tmp_path).save(drawn, settings())[1])


def test_text_beside_and_inside(tmp_path: Path) -> None:
    path = Outputs(tmp_path).save(result(), settings(save_txt=True))[0]
    assert path.with_suffix(".txt").read_text(encoding="utf-8") == f"{TEXT}\n"
    bare = Outputs(tmp_path).save(result(), settings(enable_pnginfo=False, save_txt=True))[0]
    assert read_metadata(Image.open(bare)).items == {}
    assert not bare.with_suffix(".txt").exists()


def test_large_pictures_get_a_small_copy(tmp_path: Path) -> None:
    limits = {"target_side_length": 64, "img_downscale_threshold": 4}
    path = Outputs(tmp_path).save(result(picture(size=(128, 32))), settings(**limits))[0]
    small = Image.open(path.with_suffix(".jpg"))
    assert (small.size, read_metadata(small).text) == ((64, 16), TEXT)
    path = Outputs(tmp_path).save(result(), settings(img_downscale_threshold=0.0001))[0]
    assert Image.open(path.with_suffix(".jpg")).size == (16, 8)
    path = Outputs(tmp_path).save(result(picture(size=(128, 32))), settings(export_for_4chan=False, **limits))[0]
    assert not path.with_suffix(".jpg").exists()


def test_grids_come_first_and_go_to_their_folder(tmp_path: Path) -> None:
    drawn = with_grid(result(picture(5), picture(6), picture(7), picture(8), batch_size=4), settings())
    assert [image.kind for image in drawn.images] == ["grid"] + ["sample"] * 4
    assert drawn.images[0].image.size == (32, 16)
    paths = Outputs(tmp_path).save(drawn, settings())
    assert str(paths[0].relative_to(tmp_path)) == f"outputs/txt2img-grids/{TODAY}/grid-0000.png"
    named = Outputs(tmp_path).save(drawn, settings(grid_extended_filename=True, grid_save_to_dirs=False))[0]
    assert named.name == "grid-0000-5-a cat.png"
    assert "tmp" in str(Outputs(tmp_path).save(drawn, settings(grid_save=False))[0])


def test_a_grid_of_one_is_made_only_if_asked() -> None:
    assert with_grid(result(), settings()) == result()
    assert len(with_grid(result(), settings(grid_only_if_multiple=False)).images) == 2
    two = result(picture(5), picture(6))
    assert with_grid(two, settings(return_grid=False, grid_save=False)) is two


def test_file_names_know_the_picture_of_the_batch(tmp_path: Path) -> None:
    drawn = with_grid(result(picture(5), picture(6), picture(7), picture(8), batch_size=2, n_iter=2), settings())
    named = settings(samples_filename_pattern="[batch_number]of[batch_size]no[generation_number]")
    names = [path.name for path in Outputs(tmp_path).save(drawn, named)][1:]
    assert names == ["00000-1of2no1.png", "00001-2of2no2.png", "00002-1of2no3.png", "00003-2of2no4.png"]


def test_the_folders_are_all_that_is_written_to(tmp_path: Path) -> None:
    outputs = Outputs(tmp_path, prompt_history=False)
    drawn = with_grid(result(picture(5), picture(6, complete=False)), settings())
    for path in outputs.save(drawn, settings()):
        assert any(folder in path.parents for folder in outputs.folders())
    assert not (tmp_path / "params.txt").exists()
    elsewhere = settings(outdir_samples="/elsewhere", temp_dir="other")
    assert {Path("/elsewhere"), tmp_path / "other"} <= set(outputs.folders(elsewhere))


def test_a_resolved_request_may_lack_everything_optional(tmp_path: Path) -> None:
    bare = dataclasses.replace(result(), model={}, extra={}, seeds=())
    tokens = settings(samples_filename_pattern="[model_name][model_hash][vae_filename][seed_last][denoising]")
    assert Outputs(tmp_path).save(bare, tokens)[0].name == "00000-NoneType.png"
