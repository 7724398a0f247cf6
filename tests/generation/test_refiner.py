"""The refiner: who draws when, and what is written down about it."""

from __future__ import annotations

import copy
import dataclasses
from pathlib import Path

import pytest
import torch
from PIL import Image

from modules.generation import GenerationRequest, Hires, Refiner, Source, Tools, generate, open_tools
from modules.terms.errors import BadRequest, NotFound
from modules.terms.result import GenerationResult
from tests.checkpoints.original_layout import tiny_sd1, write_sd1
from tests.generation.conftest import TEXT, VAE

SMALL = GenerationRequest(prompt="a house", steps=4, seed=7, width=64, height=64, checkpoint="first")


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> Tools:
    """Tools over two small models that draw differently."""
    folder = tmp_path_factory.mktemp("pair")
    one = tiny_sd1(text=TEXT, vae=VAE)
    other = copy.deepcopy(one)
    generator = torch.Generator().manual_seed(1)
    for network in (other.unet, other.vae, other.text):
        for weight in network.parameters():
            weight.data += torch.randn(weight.shape, generator=generator) * 0.1
    write_sd1(folder / "first.safetensors", one)
    write_sd1(folder / "second.safetensors", other)
    return open_tools(folder, settings={"randn_source": "CPU", "sd_checkpoints_limit": 2}, device="cpu")


def drawn(tools: Tools, request: GenerationRequest) -> GenerationResult:
    return generate(request, tools)


def bytes_of(result: GenerationResult, place: int = 0) -> bytes:
    return result.images[place].image.tobytes()


def refined(switch_at: float, **changes: object) -> GenerationRequest:
    return SMALL.with_(refiner=Refiner("second", switch_at), **changes)


@pytest.mark.parametrize("sampler", ["Euler", "DDIM", "DPM++ SDE"])
def test_a_refiner_from_the_start_is_the_other_model(pair: Tools, sampler: str) -> None:
    whole = drawn(pair, refined(0.0, sampler=sampler))
    other = drawn(pair, SMALL.with_(checkpoint="second", sampler=sampler))
    assert bytes_of(whole) == bytes_of(other)


@pytest.mark.parametrize("sampler", ["Euler", "DDIM"])
def test_a_refiner_on_the_way_is_neither(pair: Tools, sampler: str) -> None:
    halfway = drawn(pair, refined(0.5, sampler=sampler))
    assert bytes_of(halfway) != bytes_of(drawn(pair, SMALL.with_(sampler=sampler)))
    assert bytes_of(halfway) != bytes_of(drawn(pair, SMALL.with_(checkpoint="second", sampler=sampler)))
    text = halfway.images[0].infotext
    assert "Refiner: second" in text
    assert "Refiner switch at: 0.5" in text
    assert "Model: first" in text


def test_a_refiner_whose_time_never_comes_is_not_written(pair: Tools) -> None:
    result = drawn(pair, refined(1.0))
    assert bytes_of(result) == bytes_of(drawn(pair, SMALL))
    assert "Refiner" not in result.images[0].infotext


def test_the_model_itself_as_refiner_changes_nothing(pair: Tools) -> None:
    result = drawn(pair, SMALL.with_(refiner=Refiner("first", 0.3)))
    assert bytes_of(result) == bytes_of(drawn(pair, SMALL))


def test_every_batch_begins_with_the_first_model(pair: Tools) -> None:
    two = drawn(pair, refined(0.5, n_iter=2))
    alone = drawn(pair, refined(0.5, seed=SMALL.seed + 1))
    assert bytes_of(two, 1) == bytes_of(alone)
    assert bytes_of(drawn(pair, SMALL)) == bytes_of(drawn(pair, SMALL))


def test_steps_can_decide(pair: Tools) -> None:
    result = drawn(pair, refined(0.5, settings={"refiner_switch_by_sample_steps": True}))
    assert "Refiner switch by sampling steps: True" in result.images[0].infotext
    assert bytes_of(result) != bytes_of(drawn(pair, SMALL))


def test_the_settings_say_in_which_pass_of_hires(pair: Tools) -> None:
    request = refined(0.3, hires=Hires(scale=1.5, upscaler="Lanczos", steps=3), denoising_strength=0.8)
    pictures = {}
    for wanted in ("first pass", "second pass", "both passes"):
        result = drawn(pair, request.with_(settings={"hires_fix_refiner_pass": wanted}))
        pictures[bytes_of(result)] = wanted
        assert ("Hires refiner" in result.images[0].infotext) == (wanted != "second pass")
    plain = drawn(pair, request.with_(refiner=None))
    assert len(pictures) == 3
    assert bytes_of(plain) not in pictures


def test_img2img_is_refined_too(pair: Tools) -> None:
    source = Source((Image.new("RGB", (64, 64), "teal"),))
    request = refined(0.5, source=source, denoising_strength=0.8)
    assert bytes_of(drawn(pair, request)) != bytes_of(drawn(pair, request.with_(refiner=None)))


def test_prompts_that_change_go_on_where_they_were(pair: Tools) -> None:
    """[a:b:0.5] with a refiner at the half: the refiner must say b, not begin with a again."""
    steps = {"settings": {"refiner_switch_by_sample_steps": True}, "sampler": "Euler"}
    changing = drawn(pair, refined(0.5, prompt="[house:tree:0.5]", **steps))
    assert bytes_of(changing) != bytes_of(drawn(pair, refined(0.5, prompt="house", **steps)))
    with_tree_all_along = drawn(pair, refined(0.0, prompt="tree", **steps))
    from_start = drawn(pair, refined(0.0, prompt="[house:tree:0.0]", **steps))
    assert bytes_of(with_tree_all_along) == bytes_of(from_start)


def test_a_refiner_that_is_not_there_is_named(pair: Tools) -> None:
    with pytest.raises(NotFound, match="thrid"):
        drawn(pair, SMALL.with_(refiner=Refiner("thrid", 0.5)))


def test_a_refiner_with_other_latents_is_refused(pair: Tools, monkeypatch: pytest.MonkeyPatch) -> None:
    borrow = pair.models.borrow

    def other_latents(name: object = None, **options: object) -> object:
        loan = borrow(name, **options)
        enter = loan.__enter__

        class Loan:
            def __enter__(self) -> object:
                bundle = enter()
                if bundle.info.path.stem != "second":
                    return bundle
                return dataclasses.replace(bundle, latent=dataclasses.replace(bundle.latent, scale=0.13025))

            def __exit__(self, *error: object) -> object:
                return loan.__exit__(*error)

        return Loan()

    monkeypatch.setattr(pair.models, "borrow", other_latents)
    with pytest.raises(BadRequest, match="latents differ"):
        drawn(pair, refined(0.5))


def test_both_models_are_given_back(pair: Tools, tmp_path: Path) -> None:
    drawn(pair, refined(0.5))
    assert pair.models.unload() == 2
    assert torch.is_grad_enabled()
