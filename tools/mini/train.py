"""Train the built-in model: `python -m tools.mini.train --size 128 --device cpu`.

Four stages, each resumable: the autoencoder; the text encoder, which learns to read captions; the UNet on cached
latents; the decoder once more. Interrupt it at any time; the same command goes on with the same next step.
"""

from __future__ import annotations

import argparse
import ctypes
import platform
import random
import subprocess
import sys
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import torch
from diffusers.models.autoencoders.autoencoder_kl import AutoencoderKL
from diffusers.models.unets.unet_2d_condition import UNet2DConditionModel
from torch import Tensor, distributed, nn
from transformers import CLIPTextModel

from tools.mini import diffusion, export, preview, scenes, vae
from tools.mini.cache import LatentCache
from tools.mini.networks import build_text_encoder, build_unet
from tools.mini.reading import Reader, captioned
from tools.mini.stages import Draws, Stage, run_stage, worker_rank


@dataclass(frozen=True)
class Recipe:
    """How long and with how much each stage trains."""

    size: int = 128
    device: str = "cpu"
    seed: int = 0
    vae_steps: int = 500
    vae_batch: int = 16  # pieces of 32 x 32 pixels; the same number of pixels later, in larger pieces
    decoder_steps: int = 480
    text_steps: int = 600
    text_batch: int = 48
    unet_steps: int = 2700
    unet_batch: int = 24  # divided among the workers
    unet_rate: float = 1e-3
    scenes_at_first: int = 2400
    scenes_per_step: float = 0.25  # more pictures join the cache while the UNet trains


def recipe_for(size: int, device: str) -> Recipe:
    """128 on a CPU takes about two hours on two cores; on a GPU there is time for ten times as much."""
    if device == "cpu":
        return Recipe(size=size)
    return Recipe(
        size=size, device=device, vae_steps=6000, vae_batch=64, decoder_steps=4000, text_steps=1500,
        unet_steps=30000, unet_batch=128, unet_rate=7e-4, scenes_at_first=20000, scenes_per_step=1.0,
    )  # fmt: skip


def train_vae(recipe: Recipe, folder: Path) -> AutoencoderKL:
    """The trained autoencoder with normalised latents, from disk when it is there."""
    torch.manual_seed(recipe.seed)
    network = vae.build_vae()
    vae.give_colours_a_path(network)
    nn.Module.to(network, recipe.device)  # diffusers' own `to` is declared wrongly
    done = folder / "vae_done.pt"
    if not done.exists():

        def loss(draws: Draws) -> Tensor:
            part = draws.step / recipe.vae_steps
            pixels = _pieces(recipe, draws, 32 if part < 0.5 else 64 if part < 0.85 else recipe.size)
            return vae.vae_loss(network, pixels, draws.noise)

        stage = Stage("vae", network, loss, recipe.vae_steps, 6e-4, recipe.seed, average_decay=0.98, weight_decay=0.0)
        run_stage(stage, folder / "vae.pt")
        pixels = torch.cat([vae.pictures(random.Random(f"latents/{i}"), 16, recipe.size) for i in range(16)])
        vae.normalise_latents(network, pixels.to(recipe.device))
        torch.save(network.state_dict(), done)
    network.load_state_dict(torch.load(done, map_location=recipe.device, weights_only=True))
    network.eval()
    network.requires_grad_(False)
    return network


def polish_decoder(recipe: Recipe, folder: Path, network: AutoencoderKL) -> None:
    """Train the decoder on; the latents stay as the UNet knows them."""
    network.decoder.requires_grad_(True)

    def loss(draws: Draws) -> Tensor:
        pixels = _pieces(recipe, draws, 64 if draws.step < 0.6 * recipe.decoder_steps else recipe.size)
        return vae.decoder_loss(network, pixels, draws.noise)

    stage = Stage("decoder", network, loss, recipe.decoder_steps, 5e-4, recipe.seed, 20, 0.98, weight_decay=0.0)
    run_stage(stage, folder / "decoder.pt", save_every=60)
    network.requires_grad_(False)


def _pieces(recipe: Recipe, draws: Draws, side: int) -> Tensor:
    """Pieces of pictures, the fewer the larger."""
    count = max(2, recipe.vae_batch * 32 * 32 // side**2 * (2 if side == 64 else 1))
    return vae.pictures(draws.python, count, recipe.size, side).to(recipe.device)


def train_text(recipe: Recipe, folder: Path) -> CLIPTextModel:
    """A text encoder that reads captions."""
    torch.manual_seed(recipe.seed + 1)
    reader = Reader(build_text_encoder()).to(recipe.device)

    def loss(draws: Draws) -> Tensor:
        drawn = [scenes.random_scene(draws.python) for _ in range(recipe.text_batch)]
        tokens, answers = captioned(drawn, draws.python, empty=0.0)
        answers = {name: answer.to(recipe.device) for name, answer in answers.items()}
        return reader.loss(tokens.to(recipe.device), answers, draws.noise)

    stage = Stage("text", reader, loss, recipe.text_steps, 1e-3, recipe.seed, average_decay=0.99)
    run_stage(stage, folder / "text.pt")
    return reader.text


def train_unet(recipe: Recipe, folder: Path, encoder: AutoencoderKL, text: CLIPTextModel) -> UNet2DConditionModel:
    """The UNet. The text encoder reads captions without fault by now and stays as it is, as CLIP does in SD."""
    torch.manual_seed(recipe.seed + 2)
    unet = build_unet()
    nn.Module.to(unet, recipe.device)
    text.eval().requires_grad_(False)
    if worker_rank() == 0:
        cache = LatentCache(encoder, recipe.size, recipe.seed, recipe.scenes_at_first, folder)
        cache.grow(recipe.scenes_at_first)
        cache.save()
    if distributed.is_initialized():
        distributed.barrier()
    cache = LatentCache(encoder, recipe.size, recipe.seed, recipe.scenes_at_first, folder)
    half = recipe.device != "cpu"
    workers = distributed.get_world_size() if distributed.is_initialized() else 1

    def loss(draws: Draws) -> Tensor:
        known = recipe.scenes_at_first + int(recipe.scenes_per_step * draws.step)
        if known > len(cache.scenes):
            cache.grow(known)
        numbers = [draws.python.randrange(known) for _ in range(recipe.unet_batch // workers)]
        tokens, _ = captioned([cache.scenes[n] for n in numbers], draws.python)
        with torch.autocast(recipe.device, torch.bfloat16, enabled=half):
            with torch.no_grad():
                context = text(tokens.to(recipe.device)).last_hidden_state
            latents, weights = (part[numbers].float().to(recipe.device) for part in (cache.latents, cache.weights))
            return diffusion.noise_loss(unet, latents, context, weights, draws.noise)

    stage = Stage("unet", unet, loss, recipe.unet_steps, recipe.unet_rate, recipe.seed, warm_up=200)
    run_stage(stage, folder / "unet.pt", lambda _step, _stage: cache.save())
    return unet


def networks_so_far(folder: Path) -> tuple[export.Networks, int]:
    """The averaged networks of a run that may still be going on, and how many steps they have seen."""
    networks = export.Networks.untrained()
    state = torch.load(folder / "unet.pt", map_location="cpu", weights_only=True, mmap=True)
    networks.unet.load_state_dict(state["average"])
    reader = torch.load(folder / "text.pt", map_location="cpu", weights_only=True, mmap=True)["average"]
    Reader(networks.text).load_state_dict(reader)
    networks.vae.load_state_dict(torch.load(folder / "vae_done.pt", map_location="cpu", weights_only=True))
    if (folder / "decoder.pt").exists():
        polished = torch.load(folder / "decoder.pt", map_location="cpu", weights_only=True, mmap=True)
        networks.vae.load_state_dict(polished["average"])
    for network in networks.all():
        network.eval()
        network.requires_grad_(False)
    return networks, state["done"]


def keep_memory() -> None:
    """Let glibc keep freed blocks instead of giving them back: a fifth faster on a CPU (page faults)."""
    if platform.libc_ver()[0] == "glibc":
        libc = ctypes.CDLL(None)
        for option, value in ((-8, 1), (-3, 1 << 30), (-1, (1 << 31) - 1)):  # arenas, mmap and trim thresholds
            libc.mallopt(option, value)


def join_workers(workers: int, rank: int, folder: Path) -> None:
    """Meet the other workers; the first one starts them.

    On busy cores two processes of one thread get more done than one of two threads, which waits at every operation.
    """
    meeting = folder / "meeting"
    if rank == 0:
        meeting.unlink(missing_ok=True)
        for other in range(1, workers):
            command = [sys.executable, "-m", "tools.mini.train", *sys.argv[1:], "--rank", str(other)]
            subprocess.Popen(command, start_new_session=True)
    distributed.init_process_group(
        "gloo", init_method=f"file://{meeting.resolve()}", rank=rank, world_size=workers, timeout=timedelta(minutes=15)
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--size", type=int, default=128, choices=(128, 256), help="side of the pictures in pixels")
    parser.add_argument("--device", default="cpu", help="cpu or cuda")
    parser.add_argument("--folder", type=Path, help="where the run is kept (default: tools/mini/runs/<size>)")
    parser.add_argument("--steps", type=int, help="steps of the UNet")
    parser.add_argument("--threads", type=int, help="CPU threads")
    parser.add_argument("--file", type=Path, help="write the checkpoint here at the end")
    parser.add_argument("--workers", type=int, default=1, help="processes that share the UNet's batch (CPU)")
    parser.add_argument("--rank", type=int, default=0, help=argparse.SUPPRESS)
    options = parser.parse_args()
    keep_memory()
    if options.threads:
        torch.set_num_threads(options.threads)
    recipe = recipe_for(options.size, options.device)
    if options.steps:
        recipe = Recipe(**{**vars(recipe), "unet_steps": options.steps})
    folder: Path = options.folder or Path(__file__).parent / "runs" / str(recipe.size)
    folder.mkdir(parents=True, exist_ok=True)
    encoder = train_vae(recipe, folder)
    text = train_text(recipe, folder)
    if options.workers > 1:
        join_workers(options.workers, options.rank, folder)
    train_unet(recipe, folder, encoder, text)
    if options.rank > 0:
        return
    polish_decoder(recipe, folder, encoder)
    if options.file:
        networks, steps = networks_so_far(folder)
        about = {"steps": str(steps), "size": str(recipe.size)}
        about[preview.KEY] = preview.latent_rgb(networks.vae, recipe.size)
        export.write(networks, options.file, about)


if __name__ == "__main__":
    main()
