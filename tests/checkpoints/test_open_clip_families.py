"""SD 2.x and SDXL: OpenCLIP's text encoders, the second conditioning, and what tells v-prediction."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import pytest
import torch
from diffusers import AutoencoderKL, UNet2DConditionModel
from safetensors.torch import save_file
from torch import Tensor
from transformers import CLIPTextConfig, CLIPTextModel, CLIPTextModelWithProjection

from modules.checkpoints.bundle import ModelBundle
from modules.checkpoints.families import known_families
from modules.checkpoints.files import Header, TensorInfo
from modules.checkpoints.load import load_checkpoint, probed_prediction
from modules.checkpoints.sizes import PictureFacts
from modules.conditioning.conditioning import Conditioning, Scheduled
from modules.terms.errors import UnknownFile
from tests.checkpoints.original_layout import UNET, VAE, open_clip_tensors, text_tensors, unet_tensors, vae_tensors

WIDTH, POOLED = 128, 48
NUMBERS = 256
TEXT = {
    "vocab_size": 600, "hidden_size": WIDTH, "intermediate_size": 96, "num_hidden_layers": 3,
    "num_attention_heads": 2, "bos_token_id": 598, "eos_token_id": 599, "pad_token_id": 599,
}  # fmt: skip
BIG_TEXT = {**TEXT, "hidden_size": 64, "num_attention_heads": 1, "hidden_act": "gelu", "projection_dim": POOLED}
SDXL_UNET = {
    **UNET,
    "block_out_channels": (64, 128),
    "down_block_types": ("DownBlock2D", "CrossAttnDownBlock2D"),
    "up_block_types": ("CrossAttnUpBlock2D", "UpBlock2D"),
    "layers_per_block": 1,
    "transformer_layers_per_block": (1, 2),
    "attention_head_dim": (1, 2),
    "use_linear_projection": True,
    "addition_embed_type": "text_time",
    "addition_time_embed_dim": NUMBERS,
}


@dataclass(frozen=True)
class Networks:
    unet: UNet2DConditionModel
    vae: AutoencoderKL
    first: CLIPTextModel | None
    second: CLIPTextModelWithProjection


@lru_cache(maxsize=4)
def networks(numbers: int, *, first: bool = True, in_channels: int = 4) -> Networks:
    """Random networks as diffusers builds them for SDXL (6 numbers) or its refiner (5)."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(11)
        context = BIG_TEXT["hidden_size"] + (WIDTH if first else 0)
        sized = {"cross_attention_dim": context, "projection_class_embeddings_input_dim": POOLED + numbers * NUMBERS}
        made = Networks(
            UNet2DConditionModel(**{**SDXL_UNET, **sized, "in_channels": in_channels}),
            AutoencoderKL(**VAE),
            CLIPTextModel(CLIPTextConfig(**TEXT)) if first else None,
            CLIPTextModelWithProjection(CLIPTextConfig(**BIG_TEXT)),
        )
    for network in (made.unet, made.vae, made.first, made.second):
        if network is not None:
            network.eval().requires_grad_(False)
    return made


def write(path: Path, made: Networks, metadata: dict[str, str] | None = None, **more: Tensor) -> Path:
    tensors = unet_tensors(made.unet) | vae_tensors(made.vae) | more
    if made.first is None:
        tensors |= open_clip_tensors(made.second, "conditioner.embedders.0.model.")
    else:
        tensors |= text_tensors(made.first, "conditioner.embedders.0.transformer.")
        tensors |= open_clip_tensors(made.second, "conditioner.embedders.1.model.")
    save_file({key: value.contiguous().clone() for key, value in tensors.items()}, path, metadata)
    return path


def difference(a: Tensor, b: Tensor) -> float:
    assert a.shape == b.shape
    return float((a - b).abs().max())


def tokens() -> Tensor:
    words = torch.randint(1, 598, (2, 77))
    words[:, 0], words[:, 20:] = 598, 599
    return words


def unet_agrees(bundle: ModelBundle, made: Networks, facts: PictureFacts, numbers: list[float]) -> None:
    """`predict` with our vector gives what diffusers' UNet gives with pooled text and time ids."""
    x, timestep = torch.randn(2, 4, 8, 8), torch.tensor([3.0, 741.0])
    cross, pooled = torch.randn(2, 9, bundle.context_width), torch.randn(2, POOLED)
    rows = [bundle.completed(Scheduled(((9, Conditioning(cross[i], pooled[i])),)), facts).at(0) for i in range(2)]
    vectors = torch.stack([row.vector for row in rows if row.vector is not None])
    with torch.inference_mode():
        given = {"text_embeds": pooled, "time_ids": torch.tensor([numbers, numbers])}
        theirs = made.unet(x, timestep, cross, added_cond_kwargs=given).sample
        assert difference(bundle.predict(x, timestep, cross, vectors), theirs) <= 1e-4


def test_sdxl_comes_back(tmp_path: Path) -> None:
    made = networks(6)
    bundle = load_checkpoint(write(tmp_path / "xl.safetensors", made))
    assert (bundle.family.name, bundle.prediction, bundle.variant) == ("SDXL", "epsilon", "")
    assert bundle.unet.config["attention_head_dim"] == [1, 2]
    assert bundle.unet.config["transformer_layers_per_block"] == [1, 2]
    unet_agrees(bundle, made, PictureFacts(640, 512, crop_top=3, crop_left=4), [512, 640, 3, 4, 512, 640])
    latents = torch.randn(1, 4, 4, 4)
    with torch.inference_mode():
        assert difference(bundle.decode(latents), made.vae.decode(latents / 0.13025).sample) <= 1e-4


def test_sdxls_encoders_come_back(tmp_path: Path) -> None:
    made = networks(6)
    bundle = load_checkpoint(write(tmp_path / "xl.safetensors", made))
    first, second = bundle.clips
    assert made.first is not None
    words = tokens()
    with torch.inference_mode():
        for mine, theirs in ((first.model, made.first), (second.model, made.second)):
            got, want = (model(words, output_hidden_states=True) for model in (mine, theirs))
            assert difference(got.hidden_states[-2], want.hidden_states[-2]) <= 1e-4
        assert difference(got.text_embeds, want.text_embeds) <= 1e-4
    assert [(clip.name, clip.layer, clip.final_norm, clip.pooled) for clip in bundle.clips] == [
        ("clip_l", 2, False, "no"),
        ("clip_g", 2, False, "projected"),
    ]
    assert [clip.tokenizer.open_clip for clip in bundle.clips] == [False, True]


def test_the_refiner_comes_back(tmp_path: Path) -> None:
    made = networks(5, first=False)
    bundle = load_checkpoint(write(tmp_path / "refiner.safetensors", made))
    assert (bundle.family.name, bundle.variant) == ("SDXL refiner", "refiner")
    unet_agrees(bundle, made, PictureFacts(640, 512, aesthetic_score=2.5), [512, 640, 0, 0, 2.5])


def test_sdxl_inpainting_is_known_by_its_input(tmp_path: Path) -> None:
    made = networks(6, in_channels=9)
    assert load_checkpoint(write(tmp_path / "xl.safetensors", made)).variant == "inpaint"


@pytest.mark.parametrize(
    ("keys", "metadata", "noted", "expected"),
    [
        ((), {}, {}, ("epsilon", False)),
        (("v_pred",), {}, {}, ("v", False)),
        (("v_pred", "ztsnr"), {}, {}, ("v", True)),
        ((), {"modelspec.prediction_type": "v"}, {}, ("v", False)),
        (("v_pred", "ztsnr"), {}, {"prediction type": "epsilon", "zero terminal snr": False}, ("epsilon", False)),
        ((), {}, {"prediction type": "v", "zero terminal snr": True}, ("v", True)),
    ],
)
def test_v_prediction_is_seen_or_said(
    tmp_path: Path, keys: tuple[str, ...], metadata: dict[str, str], noted: dict[str, Any], expected: tuple[str, bool]
) -> None:
    path = write(tmp_path / "xl.safetensors", networks(6), metadata, **{key: torch.zeros(0) for key in keys})
    path.with_suffix(".json").write_text(json.dumps(noted))
    bundle = load_checkpoint(path)
    assert (bundle.prediction, bundle.levels.sigma_max > 1000) == expected


def test_an_empty_negative_prompt_is_zeros_for_sdxl(tmp_path: Path) -> None:
    bundle = load_checkpoint(write(tmp_path / "xl.safetensors", networks(6)))
    scheduled = Scheduled(((5, Conditioning(torch.ones(77, 192), torch.ones(POOLED))),))
    blank = bundle.completed(scheduled, PictureFacts(64, 64), blank_negative=True).at(0)
    assert not blank.cross.any()
    assert blank.vector is not None
    assert not blank.vector[:POOLED].any()
    assert blank.vector[POOLED:].any()


def test_noise_we_do_not_know_is_refused(tmp_path: Path) -> None:
    path = write(tmp_path / "cos.safetensors", networks(6), **{"edm_vpred.sigma_max": torch.tensor(120.0)})
    with pytest.raises(UnknownFile, match="EDM"):
        load_checkpoint(path)


# --- SD 2.x ---


def sd2(path: Path, *, layers: int = 3, prefix: str = "cond_stage_model.model.", **unet: Any) -> tuple[Path, Networks]:
    made = networks(6)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(5)
        text = CLIPTextModelWithProjection(CLIPTextConfig(**{**BIG_TEXT, "num_hidden_layers": layers})).eval()
        sized = {"attention_head_dim": (1, 1, 2), "use_linear_projection": True, "block_out_channels": (64, 64, 128)}
        network = UNet2DConditionModel(**{**UNET, "cross_attention_dim": 64, **sized, **unet}).eval()
    tensors = unet_tensors(network) | vae_tensors(made.vae) | open_clip_tensors(text, prefix)
    save_file({key: value.contiguous().clone() for key, value in tensors.items()}, path)
    return path, Networks(network, made.vae, None, text)


@torch.inference_mode()
def test_sd2_comes_back(tmp_path: Path) -> None:
    path, made = sd2(tmp_path / "two.safetensors")
    bundle = load_checkpoint(path)
    assert bundle.family.name == "SD 2.x"
    assert bundle.unet.config["attention_head_dim"] == [1, 1, 2]
    x, timestep, cross = torch.randn(1, 4, 8, 8), torch.tensor([500.0]), torch.randn(1, 7, 64)
    assert difference(bundle.predict(x, timestep, cross), made.unet(x, timestep, cross).sample) <= 1e-4
    (clip,) = bundle.clips
    words = tokens()
    got = clip.model(words, output_hidden_states=True).hidden_states[-2]
    assert difference(got, made.second(words, output_hidden_states=True).hidden_states[-2]) <= 1e-4
    assert (clip.layer, clip.final_norm, clip.skippable) == (2, True, False)


def test_an_encoder_without_its_last_layer_is_listened_to_at_the_end(tmp_path: Path) -> None:
    assert load_checkpoint(sd2(tmp_path / "two.safetensors", layers=23)[0]).clips[0].layer == 1


def test_sd2_inpainting_predicts_noise(tmp_path: Path) -> None:
    bundle = load_checkpoint(sd2(tmp_path / "two.safetensors", in_channels=9)[0])
    assert (bundle.variant, bundle.prediction) == ("inpaint", "epsilon")


def test_sd2_turbo_is_no_refiner() -> None:
    shapes = {
        "model.diffusion_model.input_blocks.0.0.weight": (320, 4, 3, 3),
        "conditioner.embedders.0.model.ln_final.weight": (1024,),
    }
    header = Header(Path("turbo.safetensors"), {key: TensorInfo("F16", shape) for key, shape in shapes.items()})
    assert known_families().of(header).name == "SD 2.x"


def test_the_probe_tells_v_from_noise(tmp_path: Path) -> None:
    _, made = sd2(tmp_path / "two.safetensors")
    assert probed_prediction(made.unet) == "epsilon"
    with torch.no_grad():
        made.unet.conv_out.bias -= 3
    assert probed_prediction(made.unet) == "v"


def test_sd2s_open_prediction_is_probed_on_loading(tmp_path: Path) -> None:
    path, made = sd2(tmp_path / "two.safetensors")
    assert load_checkpoint(path).prediction == "epsilon"
    with torch.no_grad():
        made.unet.conv_out.bias -= 3
    tensors = unet_tensors(made.unet) | vae_tensors(made.vae)
    tensors |= open_clip_tensors(made.second, "cond_stage_model.model.")
    save_file({key: value.contiguous().clone() for key, value in tensors.items()}, path)
    assert load_checkpoint(path).prediction == "v"


@torch.inference_mode()
def test_open_clips_own_encoder_says_the_same(tmp_path: Path) -> None:
    """The packed matrices are read as OpenCLIP itself reads them: its own network is the judge, not our writer."""
    # The studio installs OpenCLIP for its vocabulary alone, without what its networks need.
    open_clip = pytest.importorskip("open_clip.transformer", exc_type=ImportError)
    theirs = open_clip.TextTransformer(
        context_length=77, vocab_size=600, width=64, heads=1, layers=3, output_dim=POOLED
    ).eval()
    torch.nn.init.normal_(theirs.positional_embedding, std=0.5)
    made = networks(5, first=False)
    tensors = unet_tensors(made.unet) | vae_tensors(made.vae)
    tensors |= {f"conditioner.embedders.0.model.{key}": value for key, value in theirs.state_dict().items()}
    tensors.pop("conditioner.embedders.0.model.attn_mask", None)
    path = tmp_path / "refiner.safetensors"
    save_file({key: value.contiguous().clone() for key, value in tensors.items()}, path)
    words = tokens()
    words[:, 21:] = 0  # OpenCLIP pads with zeros
    (clip,) = load_checkpoint(path).clips
    assert difference(clip.model(words).text_embeds, theirs(words)) <= 1e-4
