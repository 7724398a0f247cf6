"""A tiny random network is written in the original layout, recognised and loaded; its dimensions and every number that
it computes come back."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from modules.checkpoints.bundle import ModelBundle
from modules.checkpoints.families import known_families
from modules.checkpoints.family import Families, Family, Has
from modules.checkpoints.files import Header, TensorInfo, read_header
from modules.checkpoints.latent import SD1_LATENT
from modules.checkpoints.load import draw_blueprint, load_checkpoint, load_vae
from modules.terms.errors import UnknownFile
from tests.checkpoints.original_layout import Tiny, sd1_tensors, tiny_sd1, vae_tensors, write_sd1

UNETS = {
    "as SD 1.5": {
        "block_out_channels": (32, 64, 96, 96),
        "down_block_types": ("CrossAttnDownBlock2D",) * 3 + ("DownBlock2D",),
        "up_block_types": ("UpBlock2D",) + ("CrossAttnUpBlock2D",) * 3,
    },
    "three levels": {},
    "attention everywhere, one block a level": {
        "block_out_channels": (32, 64),
        "down_block_types": ("CrossAttnDownBlock2D",) * 2,
        "up_block_types": ("CrossAttnUpBlock2D",) * 2,
        "layers_per_block": 1,
        "cross_attention_dim": 48,
    },
    "no attention at the finest level, deep below": {
        "down_block_types": ("DownBlock2D", "CrossAttnDownBlock2D", "CrossAttnDownBlock2D"),
        "up_block_types": ("CrossAttnUpBlock2D", "CrossAttnUpBlock2D", "UpBlock2D"),
        "transformer_layers_per_block": (1, 2, 3),
        "use_linear_projection": True,
    },
    "inpainting": {"in_channels": 9},
    "edit": {"in_channels": 8},
}
VAES = {
    "as SD 1.5": {
        "block_out_channels": (32, 32, 64, 64),
        "down_block_types": ("DownEncoderBlock2D",) * 4,
        "up_block_types": ("UpDecoderBlock2D",) * 4,
        "layers_per_block": 2,
    },
    "two levels": {},
    "attention in a level": {
        "down_block_types": ("DownEncoderBlock2D", "AttnDownEncoderBlock2D"),
        "up_block_types": ("AttnUpDecoderBlock2D", "UpDecoderBlock2D"),
    },
}
SAME_UNET = (
    "in_channels", "out_channels", "down_block_types", "up_block_types", "block_out_channels", "layers_per_block",
    "cross_attention_dim", "use_linear_projection",
)  # fmt: skip
SAME_VAE = ("block_out_channels", "layers_per_block", "latent_channels", "down_block_types", "up_block_types")


def loaded(tmp_path: Path, tiny: Tiny) -> ModelBundle:
    return load_checkpoint(write_sd1(tmp_path / "tiny.safetensors", tiny))


def difference(a: torch.Tensor, b: torch.Tensor) -> float:
    assert a.shape == b.shape
    return float((a - b).abs().max())


@pytest.mark.parametrize("name", UNETS)
def test_unet_comes_back(tmp_path: Path, name: str) -> None:
    tiny = tiny_sd1(unet=UNETS[name])
    bundle = loaded(tmp_path, tiny)
    for key in SAME_UNET:
        mine, theirs = bundle.unet.config[key], tiny.unet.config[key]
        assert (list(mine) == list(theirs)) if isinstance(theirs, (tuple, list)) else mine == theirs, key
    x = torch.randn(2, tiny.unet.config.in_channels, 8, 8)
    timestep, cross = torch.tensor([7.0, 981.5]), torch.randn(2, 5, tiny.unet.config.cross_attention_dim)
    with torch.inference_mode():
        expected = tiny.unet(x, timestep, cross).sample
        got = bundle.predict(x[:, :4], timestep, cross, extra=x[:, 4:] if x.shape[1] > 4 else None)
    assert difference(got, expected) <= 1e-5
    assert bundle.extra_channels == x.shape[1] - 4
    assert bundle.variant == {"inpainting": "inpaint", "edit": "edit"}.get(name, "")


@pytest.mark.parametrize("name", VAES)
def test_vae_comes_back(tmp_path: Path, name: str) -> None:
    tiny = tiny_sd1(vae=VAES[name])
    bundle = loaded(tmp_path, tiny)
    for key in SAME_VAE:
        mine, theirs = bundle.vae.config[key], tiny.vae.config[key]
        assert (list(mine) == list(theirs)) if isinstance(theirs, (tuple, list)) else mine == theirs, key
    assert bundle.latent.downscale == 2 ** (len(tiny.vae.config.block_out_channels) - 1)
    pixels = torch.rand(3, 3, 32, 16) * 2 - 1
    with torch.inference_mode():
        mean = tiny.vae.encode(pixels).latent_dist.mean
        decoded = tiny.vae.decode(mean).sample
    latents = bundle.encode_image(pixels)
    assert difference(latents, mean * SD1_LATENT.scale) <= 1e-5
    assert difference(bundle.encode_image(pixels, scaled=False), mean) <= 1e-5
    assert difference(bundle.decode(latents), decoded) <= 1e-4


@pytest.mark.parametrize("prefix", ["text_model.", ""])
def test_text_encoder_comes_back(tmp_path: Path, prefix: str) -> None:
    tiny = tiny_sd1(text={"hidden_size": 128, "num_attention_heads": 2, "num_hidden_layers": 3})
    path = write_sd1(tmp_path / "tiny.safetensors", tiny)
    tensors = {key.replace("transformer.text_model.", f"transformer.{prefix}"): t for key, t in load_file(path).items()}
    save_file(tensors, path)
    model = load_checkpoint(path).clips[0].model
    assert (model.config.num_hidden_layers, model.config.num_attention_heads) == (3, 2)
    tokens = torch.randint(0, 600, (2, 77))
    with torch.inference_mode():
        assert difference(model(tokens).last_hidden_state, tiny.text(tokens).last_hidden_state) <= 1e-5


def test_sidecar_tells_what_tensors_do_not_show(tmp_path: Path) -> None:
    tiny = tiny_sd1(unet={"attention_head_dim": 4}, text={"num_attention_heads": 4, "hidden_act": "quick_gelu"})
    path = write_sd1(tmp_path / "tiny.safetensors", tiny)
    (tmp_path / "words").mkdir()
    (tmp_path / "words" / "config.json").write_text('{"num_attention_heads": 4, "hidden_size": 999}')
    path.with_suffix(".yaml").write_text(
        "model:\n  params:\n    parameterization: v\n    linear_start: 0.001\n    linear_end: 0.02\n"
        "    timesteps: 500\n    scale_factor: 0.3\n    unet_config: {target: x, params: {num_heads: 4}}\n"
        "    cond_stage_config: {params: {version: words}}\n"
    )
    bundle = load_checkpoint(path)
    assert bundle.prediction == "v"
    assert bundle.latent.scale == 0.3
    assert len(bundle.levels) == 500
    assert float(1 - bundle.levels.alphas_cumprod[0]) == pytest.approx(0.001, rel=1e-3)
    x, timestep, cross = torch.randn(1, 4, 8, 8), torch.tensor([10.0]), torch.randn(1, 5, 32)
    tokens = torch.randint(0, 600, (1, 77))
    with torch.inference_mode():
        assert difference(bundle.predict(x, timestep, cross), tiny.unet(x, timestep, cross).sample) <= 1e-5
        text = bundle.clips[0].model(tokens).last_hidden_state
        assert difference(text, tiny.text(tokens).last_hidden_state) <= 1e-5


def test_marker_keys_decide_the_prediction(tmp_path: Path) -> None:
    tiny = tiny_sd1()
    path = write_sd1(tmp_path / "v.safetensors", tiny, v_pred=torch.zeros(0), ztsnr=torch.zeros(0))
    bundle = load_checkpoint(path)
    assert bundle.prediction == "v"
    assert bundle.levels.sigma_max > 1000


def test_the_files_own_noise_table_wins(tmp_path: Path) -> None:
    table = torch.linspace(0.99, 0.01, 40)
    path = write_sd1(tmp_path / "own.safetensors", tiny_sd1(), alphas_cumprod=table)
    assert torch.equal(load_checkpoint(path).levels.alphas_cumprod, table)
    betas = torch.linspace(0.01, 0.02, 30)
    path = write_sd1(tmp_path / "betas.safetensors", tiny_sd1(), betas=betas)
    assert torch.allclose(load_checkpoint(path).levels.alphas_cumprod, (1 - betas).cumprod(0), atol=1e-6)


def test_without_a_table_the_noise_is_sd1s(tmp_path: Path) -> None:
    levels = loaded(tmp_path, tiny_sd1()).levels
    assert (levels.sigma_min, levels.sigma_max) == pytest.approx((0.029167, 14.614642), rel=1e-4)


@pytest.mark.parametrize(
    "written",
    [
        '{"factors": [[1, 2, 3], [4, 5, 6], [7, 8, 9], [1, 1, 1]], "bias": [0.1, 0.2, 0.3]}',
        "[[1, 2, 3], [4, 5, 6], [7, 8, 9], [1, 1, 1], [0.1, 0.2, 0.3]]",
    ],
)
def test_a_file_may_bring_its_preview_factors(tmp_path: Path, written: str) -> None:
    path = tmp_path / "tiny.safetensors"
    tensors = {key: value.contiguous().clone() for key, value in sd1_tensors(tiny_sd1()).items()}
    save_file(tensors, path, metadata={"atelier.latent_rgb": written})
    latent = load_checkpoint(path).latent
    assert latent.rgb_factors[1] == (4, 5, 6)
    assert latent.rgb_bias == (0.1, 0.2, 0.3)


@pytest.mark.parametrize("written", ["[[1, 2, 3]]", "no json", "5", '{"factors": 1}'])
def test_preview_factors_that_do_not_fit_are_ignored(written: str) -> None:
    assert SD1_LATENT.with_metadata({"atelier.latent_rgb": written}) == SD1_LATENT


@pytest.mark.parametrize("spelling", ["alone", "inside", "diffusers"])
def test_a_vae_alone_is_read_in_every_spelling(tmp_path: Path, spelling: str) -> None:
    tiny = tiny_sd1()
    tensors = {
        "alone": vae_tensors(tiny.vae, ""),
        "inside": vae_tensors(tiny.vae),
        "diffusers": tiny.vae.state_dict(),
    }[spelling]
    path = tmp_path / "some.vae.safetensors"
    save_file({key: value.contiguous().clone() for key, value in tensors.items()}, path)
    vae = load_vae(path)
    latents = torch.randn(1, 4, 8, 8)
    with torch.inference_mode():
        assert difference(vae.decode(latents).sample, tiny.vae.decode(latents).sample) <= 1e-5


@pytest.mark.parametrize(
    ("key", "said"),
    [
        ("lora_unet_down_blocks_0.lora_up.weight", "LoRA"),
        ("decoder.up.0.block.0.conv1.weight", "VAE"),
        ("double_blocks.0.img_attn.qkv.weight", "FLUX"),
        ("something.else", "something.else"),
    ],
)
def test_another_kind_of_file_is_told_what_it_looks_like(key: str, said: str) -> None:
    header = Header(Path("thing.safetensors"), {key: TensorInfo("F32", (1,))})
    with pytest.raises(UnknownFile, match=said):
        known_families().of(header)


@pytest.mark.parametrize(
    "lost",
    [
        "model.diffusion_model.output_blocks.3.0.in_layers.2.weight",
        "first_stage_model.decoder.conv_out.weight",
        "cond_stage_model.transformer.text_model.encoder.layers.1.mlp.fc1.bias",
    ],
)
def test_an_incomplete_checkpoint_says_what_it_lacks(tmp_path: Path, lost: str) -> None:
    path = write_sd1(tmp_path / "tiny.safetensors", tiny_sd1())
    tensors = load_file(path)
    del tensors[lost]
    save_file(tensors, path)
    with pytest.raises(UnknownFile, match=r"tiny\.safetensors is incomplete"):
        load_checkpoint(path)


def test_families_that_come_before_others_are_tried_first() -> None:
    def family(name: str, *before: str) -> Family:
        return Family(name, Has("x"), known_families()["SD 1.x"].draw, SD1_LATENT, before=before)

    families = Families()
    for entry in (family("general"), family("special", "general"), family("rare", "special", "late")):
        families.add(entry)
    assert [entry.name for entry in families] == ["rare", "special", "general"]
    with pytest.raises(ValueError, match="circle"):
        families.add(family("late", "rare"))
    assert [entry.name for entry in families] == ["rare", "special", "general"]
    with pytest.raises(ValueError, match="already"):
        families.add(family("rare"))


def test_recognition_needs_no_torch(root: Path) -> None:
    code = (
        "import sys; from modules.checkpoints.families import known_families;"
        "assert len(list(known_families())) > 0; assert 'torch' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], cwd=root, check=True)


@pytest.mark.parametrize("file", ["parity-sd1", "parity-sd1-b"])
def test_reference_models_are_recognised(parity: Path, file: str) -> None:
    blueprint = draw_blueprint(read_header(parity / "models" / "Stable-diffusion" / f"{file}.safetensors"))
    assert blueprint.family.name == "SD 1.x"
    assert blueprint.unet.config["block_out_channels"] == [32, 64, 128, 128]
    assert blueprint.text[0].component.config["num_attention_heads"] == 4


def test_reference_forward_passes_agree(parity: Path) -> None:
    import numpy

    bundle = load_checkpoint(parity / "models" / "Stable-diffusion" / "parity-sd1.safetensors")
    recorded = numpy.load(parity / "tensors" / "model_fwd.npz")
    want = {key: torch.from_numpy(recorded[key]) for key in recorded}

    def relative(got: torch.Tensor, key: str) -> float:
        return difference(got, want[key]) / float(want[key].abs().max())

    with torch.inference_mode():
        assert relative(bundle.predict(want["x"], want["t"], want["ctx"]), "eps") <= 1e-5
    assert relative(bundle.encode_image(want["img"], scaled=False), "enc_mean") <= 1e-5
    assert relative(bundle.decode(want["x"] * bundle.latent.scale), "dec") <= 1e-5
