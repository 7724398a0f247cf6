"""Folders of diffusers are models: their pictures are those of diffusers' own pipeline."""

from __future__ import annotations

import json
from hashlib import sha256
from pathlib import Path

import pytest
import torch
from diffusers import AutoencoderKL, EulerDiscreteScheduler, UNet2DConditionModel, ZImageTransformer2DModel
from safetensors.torch import load_file, save_file
from torch import Tensor
from transformers import CLIPTextConfig, CLIPTextModel, CLIPTextModelWithProjection

from modules.checkpoints.files import open_tensors, read_header
from modules.checkpoints.inspect import inspect_file
from modules.checkpoints.library import Library
from modules.checkpoints.load import load_checkpoint
from modules.checkpoints.memory import Models
from modules.terms.errors import NotFound, UnknownFile
from tests.checkpoints.flow_layout import FLUX_VAE_SCALE, tiny_flux
from tests.checkpoints.flow_layout import VAE as KL_VAE
from tests.checkpoints.more_flow_layouts import Z_IMAGE, random_network, tiny_language, write_vocabulary
from tests.checkpoints.original_layout import TEXT, UNET, VAE

SDXL_UNET = {
    **UNET,
    "down_block_types": ("DownBlock2D", "CrossAttnDownBlock2D", "CrossAttnDownBlock2D"),
    "up_block_types": ("CrossAttnUpBlock2D", "CrossAttnUpBlock2D", "UpBlock2D"),
    "cross_attention_dim": 64,
    "use_linear_projection": True,
    "addition_embed_type": "text_time",
    "addition_time_embed_dim": 8,
    "projection_class_embeddings_input_dim": 32 + 6 * 8,
}


def write_folder(path: Path, pipeline: str, prediction: str = "epsilon", **parts: object) -> Path:
    """The parts saved by their own libraries, each in its folder, as pipelines save them."""
    index = {"_class_name": pipeline, "_diffusers_version": "0.30.0", "safety_checker": [None, None]}
    for name, part in parts.items():
        part.save_pretrained(path / name)  # type: ignore[attr-defined]
        index[name] = ["diffusers", type(part).__name__]
    EulerDiscreteScheduler(prediction_type=prediction).save_pretrained(path / "scheduler")
    (path / "model_index.json").write_text(json.dumps(index | {"scheduler": ["diffusers", "EulerDiscreteScheduler"]}))
    return path


@pytest.fixture(scope="module")
def sd1_parts() -> dict[str, torch.nn.Module]:
    torch.manual_seed(1)
    return {
        "unet": UNet2DConditionModel(**UNET).eval(),
        "vae": AutoencoderKL(**VAE, scaling_factor=0.2).eval(),
        "text_encoder": CLIPTextModel(CLIPTextConfig(**TEXT)).eval(),
    }


def test_sd1_folder_is_what_diffusers_computes(tmp_path: Path, sd1_parts: dict[str, torch.nn.Module]) -> None:
    bundle = load_checkpoint(write_folder(tmp_path / "a model", "StableDiffusionPipeline", **sd1_parts))
    assert (bundle.family.name, bundle.prediction, bundle.latent.scale) == ("SD 1.x", "epsilon", 0.2)
    x, cross, time = torch.randn(1, 4, 8, 8), torch.randn(1, 7, 32), torch.tensor([400.0])
    with torch.no_grad():
        wanted = sd1_parts["unet"](x, time, cross).sample
        pixels = sd1_parts["vae"].decode(x / 0.2).sample  # type: ignore[operator]
        assert near(bundle.predict(x, time, cross), wanted)
        assert near(bundle.decode(x), pixels)
        tokens = torch.tensor([[3, 4, 5]])
        assert near(bundle.clips[0].model(tokens)[0], sd1_parts["text_encoder"](tokens)[0])


def test_sdxl_folder_is_what_diffusers_computes(tmp_path: Path) -> None:
    torch.manual_seed(2)
    unet, vae = UNet2DConditionModel(**SDXL_UNET).eval(), AutoencoderKL(**VAE).eval()
    text = CLIPTextModel(CLIPTextConfig(**TEXT)).eval()
    config = CLIPTextConfig(**TEXT, hidden_act="gelu", projection_dim=32)
    bigger = CLIPTextModelWithProjection(config).eval()
    path = write_folder(
        tmp_path / "xl", "StableDiffusionXLPipeline", "v_prediction",
        unet=unet, vae=vae, text_encoder=text, text_encoder_2=bigger,
    )  # fmt: skip
    bundle = load_checkpoint(path)
    assert (bundle.family.name, bundle.prediction) == ("SDXL", "v")
    x, cross, time = torch.randn(1, 4, 8, 8), torch.randn(1, 7, 64), torch.tensor([400.0])
    pooled, sizes = torch.randn(1, 32), torch.tensor([[64.0, 64, 0, 0, 64, 64]])
    with torch.no_grad():
        wanted = unet(x, time, cross, added_cond_kwargs={"text_embeds": pooled, "time_ids": sizes}).sample
        told = unet.add_time_proj(sizes.flatten()).reshape(1, -1)
        assert near(bundle.predict(x, time, cross, torch.cat([pooled, told], dim=1)), wanted)
        tokens = torch.tensor([[3, 4, 599]])
        assert near(bundle.clips[1].model(tokens).text_embeds, bigger(tokens).text_embeds)
    names = bundle.module_names
    modules = {path for path, _ in bundle.unet.named_modules()}
    absent = {original for original, ours in names.items() if ours not in modules}
    assert all(original.endswith("skip_connection") for original in absent)  # not every block has one
    assert names["input_blocks.4.1"] == "down_blocks.1.attentions.0"
    assert names["output_blocks.2.2.conv"] == "up_blocks.0.upsamplers.0.conv"


def test_shards_and_variants(tmp_path: Path, sd1_parts: dict[str, torch.nn.Module]) -> None:
    path = write_folder(tmp_path / "m", "StableDiffusionPipeline", **sd1_parts)
    weights = path / "unet" / "diffusion_pytorch_model.safetensors"
    tensors = load_file(weights)
    keys = sorted(tensors)
    weights.unlink()
    half = len(keys) // 2
    for number, some in enumerate((keys[:half], keys[half:]), 1):
        name = f"diffusion_pytorch_model-{number:05}-of-00002.safetensors"
        save_file({key: tensors[key] for key in some}, path / "unet" / name)
    wrong = {key: torch.zeros_like(value) for key, value in tensors.items()}
    save_file(wrong, path / "unet" / "diffusion_pytorch_model.fp16.safetensors")
    state = open_tensors(path)
    assert all(torch.equal(state[f"unet.{key}"], tensors[key]) for key in keys)
    assert load_checkpoint(path).family.name == "SD 1.x"


def test_folder_is_inspected(tmp_path: Path, sd1_parts: dict[str, torch.nn.Module]) -> None:
    report = inspect_file(write_folder(tmp_path / "m", "StableDiffusionPipeline", "v_prediction", **sd1_parts))
    assert (report.kind, report.base, report.prediction) == ("checkpoint", "SD 1.x", "v")


def test_what_is_wrong_with_a_folder_is_said(tmp_path: Path, sd1_parts: dict[str, torch.nn.Module]) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(NotFound):
        read_header(tmp_path / "empty")
    path = write_folder(tmp_path / "m", "StableDiffusionPipeline", **sd1_parts)
    (path / "unet" / "diffusion_pytorch_model.safetensors").rename(path / "unet" / "diffusion_pytorch_model.bin")
    with pytest.raises(UnknownFile, match=r"pickles"):
        read_header(path)
    (path / "model_index.json").write_text("{")
    with pytest.raises(UnknownFile, match="model_index.json"):
        read_header(path)


def near(found: Tensor, wanted: Tensor) -> bool:
    return bool((found - wanted).abs().max() <= 1e-4)


def test_the_library_lists_folders_and_not_their_parts(tmp_path: Path, sd1_parts: dict[str, torch.nn.Module]) -> None:
    home = tmp_path / "models"
    write_folder(home / "sub" / "model v1.5", "StableDiffusionPipeline", **sd1_parts)
    save_file({"x": torch.zeros(1)}, home / "single.safetensors")
    library = Library([home])
    assert sorted(info.name for info in library.checkpoints) == ["single.safetensors", str(Path("sub", "model v1.5"))]
    info = library.find("model v1.5")
    assert (info.name_for_extra, info.model_name) == ("model v1.5", "sub_model v1.5")
    weights = info.path / "unet" / "diffusion_pytorch_model.safetensors"
    assert library.hashed(info).sha256 == sha256(weights.read_bytes()).hexdigest()
    assert library.find(f"model v1.5 [{library.hashed(info).shorthash}]").path == info.path
    with Models(library).borrow("model v1.5") as bundle:
        assert bundle.info.path == info.path


def test_background_hashing_knows_folders(tmp_path: Path, sd1_parts: dict[str, torch.nn.Module]) -> None:
    write_folder(tmp_path / "model", "StableDiffusionPipeline", **sd1_parts)
    library = Library([tmp_path])
    library.hash_in_background()
    library.wait_for_hashes()
    assert library.checkpoints[0].sha256
    library.close()


def test_folders_of_transformers_draw_and_find_their_vocabulary(tmp_path: Path) -> None:
    network = random_network(ZImageTransformer2DModel, **Z_IMAGE)
    text, vae = tiny_language("Qwen3", 32), random_network(AutoencoderKL, **KL_VAE, **FLUX_VAE_SCALE)
    path = write_folder(tmp_path / "z", "ZImagePipeline", transformer=network, text_encoder=text, vae=vae)
    write_vocabulary(path)
    bundle = load_checkpoint(path)
    assert bundle.family.name == "Z-Image"
    x, cross = torch.randn(1, 16, 8, 8), torch.randn(1, 5, 32)
    with torch.no_grad():
        wanted = -network([x[0].unsqueeze(1)], torch.tensor([0.5]), [cross[0]]).sample[0].squeeze(1)
    assert near(bundle.predict(x, torch.tensor([500.0]), cross)[0], wanted)
    state = bundle.clips[0].model.state_dict()
    assert all(torch.equal(value, state[key]) for key, value in text.state_dict().items())


def test_a_folder_of_flux_is_flux(tmp_path: Path) -> None:
    made = tiny_flux()
    path = write_folder(
        tmp_path / "f", "FluxPipeline", transformer=made.transformer, text_encoder=made.clip, text_encoder_2=made.t5,
        vae=made.vae,
    )  # fmt: skip
    bundle = load_checkpoint(path)
    assert (bundle.family.name, [clip.name for clip in bundle.clips]) == ("FLUX.1", ["clip_l", "t5"])
    state = bundle.unet.state_dict()
    assert all(torch.equal(value, state[key]) for key, value in made.transformer.state_dict().items())
