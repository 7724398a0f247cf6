from __future__ import annotations

import json
import struct
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from modules.checkpoints.__main__ import main
from modules.checkpoints.inspect import inspect_file
from modules.terms.errors import NotFound, UnknownFile
from tests.checkpoints.original_layout import tiny_sd1, vae_tensors, write_sd1

MANY = {f"more.{i}": (1,) for i in range(9)}
LORA = "lora_unet_down_blocks_0_attentions_0_transformer_blocks_0_attn2_to_k"
FOLDERS = {
    "network": "models/Lora", "embedding": "embeddings", "controlnet": "models/ControlNet", "unknown": "",
    "ip-adapter": "models/ControlNet", "upscaler": "models/ESRGAN", "checkpoint": "models/Stable-diffusion",
    "taesd": "models/VAE-taesd",
    "clip vision": "models/clip_vision", "text encoder": "models/text_encoder",
}  # fmt: skip


def saved(path: Path, shapes: dict[str, tuple[int, ...]], metadata: dict[str, str] | None = None) -> Path:
    save_file({key: torch.zeros(shape) for key, shape in shapes.items()}, path, metadata)
    return path


def test_a_checkpoint_is_told_with_its_family(tmp_path: Path) -> None:
    path = write_sd1(tmp_path / "m.safetensors", tiny_sd1(unet={"in_channels": 9}), v_pred=torch.zeros(0))
    report = inspect_file(path)
    assert (report.kind, report.base, report.variant, report.prediction) == ("checkpoint", "SD 1.x", "inpaint", "v")
    assert report.folder == "models/Stable-diffusion"
    assert "SD 1.x, inpaint, v-prediction" in report.sentence


def test_a_checkpoint_without_a_vae_says_so(tmp_path: Path) -> None:
    path = write_sd1(tmp_path / "m.safetensors", tiny_sd1())
    save_file({key: value for key, value in load_file(path).items() if not key.startswith("first_stage")}, path)
    assert "no VAE" in inspect_file(path).notes[0]


@pytest.mark.parametrize(
    ("shapes", "kind", "base"),
    [
        ({f"{LORA}.lora_down.weight": (4, 768), f"{LORA}.lora_up.weight": (320, 4)}, "network", "SD 1.x"),
        ({f"{LORA}.lora_down.weight": (4, 2048), f"{LORA}.lora_up.weight": (320, 4)}, "network", "SDXL"),
        ({"lora_te2_x.lora_down.weight": (4, 9), "lora_te2_x.lora_up.weight": (9, 4)}, "network", "SDXL"),
        ({"transformer.single_transformer_blocks.0.attn.to_q.lora_A.weight": (4, 9)}, "network", "FLUX.1"),
        ({"lora_unet_double_blocks_0_img_attn_qkv.lora_down.weight": (4, 9)}, "network", "FLUX.1"),
        ({"diffusion_model.distilled_guidance_layer.in_proj.lora_A.weight": (4, 9)}, "network", "Chroma"),
        ({"lora_unet_joint_blocks_0_x_block_attn_qkv.lora_down.weight": (4, 9)}, "network", "SD 3"),
        ({"transformer_blocks.0.img_mlp.net.0.proj.lora_A.weight": (4, 9)}, "network", "Qwen-Image"),
        ({"diffusion_model.layers.0.attention.qkv.lora_A.weight": (4, 3840)}, "network", "Z-Image"),
        ({"diffusion_model.layers.0.attention.qkv.lora_A.weight": (4, 2304)}, "network", "Lumina 2"),
        ({"emb_params": (3, 1024)}, "embedding", "SD 2.x"),
        ({"clip_l": (3, 768), "clip_g": (3, 1280)}, "embedding", "SDXL"),
        ({"control_model.zero_convs.0.0.weight": (320, 320, 1, 1)}, "controlnet", ""),
        ({"ip_adapter.1.to_k_ip.weight": (320, 768), "image_proj.x": (1,)}, "ip-adapter", ""),
        ({"conv_first.weight": (64, 3, 3, 3)} | {f"body.{i}.x": (1,) for i in range(9)}, "upscaler", ""),
        ({"model.diffusion_model.double_blocks.0.img_attn.proj.weight": (2, 2)}, "checkpoint", "FLUX.1"),
        ({"double_blocks.0.img_attn.x": (1,), "double_stream_modulation_img.lin.weight": (1,)}, "checkpoint", "FLUX.2"),
        ({"cap_embedder.0.weight": (1,), "noise_refiner.0.x": (1,), "cap_pad_token": (1,)} | MANY, "checkpoint",
         "Z-Image"),
        ({"cap_embedder.0.weight": (1,), "noise_refiner.0.x": (1,), "context_refiner.0.x": (1,)} | MANY, "checkpoint",
         "Lumina 2"),
        ({"transformer_blocks.0.attn.add_q_proj.x": (1,), "transformer_blocks.0.img_mlp.x": (1,), "txt_norm.x": (1,)},
         "checkpoint", "Qwen-Image"),
        ({"decoder.layers.1.weight": (1,)} | MANY, "taesd", ""),
        ({"vision_model.encoder.x": (1,)} | MANY, "clip vision", ""),
        ({"encoder.block.0.layer.0.x": (1,)} | MANY, "text encoder", ""),
        ({f"odd.{i}": (1,) for i in range(9)}, "unknown", ""),
    ],
)  # fmt: skip
def test_other_kinds_are_told(tmp_path: Path, shapes: dict[str, tuple[int, ...]], kind: str, base: str) -> None:
    report = inspect_file(saved(tmp_path / "m.safetensors", shapes))
    assert (report.kind, report.base, report.folder) == (kind, base, FOLDERS[kind])


def test_a_vae_is_told(tmp_path: Path) -> None:
    tensors = {key: value.contiguous() for key, value in vae_tensors(tiny_sd1().vae, "").items()}
    save_file(tensors, tmp_path / "v.safetensors")
    assert inspect_file(tmp_path / "v.safetensors").kind == "vae"


def test_a_loras_training_is_told(tmp_path: Path) -> None:
    metadata = {
        "ss_base_model_version": "sdxl_base_v1-0",
        "ss_network_dim": "16",
        "ss_num_train_images": "40",
        "ss_tag_frequency": json.dumps({"10_sks dog": {"dog": 30, "grass": 12}, "1_dog": {"dog": 9}}),
        "ss_reg_dataset_dirs": json.dumps({"1_dog": {}}),
    }
    report = inspect_file(saved(tmp_path / "dog.safetensors", {f"{LORA}.lora_up.weight": (9, 4)}, metadata))
    assert report.base == "SDXL"
    assert report.training["rank"] == "16"
    assert report.tags == {"dog": 39, "grass": 12}
    assert report.trigger_words == ("sks dog",)


def test_the_users_note_beats_the_authors_trigger_words(tmp_path: Path) -> None:
    path = saved(
        tmp_path / "a.safetensors", {f"{LORA}.lora_up.weight": (9, 4)}, {"modelspec.trigger_phrase": "by author"}
    )
    assert inspect_file(path).trigger_words == ("by author",)
    path.with_suffix(".json").write_text('{"activation text": "mine, too"}')
    assert inspect_file(path).trigger_words == ("mine", "too")


def test_pickled_embeddings_and_hypernetworks_are_told(tmp_path: Path) -> None:
    torch.save({"string_to_param": {"*": torch.zeros(2, 768)}, "name": "x"}, tmp_path / "word.pt")
    report = inspect_file(tmp_path / "word.pt")
    assert (report.kind, report.base, report.trigger_words) == ("embedding", "SD 1.x", ("word",))
    torch.save({768: ({"a": torch.zeros(1)}, {"a": torch.zeros(1)}), "step": 5}, tmp_path / "hyper.pt")
    report = inspect_file(tmp_path / "hyper.pt")
    assert (report.kind, report.base, report.folder) == ("hypernetwork", "SD 1.x", "models/hypernetworks")


@pytest.mark.parametrize(
    "metadata", [{"ss_tag_frequency": "broken"}, {"ss_tag_frequency": '{"a": 5, "b": {"c": "x"}}'}]
)
def test_odd_metadata_do_no_harm(tmp_path: Path, metadata: dict[str, str]) -> None:
    assert inspect_file(saved(tmp_path / "m.safetensors", {"emb_params": (1, 768)}, metadata)).tags == {}


def test_what_is_no_model_is_refused(tmp_path: Path) -> None:
    (tmp_path / "page.safetensors").write_text("<html>")
    with pytest.raises(UnknownFile):
        inspect_file(tmp_path / "page.safetensors")
    with pytest.raises(NotFound):
        inspect_file(tmp_path / "nothing.safetensors")


def test_a_large_file_is_as_quick_as_a_small_one(tmp_path: Path, root: Path) -> None:
    """Only the header is read, and torch is not needed: a sparse file of 7 GB takes no longer than one page."""
    shapes = {f"model.{i}": [1024, 1024, 512] for i in range(7)}
    size = 2 * 1024 * 1024 * 512
    header = json.dumps(
        {key: {"dtype": "F16", "shape": shape, "data_offsets": [i * size, (i + 1) * size]}
         for i, (key, shape) in enumerate(shapes.items())}
    ).encode()  # fmt: skip
    path = tmp_path / "large.safetensors"
    with path.open("wb") as file:
        file.write(struct.pack("<Q", len(header)) + header)
        file.truncate(8 + len(header) + 7 * size)
    started = time.process_time()
    assert inspect_file(path).tensors == 7
    assert time.process_time() - started < 1
    code = (
        "import sys; from pathlib import Path; from modules.checkpoints.inspect import inspect_file;"
        f"inspect_file(Path({str(path)!r})); assert 'torch' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], cwd=root, check=True)


def test_the_command_line_tells_of_each_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    good = saved(tmp_path / "good.safetensors", {"emb_params": (3, 768)})
    (tmp_path / "bad.safetensors").write_text("<html>")
    assert main([str(good), str(tmp_path / "bad.safetensors")]) == 1
    said = capsys.readouterr()
    assert "belongs in: embeddings" in said.out
    assert "web page" in said.err


def test_reference_files_are_told(parity: Path) -> None:
    kinds = {path.stem: inspect_file(path) for path in sorted((parity / "models" / "Lora").glob("*.safetensors"))}
    assert {report.kind for report in kinds.values()} == {"network"}
    assert kinds["parity-loha"].algorithms == ("LoHa",)
    assert kinds["parity-dora"].algorithms == ("LoRA", "DoRA")
    assert inspect_file(parity / "models" / "hypernetworks" / "parity-hn.pt").kind == "hypernetwork"
    assert inspect_file(parity / "models" / "embeddings" / "parity-ti.pt").kind == "embedding"
