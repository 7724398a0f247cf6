"""Train the built-in model: `python -m tools.mini.train --size 128 --device cpu`.

Three stages, each resumable: the autoencoder, the text encoder (it learns to read captions), then the UNet
on cached latents. Interrupt it at any time; the same command goes on with the same next step.
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

import numpy as np
import torch
from diffusers import AutoencoderKL, UNet2DConditionModel
from torch import Tensor, distributed, nn
from torch.nn import functional
from transformers import CLIPTextModel

from tools.mini import captions, diffusion, export, scenes, vae
from tools.mini.networks import EOS, TEXT_WIDTH, TOKENS, build_text_encoder, build_unet, tokenize
from tools.mini.stages import Draws, Stage, run_stage, worker_rank


@dataclass(frozen=True)
class Recipe:
    """How long and with how much each stage trains."""

    size: int = 128
    device: str = "cpu"
    seed: int = 0
    vae_steps: int = 500
    vae_batch: int = 16  # pieces of 32 x 32 pixels; the same number of pixels later, in larger pieces
    text_steps: int = 600
    text_batch: int = 48
    unet_steps: int = 3600
    unet_batch: int = 24  # divided among the workers
    unet_rate: float = 1e-3
    scenes_at_first: int = 2400
    scenes_per_step: float = 0.25  # more pictures join the cache while the UNet trains


def recipe_for(size: int, device: str) -> Recipe:
    """128 on a CPU takes about two hours on two cores; on a GPU there is time for ten times as much."""
    if device == "cpu":
        return Recipe(size=size)
    return Recipe(
        size=size, device=device, vae_steps=6000, vae_batch=64, text_steps=1500, unet_steps=30000, unet_batch=128,
        unet_rate=7e-4, scenes_at_first=20000, scenes_per_step=1.0,
    )  # fmt: skip


class Reader(nn.Module):
    """The text encoder with a head per attribute: reading the caption right is its first lesson."""

    CHOICES: dict[str, tuple[object, ...]] = {
        "kind": scenes.KINDS, "colour": tuple(scenes.COLOURS), "sky": tuple(scenes.SKIES),
        "ground": tuple(scenes.GROUNDS), "count": (1, 2, 3), "position": scenes.POSITIONS, "size": scenes.SIZES,
    }  # fmt: skip

    def __init__(self, text: CLIPTextModel) -> None:
        super().__init__()
        self.text = text
        self.heads = nn.ModuleDict({name: nn.Linear(TEXT_WIDTH, len(c)) for name, c in self.CHOICES.items()})

    def loss(self, tokens: Tensor, answers: dict[str, Tensor], noise: torch.Generator) -> Tensor:
        """Cross entropy at the end of the caption and at a random pad after it; unsaid attributes do not count."""
        end = (tokens == EOS).int().argmax(dim=1)
        tokens = tokens[:, : int(end.max()) + 6]  # attention is causal: what comes later changes nothing
        features = self.text(tokens).last_hidden_state
        pad = end + (torch.rand(len(end), generator=noise).to(end.device) * (tokens.shape[1] - end)).long()
        rows = torch.arange(len(end), device=end.device)
        total = features.new_zeros(())
        for name, head in self.heads.items():
            for place in (end, pad):
                total = total + functional.cross_entropy(head(features[rows, place]), answers[name], ignore_index=-100)
        return total / (2 * len(self.heads))


def captioned(drawn: list[scenes.Scene], rng: random.Random, empty: float = 0.1) -> tuple[Tensor, dict[str, Tensor]]:
    """New captions of scenes as tokens, and what they say as class numbers (-100 where they say nothing)."""
    words = [captions.caption(scene, rng) for scene in drawn]
    blank = [rng.random() < empty for _ in drawn]
    tokens = tokenize(["" if gone else caption.text for caption, gone in zip(words, blank, strict=True)])
    answers = {
        name: torch.tensor(
            [
                choices.index(getattr(scene, name)) if name in caption.said and not gone else -100
                for scene, caption, gone in zip(drawn, words, blank, strict=True)
            ]
        )
        for name, choices in Reader.CHOICES.items()
    }
    return _with_strangers(tokens, rng), answers


def _with_strangers(tokens: Tensor, rng: random.Random, chance: float = 0.1) -> Tensor:
    """Now and then a word of the other 49,000 somewhere in the caption, so that unknown words do no harm."""
    for row in tokens:
        end = int((row == EOS).int().argmax())
        if 1 < end < TOKENS - 1 and rng.random() < chance:
            place = rng.randint(1, end)
            row[place + 1 :] = row[place:-1].clone()
            row[place] = rng.randrange(EOS - 1)
    return tokens


class LatentCache:
    """Latents of scene number 0, 1, 2 ... and where in them something stands. Grows; on disk, one file a worker."""

    def __init__(self, encoder: AutoencoderKL, recipe: Recipe, folder: Path) -> None:
        side = recipe.size // 8
        self.encoder, self.recipe, self.rank = encoder, recipe, worker_rank()
        self.file = folder / f"latents-{self.rank}.pt"
        self.latents = torch.empty(0, 4, side, side, dtype=torch.float16)
        self.weights = torch.empty(0, 1, side, side, dtype=torch.float16)
        self.scenes: list[scenes.Scene] = []
        known = self.file if self.file.exists() else folder / "latents-0.pt"
        if known.exists():
            kept = torch.load(known, weights_only=True)
            shared = None if known == self.file else recipe.scenes_at_first
            self.latents, self.weights = kept["latents"][:shared], kept["weights"][:shared]
            self.scenes = [self._scene(number)[0] for number in range(len(self.latents))]

    def _scene(self, number: int) -> tuple[scenes.Scene, int]:
        stream = self.rank if number >= self.recipe.scenes_at_first else 0  # the first are the same for all workers
        rng = random.Random(f"{self.recipe.seed + 1000 * stream}/scene/{number}")
        return scenes.random_scene(rng), rng.getrandbits(32)

    @torch.no_grad()
    def grow(self, count: int, block: int = 32) -> None:
        """Draw and encode until there are `count` scenes, rounded up to whole blocks."""
        grown = False
        latents, weights = [self.latents], [self.weights]
        while len(self.scenes) < count:
            numbers = [self._scene(len(self.scenes) + i) for i in range(block)]
            drawn = [np.asarray(scenes.draw(scene, seed, self.recipe.size)) for scene, seed in numbers]
            pixels = torch.from_numpy(np.stack(drawn)).permute(0, 3, 1, 2).float().to(self.recipe.device) / 127.5 - 1
            mean = self.encoder.encode(pixels.contiguous(memory_format=torch.channels_last)).latent_dist.mean
            latents.append((mean * vae.SCALE).half().cpu())
            weights.append(_weights([scene for scene, _ in numbers], pixels.cpu()))
            self.scenes += [scene for scene, _ in numbers]
            grown = True
        if grown:
            self.latents, self.weights = torch.cat(latents), torch.cat(weights)

    def save(self) -> None:
        part = self.file.with_suffix(".part")
        torch.save({"latents": self.latents, "weights": self.weights}, part)
        part.replace(self.file)


def _weights(drawn: list[scenes.Scene], pixels: Tensor) -> Tensor:
    """(B, 1, h/8, w/8) with mean 1: the thing and its edge count more than sky and ground, which are soon known."""
    side = pixels.shape[-1]
    empty = [np.asarray(scenes.empty(s.sky, s.ground, side)) for s in drawn]
    plain = torch.from_numpy(np.stack(empty)).permute(0, 3, 1, 2).float() / 127.5 - 1
    differs = ((pixels - plain).abs().amax(dim=1, keepdim=True) > 0.1).float()
    near = functional.max_pool2d(functional.avg_pool2d(differs, 8), 3, stride=1, padding=1)
    weight = 1 + 2 * near.clamp(max=1)
    return (weight / weight.mean(dim=(1, 2, 3), keepdim=True)).half()


def train_vae(recipe: Recipe, folder: Path) -> AutoencoderKL:
    """The trained autoencoder with normalised latents, from disk when it is there."""
    torch.manual_seed(recipe.seed)
    network = vae.build_vae()
    vae.give_colours_a_path(network)
    network.to(recipe.device)
    done = folder / "vae_done.pt"
    if not done.exists():

        def loss(draws: Draws) -> Tensor:
            part = draws.step / recipe.vae_steps
            piece = 32 if part < 0.5 else 64 if part < 0.85 else recipe.size
            count = max(2, recipe.vae_batch * 32 * 32 // piece**2 * (2 if piece == 64 else 1))
            pixels = vae.pictures(draws.python, count, recipe.size, piece)
            return vae.vae_loss(network, pixels.to(recipe.device), draws.noise)

        stage = Stage("vae", network, loss, recipe.vae_steps, 6e-4, recipe.seed, average_decay=0.98, weight_decay=0.0)
        run_stage(stage, folder / "vae.pt")
        pixels = torch.cat([vae.pictures(random.Random(f"latents/{i}"), 16, recipe.size) for i in range(16)])
        vae.normalise_latents(network, pixels.to(recipe.device))
        torch.save(network.state_dict(), done)
    network.load_state_dict(torch.load(done, map_location=recipe.device, weights_only=True))
    return network.eval().requires_grad_(False)


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
    unet = build_unet().to(recipe.device)
    text.eval().requires_grad_(False)
    if worker_rank() == 0:
        cache = LatentCache(encoder, recipe, folder)
        cache.grow(recipe.scenes_at_first)
        cache.save()
    if distributed.is_initialized():
        distributed.barrier()
    cache = LatentCache(encoder, recipe, folder)
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


def networks_so_far(folder: Path, device: str = "cpu") -> tuple[export.Networks, int]:
    """The averaged networks of a run that may still be going on, and how many steps they have seen."""
    networks = export.Networks.untrained()
    state = torch.load(folder / "unet.pt", map_location="cpu", weights_only=True, mmap=True)
    networks.unet.load_state_dict(state["average"])
    reader = torch.load(folder / "text.pt", map_location="cpu", weights_only=True, mmap=True)["average"]
    Reader(networks.text).load_state_dict(reader)
    networks.vae.load_state_dict(torch.load(folder / "vae_done.pt", map_location="cpu", weights_only=True))
    for network in (networks.text, networks.unet, networks.vae):
        network.eval().requires_grad_(False).to(device)
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
    if options.file and options.rank == 0:
        networks, steps = networks_so_far(folder)
        export.write(networks, options.file, {"steps": str(steps), "size": str(recipe.size)})


if __name__ == "__main__":
    main()
