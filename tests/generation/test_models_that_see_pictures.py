"""Inpainting checkpoints see the mask and what it leaves, InstructPix2Pix sees the picture: beside every latent.

The reference writes the sampler, the guidance and the conditioning out by hand over the same tiny networks; of the
product it takes what the text encoder said.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor
from torch.nn.functional import interpolate

from modules.generation import GenerationRequest, Hires, Mask, Source, Tools, generate, open_tools
from modules.generation.infotext import parse
from modules.generation.restore import restore
from tests.checkpoints.original_layout import Tiny, tiny_sd1, write_sd1
from tests.generation.conftest import TEXT, VAE

STEPS, SEED, SIDE, SCALE = 3, 11, 64, 0.18215
REQUEST = GenerationRequest(prompt="a house", steps=STEPS, seed=SEED, width=SIDE, height=SIDE, cfg_scale=4.0)
CHANNELS = {"inpaint": 9, "edit": 8}


def networks(kind: str) -> Tiny:
    return tiny_sd1(unet={"in_channels": CHANNELS[kind]}, vae=VAE, text=TEXT)


@pytest.fixture(scope="module")
def all_tools(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Tools]:
    found = {}
    for kind in CHANNELS:
        folder = tmp_path_factory.mktemp(kind)
        write_sd1(folder / f"{kind}.safetensors", networks(kind))
        found[kind] = open_tools(folder, settings={"randn_source": "CPU"}, device="cpu")
    return found


class Calls:
    """What a UNet was given, call by call."""

    def __init__(self, tools: Tools, monkeypatch: pytest.MonkeyPatch) -> None:
        self.inputs: list[Tensor] = []
        self.texts: list[Tensor] = []
        with tools.models.borrow() as bundle:
            forward = bundle.unet.forward

            def heard(x: Tensor, *arguments: Any, **options: Any) -> Any:
                self.inputs.append(x.clone())
                self.texts.append(options["encoder_hidden_states"].clone())
                return forward(x, *arguments, **options)

            monkeypatch.setattr(bundle.unet, "forward", heard)


@pytest.fixture(scope="module")
def picture() -> Image.Image:
    return Image.fromarray(np.random.default_rng(5).integers(0, 256, (SIDE, SIDE, 3), np.uint8))


def tensor_of(picture: Image.Image) -> Tensor:
    return torch.from_numpy(np.asarray(picture, np.float32) / 127.5 - 1).permute(2, 0, 1)[None]


@torch.no_grad()
def mean_of(kind: str, pixels: Tensor) -> Tensor:
    return networks(kind).vae.encode(pixels).latent_dist.mean


def grey_of(tools: Tools) -> Tensor:
    """Latents of plain grey, as the product encodes it: norms over a plane without contrast blow up the last bits, so
    another order of the same sums gives another picture of a random VAE."""
    with tools.models.borrow() as bundle:
        return bundle.encode_image(torch.zeros(1, 3, SIDE, SIDE))


def first_noise() -> Tensor:
    return torch.randn((4, SIDE // 8, SIDE // 8), generator=torch.Generator().manual_seed(SEED))[None]


@torch.no_grad()
def euler(kind: str, rows: Tensor, texts: Tensor, combine: Any, start: Tensor | None = None) -> np.ndarray:
    """The pixels that Euler's method draws in full: SD 1.x's noise levels, `rows` beside the latents of each row."""
    tiny = networks(kind)
    kept = torch.cumprod(1 - torch.linspace(0.00085**0.5, 0.012**0.5, 1000, dtype=torch.float64) ** 2, 0)
    levels = ((1 - kept) / kept).sqrt().float()
    times = torch.linspace(999, 0, STEPS)
    low, share = times.floor().long(), times.frac()
    sigmas = ((1 - share) * levels.log()[low] + share * levels.log()[times.ceil().long()]).exp()
    sigmas = torch.cat([sigmas, torch.zeros(1)])
    x = first_noise() * sigmas[0] if start is None else start + first_noise() * sigmas[0]
    for number, time in enumerate(times):
        seen = torch.cat([(x / (sigmas[number] ** 2 + 1).sqrt()).expand(len(rows), -1, -1, -1), rows], dim=1)
        said = tiny.unet(seen, time.expand(len(rows)), encoder_hidden_states=texts).sample
        denoised = combine(x - sigmas[number] * said)
        x = x + (x - denoised) / sigmas[number] * (sigmas[number + 1] - sigmas[number])
    drawn = tiny.vae.decode(x / SCALE).sample
    return ((drawn[0].permute(1, 2, 0) + 1) / 2).clamp(0, 1).mul(255).byte().numpy()


def guided(denoised: Tensor) -> Tensor:
    positive, negative = denoised[:1], denoised[1:2]
    return negative + (positive - negative) * REQUEST.cfg_scale


def near(image: Image.Image, wanted: np.ndarray) -> bool:
    """Within what another order of the same sums may change."""
    return bool(np.abs(np.asarray(image).astype(int) - wanted.astype(int)).max() <= 1)


def test_without_a_picture_an_inpainting_model_is_told_that_all_is_masked(
    all_tools: dict[str, Tools], monkeypatch: pytest.MonkeyPatch
) -> None:
    calls = Calls(all_tools["inpaint"], monkeypatch)
    result = generate(REQUEST, all_tools["inpaint"])
    grey = grey_of(all_tools["inpaint"])
    beside = torch.cat([torch.ones(1, 1, SIDE // 8, SIDE // 8), grey], dim=1).expand(2, -1, -1, -1)
    for given in calls.inputs:
        assert torch.allclose(given[:, 4:], beside, atol=1e-5)
    assert near(result.images[0].image, euler("inpaint", beside, calls.texts[0], guided))
    assert "Conditional mask weight: 1.0" in result.images[0].infotext


@pytest.mark.parametrize("weight", [1.0, 0.4, 0.0])
@pytest.mark.parametrize("only_masked", [False, True])
def test_an_inpainting_model_sees_the_mask_and_what_it_leaves(
    all_tools: dict[str, Tools],
    picture: Image.Image,
    monkeypatch: pytest.MonkeyPatch,
    weight: float,
    only_masked: bool,
) -> None:
    mask = Image.new("L", picture.size)
    mask.paste(255, (16, 24, 40, 48))
    source = Source((picture,), mask=Mask(mask, blur_x=0, blur_y=0, only_masked=only_masked, padding=0))
    calls = Calls(all_tools["inpaint"], monkeypatch)
    request = REQUEST.with_(source=source, denoising_strength=1.0, settings={"inpainting_mask_weight": weight})
    result = generate(request, all_tools["inpaint"])
    shown, hole = tensor_of(picture), torch.zeros(1, 1, SIDE, SIDE)
    hole[..., 24:48, 16:40] = 1
    if only_masked:
        box = (16, 24, 40, 48)
        shown, hole = tensor_of(picture.crop(box).resize((SIDE, SIDE), Image.Resampling.LANCZOS)), torch.ones_like(hole)
    left = shown * (1 - hole) * weight + shown * (1 - weight)
    beside = torch.cat([interpolate(hole, size=(SIDE // 8, SIDE // 8)), mean_of("inpaint", left) * SCALE], dim=1)
    assert calls.inputs
    for given in calls.inputs:
        for row in given:
            assert torch.allclose(row[4:], beside[0], atol=1e-4)
    assert f"Conditional mask weight: {weight}" in result.images[0].infotext
    back = restore(parse(result.images[0].infotext)).request.settings
    assert back.get("inpainting_mask_weight", 1.0) == weight


def test_img2img_without_a_mask_masks_everything(
    all_tools: dict[str, Tools], picture: Image.Image, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls = Calls(all_tools["inpaint"], monkeypatch)
    generate(REQUEST.with_(source=Source((picture,)), denoising_strength=0.8), all_tools["inpaint"])
    assert all(bool((given[:, 4] == 1).all()) for given in calls.inputs)
    grey = grey_of(all_tools["inpaint"])
    assert torch.allclose(calls.inputs[0][0, 5:], grey[0], atol=1e-5)


@pytest.mark.parametrize("upscaler", ["Latent", "Lanczos"])
def test_hires_fix_of_an_inpainting_model_masks_everything_at_both_sizes(
    all_tools: dict[str, Tools], monkeypatch: pytest.MonkeyPatch, upscaler: str
) -> None:
    calls = Calls(all_tools["inpaint"], monkeypatch)
    result = generate(REQUEST.with_(hires=Hires(1.5, upscaler), denoising_strength=0.7), all_tools["inpaint"])
    assert result.images[0].image.size == (96, 96)
    assert {given.shape[-1] for given in calls.inputs} == {8, 12}
    assert all(given.shape[1] == 9 and bool((given[:, 4] == 1).all()) for given in calls.inputs)


@pytest.mark.parametrize("image_scale", [1.5, 1.0, 0.3])
def test_an_edit_model_is_guided_by_text_and_picture_apart(
    all_tools: dict[str, Tools], picture: Image.Image, monkeypatch: pytest.MonkeyPatch, image_scale: float
) -> None:
    calls = Calls(all_tools["edit"], monkeypatch)
    source = Source((picture,), image_cfg_scale=image_scale)
    settings = {"img2img_fix_steps": True}
    result = generate(REQUEST.with_(source=source, denoising_strength=1.0, settings=settings), all_tools["edit"])
    # The picture's latents go in as the VAE gives them, without the factor that latents in noise have.
    seen = mean_of("edit", tensor_of(picture))
    rows = torch.cat([seen, seen, torch.zeros_like(seen)]) if image_scale != 1 else torch.cat([seen, seen])
    for given in calls.inputs:
        assert torch.allclose(given[:, 4:], rows, atol=1e-4)

    def combined(denoised: Tensor) -> Tensor:
        if image_scale == 1:
            return guided(denoised)
        positive, negative, blind = denoised.split(1)
        return blind + (positive - negative) * REQUEST.cfg_scale + (negative - blind) * image_scale

    assert f"Image CFG scale: {image_scale}" in result.images[0].infotext
    wanted = euler_from(picture, rows, calls, combined)
    assert near(result.images[0].image, wanted)


def euler_from(picture: Image.Image, rows: Tensor, calls: Calls, combine: Any) -> np.ndarray:
    """As `euler`, over the noised picture: at denoising strength 1 with exact steps all levels are walked."""
    return euler("edit", rows, calls.texts[0], combine, mean_of("edit", tensor_of(picture)) * SCALE)


def test_without_a_picture_an_edit_model_sees_none(
    all_tools: dict[str, Tools], monkeypatch: pytest.MonkeyPatch
) -> None:
    calls = Calls(all_tools["edit"], monkeypatch)
    result = generate(REQUEST.with_(batch_size=2), all_tools["edit"])
    assert all(given.shape[1] == 8 and not given[:, 4:].any() for given in calls.inputs)
    assert "Image CFG scale" not in result.images[0].infotext


def test_batches_and_several_pictures_keep_their_own(
    all_tools: dict[str, Tools], picture: Image.Image, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = picture.transpose(Image.Transpose.ROTATE_90)
    calls = Calls(all_tools["edit"], monkeypatch)
    generate(REQUEST.with_(source=Source((picture, other)), denoising_strength=0.8), all_tools["edit"])
    first, second = mean_of("edit", tensor_of(picture)), mean_of("edit", tensor_of(other))
    beside = torch.cat([first, second, first, second, torch.zeros(2, *first.shape[1:])])
    assert torch.allclose(calls.inputs[0][:, 4:], beside, atol=1e-4)
