"""SD 3 and FLUX.1: written in their makers' layout, read back, and held against diffusers' own pipelines."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from diffusers import (
    FlowMatchEulerDiscreteScheduler,
    FluxFillPipeline,
    FluxKontextPipeline,
    FluxPipeline,
    StableDiffusion3Pipeline,
)
from torch import Tensor

import modules.diffusion.samplers  # noqa: F401 - fills the registry
from modules.checkpoints.bundle import ModelBundle
from modules.checkpoints.companions import Companions
from modules.checkpoints.inspect import inspect_file
from modules.checkpoints.load import load_checkpoint
from modules.conditioning.conditioning import Conditioning, Scheduled
from modules.conditioning.encode import PromptEncoder, Timing
from modules.diffusion.guidance import Extra, GuidanceSettings, Guided
from modules.diffusion.noise import ImageNoise
from modules.diffusion.route import plan
from modules.diffusion.sample import sample
from modules.diffusion.sampler import resolve, resolved_options
from modules.terms.errors import NotFound
from tests.checkpoints.flow_layout import (
    FLUX,
    SD3,
    clip_tensors,
    flux_tensors,
    own_tensors,
    save,
    tiny_flux,
    tiny_sd3,
    write_flux,
    write_sd3,
)
from tests.checkpoints.original_layout import text_tensors, vae_tensors

STEPS = 4
DYNAMIC = FlowMatchEulerDiscreteScheduler(
    use_dynamic_shifting=True, base_shift=0.5, max_shift=1.15, base_image_seq_len=256, max_image_seq_len=4096
)


def difference(a: Tensor, b: Tensor) -> float:
    assert a.shape == b.shape
    return float((a - b).abs().max())


def drawn(
    bundle: ModelBundle,
    noise: Tensor,
    positive: Conditioning,
    negative: Conditioning | None = None,
    *,
    cfg_scale: float = 1.0,
    extra: Extra | None = None,
) -> Tensor:
    """Latents by Euler's method along the schedule Simple, (1, C, h, w)."""
    sampler, schedule = resolve("Euler", "Simple")
    route = plan(sampler, schedule, STEPS, bundle.levels)
    options, _ = resolved_options(sampler, bundle.levels, request={}, settings={}, from_image=False)
    guided = Guided(
        bundle.predictor,
        [[(Scheduled(((99, positive),)), 1.0)]],
        [Scheduled(((99, negative or positive),))],
        GuidanceSettings(scale=cfg_scale, spare_negative=True),
        total=STEPS,
        extra=extra,
    )
    streams = ImageNoise(tuple(noise.shape[1:]), [1], source="CPU", device=noise.device)  # type: ignore[arg-type]
    return sample(route, guided, route.begin(noise), streams, options)


# --- FLUX.1 ---


def packed(x: Tensor) -> Tensor:
    return FluxPipeline._pack_latents(x, *x.shape)


def flux_texts() -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(1)
    return torch.randn(1, 7, 32, generator=generator), torch.randn(1, 24, generator=generator)


@pytest.mark.parametrize("prefix", ["model.diffusion_model.", ""])
@torch.no_grad()
def test_flux_draws_as_diffusers_does(tmp_path: Path, prefix: str) -> None:
    made = tiny_flux()
    bundle = load_checkpoint(write_flux(tmp_path / "flux.safetensors", made, prefix=prefix))
    assert (bundle.family.name, bundle.prediction, bundle.variant) == ("FLUX.1", "flow", "")
    assert {key: bundle.blueprint.unet.config[key] for key in FLUX} == FLUX
    pipeline = FluxPipeline(DYNAMIC, made.vae, None, None, None, None, made.transformer)
    pipeline.set_progress_bar_config(disable=True)
    noise, (cross, pooled) = torch.randn(1, 16, 12, 8), flux_texts()
    theirs = pipeline(
        prompt_embeds=cross, pooled_prompt_embeds=pooled, latents=packed(noise), width=64, height=96,
        num_inference_steps=STEPS, guidance_scale=2.5, output_type="latent",
    ).images  # fmt: skip
    ours = drawn(bundle.for_size(64, 96, guidance=2.5), noise, Conditioning(cross[0], pooled[0]))
    assert difference(packed(ours), theirs) <= 1e-4
    other = drawn(bundle.for_size(64, 96, guidance=5.0), noise, Conditioning(cross[0], pooled[0]))
    assert difference(other, ours) > 1e-3  # the scale is heard
    pixels = made.vae.decode(ours / 0.3611 + 0.1159).sample
    assert difference(bundle.decode(ours), pixels) <= 1e-4


@torch.no_grad()
def test_schnell_is_known_by_what_it_lacks(tmp_path: Path) -> None:
    made = tiny_flux(guided=False)
    bundle = load_checkpoint(write_flux(tmp_path / "flux.safetensors", made))
    assert bundle.blueprint.defaults.steps == 4
    assert not bundle.blueprint.guided
    assert bundle.levels.sigma(torch.tensor(499.0)) == pytest.approx(0.5, abs=1e-4)  # not shifted
    pipeline = FluxPipeline(
        FlowMatchEulerDiscreteScheduler(shift=1.0), made.vae, None, None, None, None, made.transformer
    )
    pipeline.set_progress_bar_config(disable=True)
    noise, (cross, pooled) = torch.randn(1, 16, 8, 8), flux_texts()
    theirs = pipeline(
        prompt_embeds=cross, pooled_prompt_embeds=pooled, latents=packed(noise), width=64, height=64,
        num_inference_steps=STEPS, output_type="latent",
    ).images  # fmt: skip
    ours = drawn(bundle.for_size(64, 64), noise, Conditioning(cross[0], pooled[0]))
    assert difference(packed(ours), theirs) <= 1e-4


@torch.no_grad()
def test_fill_sees_picture_and_mask(tmp_path: Path) -> None:
    made = tiny_flux(in_channels=384)
    bundle = load_checkpoint(write_flux(tmp_path / "fill.safetensors", made))
    assert (bundle.variant, bundle.extra_channels) == ("inpaint", 80)
    pipeline = FluxFillPipeline(DYNAMIC, made.vae, None, None, None, None, made.transformer)
    pipeline.set_progress_bar_config(disable=True)
    noise, (cross, pooled) = torch.randn(1, 16, 8, 8), flux_texts()
    picture, mask = torch.rand(1, 3, 64, 64) * 2 - 1, (torch.rand(1, 1, 64, 64) > 0.5).float()
    theirs = pipeline(
        prompt_embeds=cross, pooled_prompt_embeds=pooled, latents=packed(noise), width=64, height=64, strength=1.0,
        image=(picture + 1) / 2,
        mask_image=mask,
        num_inference_steps=STEPS, guidance_scale=30.0, output_type="latent",
    ).images  # fmt: skip
    assert bundle.blueprint.beside is not None
    extra = Extra(bundle.blueprint.beside(bundle.encode_image(picture * (1 - mask)), mask))
    ours = drawn(bundle.for_size(64, 64, guidance=30.0), noise, Conditioning(cross[0], pooled[0]), extra=extra)
    assert difference(packed(ours), theirs) <= 1e-4


@pytest.mark.parametrize("told", ["name", "metadata", "note"])
@torch.no_grad()
def test_kontext_sees_another_picture(tmp_path: Path, told: str) -> None:
    made = tiny_flux()
    path = tmp_path / ("flux1-kontext-dev.safetensors" if told == "name" else "flux.safetensors")
    write_flux(path, made, metadata={"modelspec.title": "FLUX.1 Kontext [dev]"} if told == "metadata" else None)
    if told == "note":
        path.with_suffix(".json").write_text(json.dumps({"variant": "reference"}))
    bundle = load_checkpoint(path)
    assert bundle.variant == "reference"
    pipeline = FluxKontextPipeline(DYNAMIC, made.vae, None, None, None, None, made.transformer)
    pipeline.set_progress_bar_config(disable=True)
    noise, (cross, pooled) = torch.randn(1, 16, 8, 8), flux_texts()
    picture = torch.rand(1, 3, 64, 96) * 2 - 1
    theirs = pipeline(
        image=picture, prompt_embeds=cross, pooled_prompt_embeds=pooled, latents=packed(noise), width=64, height=64,
        num_inference_steps=STEPS, guidance_scale=2.5, output_type="latent", _auto_resize=False, max_area=64 * 64,
    ).images  # fmt: skip
    extra = Extra(bundle.encode_image(picture))
    ours = drawn(bundle.for_size(64, 64, guidance=2.5), noise, Conditioning(cross[0], pooled[0]), extra=extra)
    assert difference(packed(ours), theirs) <= 1e-4


@torch.no_grad()
def test_texts_are_heard_as_transformers_says_them(tmp_path: Path) -> None:
    made = tiny_flux()
    bundle = load_checkpoint(write_flux(tmp_path / "flux.safetensors", made))
    assert [encoder.name for encoder in bundle.clips] == ["clip_l", "t5"]
    encoder = PromptEncoder(bundle.clips, join=bundle.blueprint.join)
    said = encoder.negative("A red circle, 3 of them.", Timing(1)).at(0)
    t5, clip = bundle.clips[1], encoder.clips[0]
    tokens = t5.read("A red circle, 3 of them.").tokens  # type: ignore[union-attr]
    assert (len(tokens), tokens[:3], tokens[-1]) == (256, (71, 1131, 8196), 0)
    assert tokens.index(1) == len([token for token in tokens if token > 1])
    want = made.t5(torch.tensor([tokens])).last_hidden_state[0]
    assert difference(said.cross, want) <= 1e-4
    words = torch.tensor([[49406, *clip.tokenizer.encode("A red circle, 3 of them."), 49407]])
    words = torch.nn.functional.pad(words, (0, 77 - words.shape[1]), value=49407)
    assert said.vector is not None
    assert difference(said.vector, made.clip(words).pooler_output[0]) <= 1e-4


def test_a_long_text_is_read_to_its_end(tmp_path: Path) -> None:
    bundle = load_checkpoint(write_flux(tmp_path / "flux.safetensors", tiny_flux()))
    encoder = PromptEncoder(bundle.clips, join=bundle.blueprint.join)
    assert encoder.negative("a red circle " * 100, Timing(1)).at(0).cross.shape == (512, 32)
    weighed = encoder.negative("a (red:1.5) circle", Timing(1)).at(0).cross
    assert not torch.equal(weighed, encoder.negative("a red circle", Timing(1)).at(0).cross)


@torch.no_grad()
def test_the_transformer_alone_finds_the_rest_beside_it(tmp_path: Path) -> None:
    made, beside = tiny_flux(), tmp_path / "beside"
    beside.mkdir()
    path = write_flux(tmp_path / "alone.safetensors", made, whole=False, prefix="")
    with pytest.raises(NotFound, match=r"lacks the text encoder CLIP-L .*T5-XXL"):
        load_checkpoint(path, companions=Companions([beside]))
    save(beside / "clip_l.safetensors", text_tensors(made.clip, ""))
    save(beside / "t5xxl_fp16.safetensors", own_tensors(made.t5))
    save(beside / "ae.safetensors", vae_tensors(made.vae, ""))
    whole = load_checkpoint(write_flux(tmp_path / "whole.safetensors", made))
    parts = load_checkpoint(path, companions=Companions([beside]))
    assert [encoder.name for encoder in parts.clips] == ["clip_l", "t5"]
    for one, other in zip(whole.networks, parts.networks, strict=True):
        state = other.state_dict()
        assert all(torch.equal(value, state[key]) for key, value in one.state_dict().items())


def test_a_chosen_encoder_replaces_the_one_inside(tmp_path: Path) -> None:
    made = tiny_flux()
    path = write_flux(tmp_path / "whole.safetensors", made)
    ours = {key: value + 1 for key, value in text_tensors(made.clip, "").items()}
    save(tmp_path / "mine.safetensors", ours)
    bundle = load_checkpoint(path, companions=Companions([tmp_path]), modules=["mine.safetensors"])
    weight = bundle.clips[0].model.state_dict()[
        "text_model.final_layer_norm.weight" if _wrapped() else "final_layer_norm.weight"
    ]
    assert torch.equal(weight, ours["text_model.final_layer_norm.weight"])
    path.with_suffix(".json").write_text(json.dumps({"modules": ["min.safetensors"]}))
    with pytest.raises(NotFound, match=r"Did you mean 'mine.safetensors'"):
        load_checkpoint(path, companions=Companions([tmp_path]))


def _wrapped() -> bool:
    return any(key.startswith("text_model.") for key in tiny_flux().clip.state_dict())


@torch.no_grad()
def test_flux_in_diffusers_spelling(tmp_path: Path) -> None:
    made = tiny_flux()
    for prefix in ("", "transformer."):
        tensors = {f"{prefix}{key}": value for key, value in made.transformer.state_dict().items()}
        tensors |= vae_tensors(made.vae, "vae.") | text_tensors(made.clip, "text_encoder.")
        tensors |= {f"text_encoder_2.{key}": value for key, value in own_tensors(made.t5).items()}
        bundle = load_checkpoint(save(tmp_path / "one.safetensors", tensors))
        assert {key: bundle.blueprint.unet.config[key] for key in FLUX} == FLUX
        noise, (cross, pooled) = torch.randn(1, 16, 8, 8), flux_texts()
        original = load_checkpoint(write_flux(tmp_path / "two.safetensors", made))
        args = noise, torch.tensor([500.0]), cross, pooled
        assert torch.equal(bundle.predict(*args), original.predict(*args))


@torch.no_grad()
def test_sides_that_are_no_multiple_of_two_are_drawn(tmp_path: Path) -> None:
    bundle = load_checkpoint(write_flux(tmp_path / "flux.safetensors", tiny_flux()))
    cross, pooled = flux_texts()
    x = torch.randn(1, 16, 7, 9)
    assert bundle.predict(x, torch.tensor([500.0]), cross, pooled).shape == x.shape


# --- SD 3 ---


@pytest.mark.parametrize(
    ("dual", "qk_norm"), [((), None), ((0, 1), "rms_norm"), ((), "rms_norm")], ids=["medium", "3.5 medium", "3.5 large"]
)
@torch.no_grad()
def test_sd3_draws_as_diffusers_does(tmp_path: Path, dual: tuple[int, ...], qk_norm: str | None) -> None:
    made = tiny_sd3(dual=dual, qk_norm=qk_norm)
    bundle = load_checkpoint(write_sd3(tmp_path / "sd3.safetensors", made))
    assert (bundle.family.name, bundle.prediction, bundle.latent.channels) == ("SD 3", "flow", 16)
    config = {**SD3, "dual_attention_layers": dual, "qk_norm": qk_norm}
    assert {key: bundle.blueprint.unet.config[key] for key in config} == config
    pipeline = StableDiffusion3Pipeline(
        made.transformer, FlowMatchEulerDiscreteScheduler(shift=3.0), made.vae, None, None, None, None, None, None
    )
    pipeline.set_progress_bar_config(disable=True)
    noise = torch.randn(1, 16, 12, 8)
    texts = [(torch.randn(1, 20, 96), torch.randn(1, 64)) for _ in range(2)]
    theirs = pipeline(
        prompt_embeds=texts[0][0], pooled_prompt_embeds=texts[0][1], negative_prompt_embeds=texts[1][0],
        negative_pooled_prompt_embeds=texts[1][1], latents=noise, width=64, height=96, guidance_scale=3.0,
        sigmas=[1 - step / STEPS for step in range(STEPS)], num_inference_steps=STEPS, output_type="latent",
    ).images  # fmt: skip
    given = [Conditioning(cross[0], pooled[0]) for cross, pooled in texts]
    ours = drawn(bundle.for_size(64, 96), noise, *given, cfg_scale=3.0)
    assert difference(ours, theirs) <= 1e-4


@torch.no_grad()
def test_sd3_hears_its_texts_as_diffusers_does(tmp_path: Path) -> None:
    made = tiny_sd3()
    bundle = load_checkpoint(write_sd3(tmp_path / "sd3.safetensors", made))
    said = PromptEncoder(bundle.clips, join=bundle.blueprint.join).negative("a red circle", Timing(1)).at(0)
    first, second, t5 = bundle.clips
    words = first.tokenizer.encode("a red circle")  # type: ignore[union-attr]
    rows = [torch.tensor([[49406, *words, 49407, *[fill] * (75 - len(words))]]) for fill in (49407, 0)]
    got = [model(row, output_hidden_states=True) for model, row in zip((made.clip_l, made.clip_g), rows, strict=True)]
    clips = torch.cat([one.hidden_states[-2][0] for one in got], dim=-1)
    assert said.cross.shape == (77 + 77, 96)
    assert difference(said.cross[:77, :64], clips) <= 1e-4
    assert not said.cross[:77, 64:].any()
    tokens = t5.read("a red circle").tokens  # type: ignore[union-attr]
    assert difference(said.cross[77:], made.t5(torch.tensor([tokens])).last_hidden_state[0]) <= 1e-4
    assert said.vector is not None
    assert difference(said.vector, torch.cat([one.text_embeds[0] for one in got])) <= 1e-4
    assert second.name == "clip_g"


def test_sd3_does_without_t5_and_says_so(tmp_path: Path) -> None:
    bundle = load_checkpoint(write_sd3(tmp_path / "sd3.safetensors", tiny_sd3(), t5=False))
    assert any("T5-XXL was not found" in note for note in bundle.notes)
    said = PromptEncoder(bundle.clips, join=bundle.blueprint.join).negative("a red circle", Timing(1)).at(0)
    assert said.cross.shape == (154, 96)
    assert not said.cross[77:].any()


def test_sd3_finds_its_encoders_beside(tmp_path: Path) -> None:
    made = tiny_sd3()
    path = write_sd3(tmp_path / "sd3.safetensors", made, texts=False)
    beside = tmp_path / "clip"
    beside.mkdir()
    for name, tensors in (
        ("clip_g", clip_tensors(made.clip_g)), ("clip_l", clip_tensors(made.clip_l)), ("t5xxl", own_tensors(made.t5)),
    ):  # fmt: skip
        save(beside / f"{name}.safetensors", tensors)
    bundle = load_checkpoint(path, companions=Companions([beside]))
    assert [encoder.name for encoder in bundle.clips] == ["clip_l", "clip_g", "t5"]


def test_loading_copies_no_weights(tmp_path: Path) -> None:
    path = write_flux(tmp_path / "flux.safetensors", tiny_flux())
    weights = load_checkpoint(path).unet.state_dict()
    # q, k and v are views of the one matrix in the file.
    first, second = (weights[f"transformer_blocks.0.attn.to_{one}.weight"] for one in "qk")
    assert second.data_ptr() - first.data_ptr() == first.nbytes


def test_flux_tensors_name_every_weight() -> None:
    made = tiny_flux().transformer
    assert sum(value.numel() for value in flux_tensors(made).values()) == sum(w.numel() for w in made.parameters())


# --- folders of diffusers ---


@pytest.mark.parametrize("kind", ["flux", "sd3"])
@torch.no_grad()
def test_folders_of_diffusers_load(tmp_path: Path, kind: str) -> None:
    """As `save_pretrained` writes them: every part in a folder of its own."""
    folder = tmp_path / "model"
    if kind == "flux":
        flux = tiny_flux()
        parts = {"transformer": flux.transformer, "vae": flux.vae, "text_encoder": flux.clip, "text_encoder_2": flux.t5}
        single, named = write_flux(tmp_path / "one.safetensors", flux), "FluxPipeline"
    else:
        sd3 = tiny_sd3()
        parts = {"transformer": sd3.transformer, "vae": sd3.vae, "text_encoder": sd3.clip_l}
        parts |= {"text_encoder_2": sd3.clip_g, "text_encoder_3": sd3.t5}
        single, named = write_sd3(tmp_path / "one.safetensors", sd3), "StableDiffusion3Pipeline"
    for name, network in parts.items():
        network.save_pretrained(folder / name)
    (folder / "model_index.json").write_text(
        json.dumps({"_class_name": named, **{name: ["library", type(one).__name__] for name, one in parts.items()}})
    )
    ours, theirs = load_checkpoint(folder), load_checkpoint(single)
    assert ours.family is theirs.family
    assert [encoder.name for encoder in ours.clips] == [encoder.name for encoder in theirs.clips]
    for mine, other in zip(ours.networks, theirs.networks, strict=True):
        state = other.state_dict()
        assert all(torch.equal(value, state[key]) for key, value in mine.state_dict().items())
    said = [
        PromptEncoder(one.clips, join=one.blueprint.join).negative("a red circle", Timing(1)).at(0)
        for one in (ours, theirs)
    ]
    assert torch.equal(said[0].cross, said[1].cross)


def test_a_file_says_how_its_kind_is_drawn(tmp_path: Path) -> None:
    report = inspect_file(write_flux(tmp_path / "flux.safetensors", tiny_flux(guided=False), whole=False))
    assert report.sentence == "A checkpoint: FLUX.1."
    assert (report.defaults["steps"], report.defaults["cfg_scale"], report.defaults["width"]) == (4, 1.0, 1024)
    assert any("CLIP-L" in note and "T5-XXL" in note for note in report.notes)
    whole = inspect_file(write_flux(tmp_path / "whole.safetensors", tiny_flux()))
    assert whole.defaults["distilled_cfg_scale"] == 3.5
    assert not any("T5-XXL" in note for note in whole.notes)
