"""A stage of training: one loss, one optimizer, one file on disk, and the same next step after any interruption."""

from __future__ import annotations

import math
import random
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor, distributed, nn
from tqdm import tqdm

Loss = Callable[["Draws"], Tensor]
Report = Callable[[int, "Stage"], None]


@dataclass(frozen=True)
class Draws:
    """All the chance of one step. It depends on seed, stage and step alone: a resumed run needs no generator state."""

    step: int
    python: random.Random
    noise: torch.Generator

    @classmethod
    def at(cls, seed: int, stage: str, step: int) -> Draws:
        python = random.Random(f"{seed}/{stage}/{step}")
        return cls(step, python, torch.Generator().manual_seed(python.getrandbits(60)))


@dataclass
class Stage:
    """What is trained, and how far it has come. `average` holds the moving average of the weights."""

    name: str
    network: nn.Module
    loss: Loss
    steps: int
    rate: float
    seed: int = 0
    warm_up: int = 100
    average_decay: float = 0.999
    weight_decay: float = 0.01

    def __post_init__(self) -> None:
        self.done = 0
        groups = _decayed_and_not(self.network, self.weight_decay)
        self.optimizer = torch.optim.AdamW(groups, self.rate, (0.9, 0.98), fused=True)
        self.average = {name: value.detach().clone() for name, value in self.network.state_dict().items()}

    def rate_at(self, step: int) -> float:
        """Learning rate: a linear rise, level for half of the way, then half a cosine down to 2 %."""
        rise = min(1.0, (step + 1) / self.warm_up)
        fall = max(0.0, 2 * step / self.steps - 1)
        return self.rate * rise * (0.02 + 0.98 * 0.5 * (1 + math.cos(math.pi * min(1.0, fall))))

    def advance(self) -> float:
        """One step of the optimizer; returns the loss."""
        for group in self.optimizer.param_groups:
            group["lr"] = self.rate_at(self.done)
        loss = self.loss(Draws.at(self.seed + 1000 * worker_rank(), self.name, self.done))
        self.optimizer.zero_grad(set_to_none=True)
        loss.backward()
        _average_over_workers(self.network)
        nn.utils.clip_grad_norm_(self.network.parameters(), 1.0)
        self.optimizer.step()
        self.done += 1
        decay = min(self.average_decay, (self.done + 1) / (self.done + 10))
        current = self.network.state_dict()
        torch._foreach_lerp_([self.average[k] for k in self.average], [current[k] for k in self.average], 1 - decay)
        return float(loss.detach())

    def save(self, file: Path) -> None:
        """Write all that the next step depends on; of several workers, which agree, only the first writes."""
        if worker_rank() > 0:
            return
        file.parent.mkdir(parents=True, exist_ok=True)
        part = file.with_suffix(".part")
        torch.save(
            {
                "done": self.done,
                "network": self.network.state_dict(),
                "average": self.average,
                "optimizer": self.optimizer.state_dict(),
            },
            part,
        )
        part.replace(file)

    def load(self, file: Path) -> None:
        state = torch.load(file, map_location="cpu", weights_only=True)
        self.done = state["done"]
        self.network.load_state_dict(state["network"])
        self.optimizer.load_state_dict(state["optimizer"])
        for name, value in state["average"].items():
            self.average[name].copy_(value)


def run_stage(stage: Stage, file: Path, report: Report | None = None, save_every: float = 180.0) -> None:
    """Train until `stage.steps`, beginning where `file` left off; leaves the average weights in the network.

    report: called after every save, to look at how things stand.
    """
    if file.exists():
        stage.load(file)
    saved = time.monotonic()
    smooth: float | None = None
    quiet = worker_rank() > 0
    with tqdm(
        total=stage.steps, initial=stage.done, desc=stage.name, mininterval=10, smoothing=0.05, disable=quiet
    ) as bar:
        while stage.done < stage.steps:
            loss = stage.advance()
            smooth = loss if smooth is None else smooth + 0.02 * (loss - smooth)
            bar.set_postfix_str(f"loss {smooth:.4f}", refresh=False)
            bar.update()
            if time.monotonic() - saved > save_every or stage.done == stage.steps:
                stage.save(file)
                saved = time.monotonic()
                if report is not None:
                    report(stage.done, stage)
    stage.network.load_state_dict(stage.average)


def _average_over_workers(network: nn.Module) -> None:
    """Give every worker the mean of all gradients; nothing to do where there is one worker."""
    if not distributed.is_initialized():
        return
    gradients = [p.grad for p in network.parameters() if p.grad is not None]
    flat = torch.cat([gradient.reshape(-1) for gradient in gradients])
    distributed.all_reduce(flat)
    flat /= distributed.get_world_size()
    parts = flat.split([gradient.numel() for gradient in gradients])
    torch._foreach_copy_(gradients, [part.view_as(g) for part, g in zip(parts, gradients, strict=True)])


def worker_rank() -> int:
    return distributed.get_rank() if distributed.is_initialized() else 0


def _decayed_and_not(network: nn.Module, decay: float) -> Iterable[dict[str, object]]:
    """Parameter groups: matrices and kernels decay; biases, norms and embeddings do not."""
    embeddings = {id(p) for m in network.modules() if isinstance(m, nn.Embedding) for p in m.parameters()}
    parameters = [p for p in network.parameters() if p.requires_grad]
    kept = [p for p in parameters if p.ndim < 2 or id(p) in embeddings]
    kept_ids = {id(p) for p in kept}
    return [
        {"params": [p for p in parameters if id(p) not in kept_ids], "weight_decay": decay},
        {"params": kept, "weight_decay": 0.0},
    ]
