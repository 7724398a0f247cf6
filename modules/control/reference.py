"""Pictures whose look a UNet takes over without a network for it: it looks at them first, and shares what it saw.

"Attention" lets every self-attention see the picture's tokens beside its own; "statistics" gives the features the
picture's mean and spread (Huang and Belongie 2017, arXiv:1703.06868). Where, and how weights and style fidelity count,
is as in the ControlNet extension (reference_only, reference_adain).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from typing import Any

import torch
from torch import Tensor, nn

from modules.checkpoints.bundle import ModelBundle
from modules.diffusion.denoiser import PREDICTIONS
from modules.diffusion.guidance import Rows
from modules.diffusion.windows import Window

# Below this share of faithfulness negative prompts are not asked a second time.
UNFAITHFUL = 1e-5
SMALLEST_VARIANCE = 1e-6
# The same noise for every picture, so that none depends on its place in a batch.
SEED = 0
# A statistics place is used from this times its rank on.
RELUCTANCE = 2.0


@dataclass(frozen=True)
class Places:
    """Modules of a UNet where something is shared, each with the weight above which it is."""

    attention: tuple[tuple[nn.Module, float], ...]
    statistics: tuple[tuple[nn.Module, float], ...]


@dataclass(frozen=True)
class Reference:
    """A picture that lends its look.

    latents: (1 or B, C, h, w), clean. start, end: shares of the steps between which it acts.
    fidelity: 0 to 1, how far negative prompts do not see it, which makes its look stronger.
    """

    latents: Tensor
    places: Places
    weight: float = 1.0
    start: float = 0.0
    end: float = 1.0
    fidelity: float = 0.5
    attention: bool = True
    statistics: bool = False
    noise: torch.Generator = field(default_factory=lambda: torch.Generator().manual_seed(SEED))

    def acts_at(self, share: float) -> bool:
        return self.start <= share <= self.end

    def through(self, window: Window, size: tuple[int, int]) -> Reference:
        """The same for what shows through `window` of latents of that (height, width)."""
        return replace(self, latents=window.of(self.latents))

    def noisy(self, rows: Rows, bundle: ModelBundle, timestep: Tensor) -> Tensor:
        """(N, C, h, w): the picture of each row, as noisy as latents are at its timestep (N,), as the network wants."""
        of_rows = self.latents.expand(len(rows.owners), -1, -1, -1) if len(self.latents) == 1 else None
        clean = self.latents[rows.index] if of_rows is None else of_rows
        noise = torch.randn(1, *clean.shape[1:], generator=self.noise).to(clean)
        sigma = bundle.levels.sigma(timestep).to(clean).view(-1, 1, 1, 1)
        return PREDICTIONS[bundle.prediction].input(clean + sigma * noise, sigma)

    def extra(self, noisy: Tensor, given: Tensor | None, bundle: ModelBundle) -> Tensor | None:
        """The channels beside `noisy`: inpainting models are told that nothing of the picture is masked."""
        if given is None or bundle.variant != "inpaint":
            return given
        clean = self.latents.expand(len(noisy), -1, -1, -1)
        return torch.cat([torch.zeros_like(clean[:, :1]), clean], dim=1).to(given)


class Exchange:
    """What references left at the places of a UNet, for the call that is made after theirs."""

    def __init__(self, rows: Rows) -> None:
        self.giver: Reference | None = None
        self._negatives = [place for place, prompted in enumerate(rows.prompted) if not prompted]
        self._tokens: dict[nn.Module, list[Tensor]] = {}
        self._moments: dict[nn.Module, list[tuple[Tensor, Tensor]]] = {}
        self._fidelity: dict[nn.Module, list[float]] = {}

    def before_attention(
        self, module: nn.Module, rank: float, args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> tuple[Any, dict[str, Any]] | None:
        tokens: Tensor = args[0] if args else kwargs["hidden_states"]
        if self.giver is not None:
            if self.giver.attention and self.giver.weight > rank:
                self._tokens.setdefault(module, []).append(tokens)
                self._fidelity.setdefault(module, []).append(self.giver.fidelity)
            return None
        if module not in self._tokens:
            return None
        return args, {**kwargs, "encoder_hidden_states": torch.cat([tokens, *self._tokens[module]], dim=1)}

    def after_attention(
        self, module: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any], output: Tensor
    ) -> Tensor | None:
        if self.giver is not None or module not in self._tokens or self._faith(module) <= UNFAITHFUL:
            return None
        tokens: Tensor = args[0] if args else kwargs["hidden_states"]
        return self._faithful(module, output, lambda negatives: module.forward(tokens[negatives]))

    def after_features(self, module: nn.Module, rank: float, output: Any) -> Any:
        found: Tensor = output[0] if isinstance(output, tuple) else output
        variance, mean = torch.var_mean(found.float(), dim=(2, 3), keepdim=True, correction=0)
        if self.giver is not None:
            if self.giver.statistics and self.giver.weight > rank:
                self._moments.setdefault(module, []).append((mean, variance))
                self._fidelity.setdefault(module, []).append(self.giver.fidelity)
            return None
        if module not in self._moments:
            return None
        means, variances = (torch.stack(one).mean(dim=0) for one in zip(*self._moments[module], strict=True))
        spread, wanted = (one.clamp(min=SMALLEST_VARIANCE).sqrt() for one in (variance, variances))
        changed = ((found - mean) / spread * wanted + means).to(found.dtype)
        if self._faith(module) > UNFAITHFUL:
            changed = self._faithful(module, changed, lambda negatives: found[negatives])
        return (changed, *output[1:]) if isinstance(output, tuple) else changed

    def _faith(self, module: nn.Module) -> float:
        return sum(self._fidelity[module]) / len(self._fidelity[module]) if self._negatives else 0.0

    def _faithful(self, module: nn.Module, shared: Tensor, own: Any) -> Tensor:
        """`shared`, but rows of negative prompts go back towards `own` by the fidelity."""
        faith, negatives = self._faith(module), self._negatives
        result = shared.clone()
        result[negatives] = (faith * own(negatives) + (1 - faith) * shared[negatives]).to(shared.dtype)
        return result


@contextmanager
def exchanging(places: Places, rows: Rows) -> Iterator[Exchange]:
    """Inside, calls of the UNet for `rows` leave something with the exchange (while it has a `giver`), or take it."""
    exchange = Exchange(rows)
    with ExitStack() as hooks:
        for module, rank in places.attention:
            hooks.callback(
                module.register_forward_pre_hook(
                    lambda module, args, kwargs, rank=rank: exchange.before_attention(module, rank, args, kwargs),
                    with_kwargs=True,
                ).remove
            )
            # First of all: token merging puts the merged tokens apart again after us.
            hooks.callback(
                module.register_forward_hook(exchange.after_attention, with_kwargs=True, prepend=True).remove
            )
        for module, rank in places.statistics:
            hooks.callback(
                module.register_forward_hook(
                    lambda module, args, output, rank=rank: exchange.after_features(module, rank, output)
                ).remove
            )
        yield exchange


def places_of(bundle: ModelBundle) -> Places:
    """Where `bundle`'s UNet can share: attention from the widest to the narrowest, statistics from the middle out."""
    blocks = [
        (name, module)
        for name, module in bundle.unet.named_modules()
        if type(module).__name__ == "BasicTransformerBlock"
    ]
    on_the_way = ("down_blocks", "mid_block", "up_blocks")
    blocks.sort(key=lambda one: on_the_way.index(one[0].partition(".")[0]))
    widest_first = sorted(
        (block for _, block in blocks), key=lambda block: -block.get_submodule("norm1").weight.numel()
    )
    attention = [(block.get_submodule("attn1"), place / len(blocks)) for place, block in enumerate(widest_first)]
    return Places(tuple(attention), tuple(_statistics(bundle)))


def _statistics(bundle: ModelBundle) -> Iterator[tuple[nn.Module, float]]:
    """The middle, the way down below the first level, and the first two thirds of the way up."""
    yield bundle.unet.get_submodule("mid_block"), 0.0
    down, up = _ends(bundle, "input_blocks"), _ends(bundle, "output_blocks")
    below = [name for _, name in sorted(down.items()) if not name.startswith(("down_blocks.0.", "conv_in"))]
    below = [name for name in below if ".downsamplers." not in name]
    for place, name in enumerate(below):
        yield bundle.unet.get_submodule(name), RELUCTANCE * (1 - place / len(below))
    first = [name for _, name in sorted(up.items())][: len(up) * 2 // 3]
    for place, name in enumerate(first):
        yield bundle.unet.get_submodule(name), RELUCTANCE * place / len(first)


def _ends(bundle: ModelBundle, side: str) -> dict[int, str]:
    """Number of a block in the original layout -> the module of ours that puts out what the block does."""
    last: dict[int, tuple[int, str]] = {}
    for original, ours in bundle.module_names.items():
        parts = original.split(".")
        if parts[0] == side and len(parts) > 2:
            number, place = int(parts[1]), int(parts[2])
            last[number] = max(last.get(number, (-1, "")), (place, ".".join(ours.split(".")[:4])))
    return {number: name for number, (_, name) in last.items()}


def seen_by(
    references: Sequence[Reference],
    exchange: Exchange,
    bundle: ModelBundle,
    rows: Rows,
    call: tuple[Tensor, Tensor, Tensor | None, Tensor | None],
) -> None:
    """Lets the UNet look at each reference under what it is told in `call`: timestep, cross, vector, extra."""
    timestep, cross, vector, extra = call
    for reference in references:
        exchange.giver = reference
        noisy = reference.noisy(rows, bundle, timestep)
        bundle.predict(noisy, timestep, cross, vector, reference.extra(noisy, extra, bundle))
    exchange.giver = None
