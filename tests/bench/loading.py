# ruff: noqa: T201 - it reports on the terminal
"""Loading a full-size SD 1.5 file (random weights, 2 GB, made here): seconds and memory, against diffusers' own loader.

    python tests/bench/loading.py [--folder DIR] [--runs 3]

Each measurement is a process of its own, the file in the page cache, imports done before the clock starts; every page
of the weights is touched before memory is read. Ratios are of medians in one run, so that they hold on busy machines.
"""

from __future__ import annotations

import argparse
import json
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent.parent
sys.path.insert(0, str(ROOT))

UNET = {"cross_attention_dim": 768, "attention_head_dim": 8}
VAE = {
    "block_out_channels": (128, 256, 512, 512),
    "down_block_types": ("DownEncoderBlock2D",) * 4,
    "up_block_types": ("UpDecoderBlock2D",) * 4,
    "layers_per_block": 2,
}
TEXT = {
    "vocab_size": 49408, "hidden_size": 768, "intermediate_size": 3072, "num_hidden_layers": 12,
    "num_attention_heads": 12, "bos_token_id": 49406, "eos_token_id": 49407, "pad_token_id": 49407,
}  # fmt: skip
BLOCK = 1 << 22
WAYS = ("ours fp16", "diffusers fp16", "ours fp32", "diffusers fp32")


def make(folder: Path) -> None:
    """The checkpoint, and the folder of configs that diffusers needs to read it without a network."""
    import torch
    from diffusers import AutoencoderKL, UNet2DConditionModel
    from safetensors.torch import save_file
    from transformers import CLIPTextConfig, CLIPTextModel

    from tests.checkpoints.original_layout import Tiny, sd1_tensors

    with torch.device("meta"):
        networks = Tiny(UNet2DConditionModel(**UNET), AutoencoderKL(**VAE), CLIPTextModel(CLIPTextConfig(**TEXT)))
    noise = (torch.randn(BLOCK) * 0.02).half()
    tensors = {}
    for key, value in sd1_tensors(networks).items():
        count = value.numel()
        filled = noise.repeat(-(-count // BLOCK))[:count] if value.is_floating_point() else torch.arange(count)
        tensors[key] = filled.view(value.shape).clone()
    save_file(tensors, folder / "full.safetensors")

    config = folder / "config"
    networks.unet.save_config(config / "unet")
    networks.vae.save_config(config / "vae")
    networks.text.config.save_pretrained(config / "text_encoder")
    index = {
        "_class_name": "StableDiffusionPipeline",
        "_diffusers_version": "0.30.0",
        "feature_extractor": [None, None],
        "safety_checker": [None, None],
        "scheduler": ["diffusers", "DDIMScheduler"],
        "text_encoder": ["transformers", "CLIPTextModel"],
        "tokenizer": ["transformers", "CLIPTokenizer"],
        "unet": ["diffusers", "UNet2DConditionModel"],
        "vae": ["diffusers", "AutoencoderKL"],
    }
    (config / "model_index.json").write_text(json.dumps(index))


class Clock:
    """Wall and processor seconds since it was made; the latter are steadier on a busy machine."""

    def __init__(self) -> None:
        self._wall, self._cpu = time.perf_counter(), time.process_time()

    def read(self) -> dict[str, float]:
        return {"wall": time.perf_counter() - self._wall, "cpu": time.process_time() - self._cpu}


def load_ours(folder: Path, name: str) -> tuple[dict[str, float], list[Any]]:
    import torch
    from diffusers.models.autoencoders.autoencoder_kl import AutoencoderKL  # noqa: F401 - paid before the clock starts
    from diffusers.models.unets.unet_2d_condition import UNet2DConditionModel  # noqa: F401
    from transformers import CLIPTextModel  # noqa: F401

    from modules.checkpoints.families import known_families
    from modules.checkpoints.load import Placement, load_checkpoint
    from modules.conditioning.clip import ClipEncoder  # noqa: F401
    from modules.conditioning.tokenizer import clip_tokenizer

    clip_tokenizer()
    known_families()  # each is a module: imports, too
    dtype = torch.float16 if name == "fp16" else torch.float32
    clock = Clock()
    bundle = load_checkpoint(folder / "full.safetensors", Placement(unet=dtype, text=dtype, vae=dtype))
    return clock.read(), list(bundle.networks)


def load_diffusers(folder: Path, name: str) -> tuple[dict[str, float], list[Any]]:
    import torch
    from diffusers import DDIMScheduler, StableDiffusionPipeline
    from diffusers.models.autoencoders.autoencoder_kl import AutoencoderKL  # noqa: F401
    from diffusers.models.unets.unet_2d_condition import UNet2DConditionModel  # noqa: F401
    from transformers import CLIPTextModel, CLIPTokenizer  # noqa: F401

    from tools.mini.networks import clip_tokenizer

    tokenizer = clip_tokenizer()
    dtype = torch.float16 if name == "fp16" else torch.float32
    clock = Clock()
    pipeline = StableDiffusionPipeline.from_single_file(
        folder / "full.safetensors",
        config=str(folder / "config"),
        local_files_only=True,
        torch_dtype=dtype,
        tokenizer=tokenizer,
        scheduler=DDIMScheduler(),
        safety_checker=None,
        feature_extractor=None,
    )
    return clock.read(), [pipeline.unet, pipeline.vae, pipeline.text_encoder]


def measure(folder: Path, way: str) -> dict[str, float]:
    """One load in this process: seconds, and bytes at the peak beyond what stood before."""
    import torch

    whose, name = way.split()
    load = load_ours if whose == "ours" else load_diffusers
    if whose == "ours":  # imports, so that the base is that of the whole program
        import modules.checkpoints.load  # noqa: F401
    import diffusers  # noqa: F401

    base = resident()
    seconds, networks = load(folder, name)
    weights = [weight for network in networks for weight in network.parameters()]
    with torch.no_grad():
        checksum = sum(
            float(weight.flatten()[:: max(1, 1024 // weight.element_size())].float().sum()) for weight in weights
        )
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    held = sum(weight.numel() * weight.element_size() for weight in weights)
    return {**seconds, "peak": peak - base, "held": held, "checksum": checksum}


def resident() -> int:
    """Bytes of this process in memory now."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * resource.getpagesize()


def switching(folder: Path) -> dict[str, float]:
    """Going back to a model that is still held."""
    from modules.checkpoints.devices import DeviceWishes
    from modules.checkpoints.library import Library
    from modules.checkpoints.memory import Models

    models = Models(Library([folder]), DeviceWishes(device="cpu"), limit=2)
    with models.borrow("full"):
        pass
    started = time.perf_counter()
    with models.borrow("full"):
        return {"seconds": time.perf_counter() - started}


def in_a_process(*arguments: str) -> dict[str, float]:
    done = subprocess.run([sys.executable, __file__, *arguments], capture_output=True, text=True, cwd=ROOT, check=False)
    if done.returncode:
        sys.exit(f"{' '.join(arguments)} failed:\n{done.stderr[-3000:]}")
    found: dict[str, float] = json.loads(done.stdout.strip().splitlines()[-1])
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--folder", type=Path)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--measure", nargs=2)
    parser.add_argument("--make", type=Path)
    parser.add_argument("--switching", type=Path)
    options = parser.parse_args()
    if options.measure:
        print(json.dumps(measure(Path(options.measure[1]), options.measure[0])))
    elif options.make:
        make(options.make)
        print("{}")
    elif options.switching:
        print(json.dumps(switching(options.switching)))
    else:
        with tempfile.TemporaryDirectory(dir=options.folder) as folder:
            report(Path(folder), options.runs)


def report(folder: Path, runs: int) -> None:
    in_a_process("--make", str(folder))
    file = folder / "full.safetensors"
    size = file.stat().st_size
    with file.open("rb") as warm:
        while warm.read(1 << 24):
            pass
    found: dict[str, list[dict[str, float]]] = {way: [] for way in WAYS}
    for _ in range(runs):
        for way in WAYS:
            found[way].append(in_a_process("--measure", way, str(folder)))
    wall = {way: statistics.median(one["wall"] for one in rows) for way, rows in found.items()}
    cpu = {way: statistics.median(one["cpu"] for one in rows) for way, rows in found.items()}
    peaks = {way: max(one["peak"] for one in rows) for way, rows in found.items()}
    held = found["ours fp32"][0]["held"]
    print(f"file {size / 1e9:.2f} GB, weights in fp32 {held / 1e9:.2f} GB, {runs} runs each")
    for way in WAYS:
        peak = f"peak {peaks[way] / 1e9:5.2f} GB = {peaks[way] / size:4.2f} x file"
        print(f"{way:15} wall {wall[way]:6.2f} s   cpu {cpu[way]:6.2f} s   {peak}")
    for name in ("fp16", "fp32"):
        ours, theirs = f"ours {name}", f"diffusers {name}"
        print(f"{name}: ours / diffusers: wall {wall[ours] / wall[theirs]:.2f}, cpu {cpu[ours] / cpu[theirs]:.2f}")
    print(f"fp16: peak / file {peaks['ours fp16'] / size:.2f} (wanted <= 1.15); ratio of seconds wanted <= 0.5")
    print(f"fp32: peak / weights {peaks['ours fp32'] / held:.2f}")
    print(f"back to a held model: {in_a_process('--switching', str(folder))['seconds']:.4f} s (wanted <= 0.1)")


if __name__ == "__main__":
    main()
