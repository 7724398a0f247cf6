"""The public client webuiapi, as its own documentation calls it, against a whole studio with the built-in model."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from PIL import Image, ImageChops

from modules.studio.flag_table import Flags
from modules.studio.studio import Studio
from tests.sdapi.serving import Server, serving_studio

webuiapi = pytest.importorskip("webuiapi")

BUILT_IN = Path("models/Stable-diffusion/atelier-mini.safetensors")
SMALL = {"width": 64, "height": 64, "steps": 2, "seed": 1003}


@pytest.fixture(scope="module")
def server(root: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    if not (root / BUILT_IN).is_file():
        pytest.skip(f"{BUILT_IN} is not here")
    folder = tmp_path_factory.mktemp("studio")
    checkpoints = root / BUILT_IN.parent
    studio = Studio(Flags(data_dir=folder, models_dir=folder / "models", ckpt_dir=checkpoints, api_auth="user:pass"))
    studio.start()
    with serving_studio(studio) as server:
        yield server


@pytest.fixture
def api(server: Server) -> Any:
    where = urlsplit(server.url)
    api = webuiapi.WebUIApi(host=where.hostname, port=where.port, sampler="Euler a", steps=2)
    api.set_auth("user", "pass")
    return api


@pytest.fixture(scope="module")
def picture() -> Image.Image:
    return Image.linear_gradient("L").resize((64, 64)).convert("RGB")


def test_txt2img(api: Any) -> None:
    result = api.txt2img(
        prompt="cute squirrel", negative_prompt="ugly, out of frame", styles=["anime"], cfg_scale=7, **SMALL
    )
    assert result.image.size == (64, 64)
    assert result.images == [result.image]
    assert (result.info["seed"], result.info["sampler_name"], result.parameters["steps"]) == (1003, "Euler a", 2)
    assert result.image.info["parameters"].startswith("cute squirrel\nNegative prompt: ugly, out of frame\nSteps: 2")


def test_txt2img_with_high_resolution(api: Any) -> None:
    upscaler = webuiapi.HiResUpscaler.Latent
    result = api.txt2img(
        prompt="cute squirrel", enable_hr=True, hr_scale=2, hr_upscaler=upscaler, hr_second_pass_steps=2,
        hr_resize_x=96, hr_resize_y=96, denoising_strength=0.4, **SMALL,
    )  # fmt: skip
    assert result.image.size == (96, 96)


def test_img2img_and_inpainting(api: Any, picture: Image.Image) -> None:
    result = api.img2img(images=[picture], prompt="cute cat", cfg_scale=6.5, denoising_strength=0.6, **SMALL)
    assert result.image.size == (64, 64)
    mask = Image.new("RGB", (64, 64), "black")
    mask.paste("white", (32, 0, 64, 64))
    inpainted = api.img2img(
        images=[picture], mask_image=mask, inpainting_fill=1, prompt="cute cat", mask_blur=0, inpaint_full_res=False,
        denoising_strength=0.7, **SMALL,
    )  # fmt: skip
    difference = ImageChops.difference(inpainted.image.convert("RGB"), picture)
    assert difference.crop((0, 0, 32, 64)).getbbox() is None, "what is not masked keeps its bits"
    assert difference.crop((32, 0, 64, 64)).getbbox() is not None


def test_extras(api: Any, picture: Image.Image) -> None:
    lanczos = webuiapi.Upscaler.Lanczos
    assert api.extra_single_image(image=picture, upscaler_1=lanczos, upscaling_resize=1.5).image.size == (96, 96)
    batch = api.extra_batch_images(images=[picture, picture], upscaler_1="Nearest", upscaling_resize=2)
    assert [image.size for image in batch.images] == [(128, 128)] * 2


def test_png_info(api: Any) -> None:
    drawn = api.txt2img(prompt="a wolf", **SMALL)
    said = api.png_info(drawn.image).info
    assert said == drawn.info["infotexts"][0] == drawn.image.info["parameters"]


def test_interrogate_without_models_says_so(api: Any, picture: Image.Image) -> None:
    with pytest.raises(RuntimeError, match=r"404.*") as refused:
        api.interrogate(image=picture)
    assert "models" in str(refused.value)


def test_options(api: Any) -> None:
    before = api.get_options()["CLIP_stop_at_last_layers"]
    api.set_options({"CLIP_stop_at_last_layers": 2})
    assert api.get_options()["CLIP_stop_at_last_layers"] == 2
    api.set_options({"CLIP_stop_at_last_layers": before})
    assert api.get_cmd_flags()["api_auth"] == "set"


def test_lists(api: Any) -> None:
    assert "Euler a" in api.util_get_sampler_names()
    assert "karras" in api.util_get_scheduler_names()
    assert any(title.startswith("atelier-mini") for title in api.util_get_model_names())
    for listed in ("get_sd_vae", "get_hypernetworks", "get_face_restorers", "get_realesrgan_models", "get_loras"):
        assert isinstance(getattr(api, listed)(), list), listed
    assert {"None", "Lanczos"} <= {row["name"] for row in api.get_upscalers()}
    assert "Latent" in {row["name"] for row in api.get_latent_upscale_modes()}
    assert api.get_prompt_styles() == []
    assert set(api.get_scripts()) == {"txt2img", "img2img"}
    assert set(api.get_embeddings()) == {"loaded", "skipped"}
    assert set(api.get_memory()) == {"ram", "cuda"}
    api.refresh_checkpoints()


def test_models_are_chosen_and_waited_for(api: Any) -> None:
    api.util_set_model("atelier")
    assert "atelier-mini" in api.util_get_current_model()
    api.util_wait_for_ready(check_interval=0.01)


def test_progress_interrupt_and_skip(api: Any) -> None:
    assert api.get_progress()["progress"] == 0
    results: list[Any] = []
    body = {**SMALL, "steps": 2000}
    drawing = threading.Thread(target=lambda: results.append(api.txt2img(prompt="a long road", **body)))
    drawing.start()
    deadline = time.monotonic() + 60
    while (now := api.get_progress())["state"]["sampling_step"] < 2:
        assert time.monotonic() < deadline
        time.sleep(0.02)
    assert 0 < now["progress"] < 1
    assert now["state"]["sampling_steps"] == 2000
    api.skip()
    api.interrupt()
    drawing.join(60)
    assert results[0].image.size == (64, 64)


def test_many_at_once_with_asyncio(api: Any) -> None:
    pytest.importorskip("aiohttp")

    async def draw() -> list[Any]:
        asked = [api.txt2img(prompt=f"{n}", use_async=True, **{**SMALL, "seed": n}) for n in range(3)]
        return list(await asyncio.gather(*asked))

    assert [result.info["seed"] for result in asyncio.run(draw())] == [0, 1, 2]


def test_controlnet(api: Any, picture: Image.Image) -> None:
    assert api.controlnet_version() >= 2
    assert isinstance(api.controlnet_model_list(), list)
    assert {"none", "canny"} <= set(api.controlnet_module_list())
    found = api.controlnet_detect(images=[picture], module="canny")
    assert found.image.size[0] > 0
    unit = webuiapi.ControlNetUnit(image=picture, module="canny", model="no such model [00000000]")
    with pytest.raises(RuntimeError, match="no such model"):
        api.img2img(images=[picture], prompt="a house", controlnet_units=[unit], **SMALL)
    reference = webuiapi.ControlNetUnit(image=picture, module="reference_only", model="None", weight=1.0)
    assert api.txt2img(prompt="a house", controlnet_units=[reference], **SMALL).image.size == (64, 64)


def test_script_arguments(api: Any, picture: Image.Image) -> None:
    rows = {row["name"]: row for row in api.custom_get("sdapi/v1/script-info") if row["is_img2img"]}
    arguments = [argument["value"] for argument in rows["soft inpainting"]["args"]]
    assert arguments[0] is False, "the switch comes first"
    inpaint = {
        "images": [picture], "mask_image": Image.linear_gradient("L").resize((64, 64)), "prompt": "a fox",
        "inpainting_fill": 1, "inpaint_full_res": False, "denoising_strength": 0.8, **SMALL, "steps": 3,
    }  # fmt: skip
    # Given in so many words: the client keeps one default dictionary for all calls, with the units of the last.
    plain = api.img2img(**inpaint, alwayson_scripts={}).image
    for switched_on in (False, True):
        scripts = {"soft inpainting": {"args": [switched_on, *arguments[1:]]}}
        drawn = api.img2img(**inpaint, alwayson_scripts=scripts).image
        assert (drawn.tobytes() == plain.tobytes()) is not switched_on
    with pytest.raises(RuntimeError, match="not found"):
        api.txt2img(prompt="a fox", script_name="no such script", script_args=[1, "a"], **SMALL)
