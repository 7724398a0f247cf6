"""The noise levels a network was trained on: a table, and the way between a level's sigma and its timestep."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import torch
from torch import Tensor

# The last alpha_cumprod of a zero-terminal-SNR schedule would be 0 and its sigma infinite. A1111 puts this one there.
TERMINAL_ALPHA = 4.8973451890853435e-08


def alphas_from_betas(betas: Tensor) -> Tensor:
    """Cumulative products of 1 - beta, computed in float64, returned in float32. Shape (N,)."""
    return torch.cumprod(1.0 - betas.double(), dim=0).float()


def zero_terminal_snr(alphas_cumprod: Tensor) -> Tensor:
    """The schedule shifted and stretched so that its last level is pure noise; the first level stays.

    Source: Lin et al. (2023), arXiv:2305.08891, algorithm 1.
    """
    roots = alphas_cumprod.sqrt()
    first, last = roots[0].clone(), roots[-1].clone()
    rescaled = ((roots - last) * first / (first - last)) ** 2
    rescaled[-1] = TERMINAL_ALPHA
    return rescaled


@dataclass(frozen=True, eq=False, repr=False)
class NoiseLevels:
    """Levels from the least noise to the most. A position between two levels is an *index* with a fraction;
    log(sigma) is interpolated there.

    sigmas: (N,) float32, rising. timesteps: (N,) float32, what the network is told at each level.
    alphas_cumprod: (N,), share of signal variance; empty for flow models, which have none.
    """

    sigmas: Tensor
    timesteps: Tensor
    alphas_cumprod: Tensor
    log_sigmas: Tensor
    _by_device: dict[torch.device, tuple[Tensor, Tensor]] = field(init=False, default_factory=dict)

    @classmethod
    def from_alphas(cls, alphas_cumprod: Tensor, *, precision: torch.dtype = torch.float32) -> NoiseLevels:
        """Levels of a variance-preserving schedule, computed in `precision`. alphas_cumprod: (N,), falling."""
        alphas = alphas_cumprod.detach().cpu().to(precision)
        sigmas = ((1 - alphas) / alphas) ** 0.5
        timesteps = torch.arange(len(alphas), dtype=torch.float32)
        return cls(sigmas.float(), timesteps, alphas.float(), sigmas.log().float())

    @classmethod
    def from_betas(cls, betas: Tensor) -> NoiseLevels:
        return cls.from_alphas(alphas_from_betas(betas))

    @classmethod
    def scaled_linear(cls, start: float = 0.00085, end: float = 0.012, count: int = 1000) -> NoiseLevels:
        """The schedule of Stable Diffusion: sqrt(beta) rises evenly."""
        return cls.from_betas(torch.linspace(start**0.5, end**0.5, count, dtype=torch.float64) ** 2)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({len(self)} levels, {self.sigma_min:.4g} to {self.sigma_max:.4g})"

    @property
    def sigma_min(self) -> float:
        return float(self.sigmas[0])

    @property
    def sigma_max(self) -> float:
        return float(self.sigmas[-1])

    def __len__(self) -> int:
        return len(self.sigmas)

    def with_zero_terminal_snr(self) -> NoiseLevels:
        """These levels, ending in pure noise."""
        return self.from_alphas(zero_terminal_snr(self.alphas_cumprod))

    def with_downcast_alphas(self) -> NoiseLevels:
        """These levels computed in half precision from alphas_cumprod on, as A1111 had them before 1.8."""
        return self.from_alphas(self.alphas_cumprod, precision=torch.float16)

    def thinned(self, count: int) -> NoiseLevels:
        """`count` levels spread evenly over these, the last one included; timesteps are those of the originals."""
        stride = len(self) // count
        kept = slice(len(self) - 1 - (count - 1) * stride, None, stride)
        return replace(
            self,
            sigmas=self.sigmas[kept],
            timesteps=self.timesteps[kept],
            alphas_cumprod=self.alphas_cumprod[kept],
            log_sigmas=self.log_sigmas[kept].contiguous(),
        )

    def _on(self, device: torch.device) -> tuple[Tensor, Tensor]:
        """log_sigmas and timesteps on `device`, moved there once."""
        if device not in self._by_device:
            self._by_device[device] = (self.log_sigmas.to(device), self.timesteps.to(device))
        return self._by_device[device]

    def index(self, sigma: Tensor) -> Tensor:
        """Where `sigma` lies in the table, with a fraction: log(sigma) is interpolated; ends are clamped."""
        return _position(sigma, self._on(sigma.device)[0])

    def sigma(self, index: Tensor) -> Tensor:
        """The noise level at a position with a fraction (log-linear between levels)."""
        log_sigmas = self._on(index.device)[0]
        index = index.float()
        low, high, weight = index.floor().long(), index.ceil().long(), index.frac()
        return ((1 - weight) * log_sigmas[low] + weight * log_sigmas[high]).exp()

    def nearest(self, sigma: Tensor) -> Tensor:
        """Position of the level whose log is nearest to that of `sigma`, whole numbers, shape of `sigma`."""
        log_sigmas = self._on(sigma.device)[0]
        return (sigma.log().view(-1, 1) - log_sigmas).abs().argmin(dim=1).view(sigma.shape)

    def timestep(self, sigma: Tensor, *, quantize: bool = False) -> Tensor:
        """What the network is told for `sigma`; `quantize` takes the nearest level instead of going between two."""
        log_sigmas, timesteps = self._on(sigma.device)
        if quantize:
            return timesteps[self.nearest(sigma)]
        index = _position(sigma, log_sigmas)
        low = index.floor().long()
        high = (low + 1).clamp(max=len(timesteps) - 1)
        weight = index - low
        return (1 - weight) * timesteps[low] + weight * timesteps[high]

    def noised(self, clean: Tensor, noise: Tensor, sigma: float | Tensor) -> Tensor:
        """`clean` with noise of level `sigma` added."""
        return clean + noise * sigma

    def share_done(self, sigma: Tensor) -> float:
        """How much of the way from pure noise is behind: 0 at the last level, near 1 at the first.

        The nearest level counts by its distance in sigma, not in log(sigma): A1111 switches to the refiner by it.
        """
        nearest = int((self.sigmas.to(sigma.device) - sigma.max()).abs().argmin())
        return (len(self) - 1 - nearest) / len(self)


# Pure noise has no signal whose size could be kept; this much is as good as pure.
HIGHEST_SHARE = 0.9999


def sigma_of(share: Tensor) -> Tensor:
    """The noise beside a signal of full size that a share of noise (0 to 1) is."""
    share = share.clamp(max=HIGHEST_SHARE)
    return share / (1 - share)


class FlowLevels(NoiseLevels):
    """Levels of a rectified-flow model: sigma is the share of noise, 0 to 1, and the timestep is 1000 sigma."""

    @classmethod
    def shifted(cls, shift: float = 3.0, count: int = 1000) -> FlowLevels:
        """sigma = shift * t / (1 + (shift - 1) * t) for t = 1/count … 1. Source: arXiv:2403.03206, eq. 23."""
        t = torch.arange(1, count + 1, dtype=torch.float32) / count
        sigmas = shift * t / (1 + (shift - 1) * t)
        return cls(sigmas, sigmas * 1000, torch.empty(0), sigmas.log())

    def timestep(self, sigma: Tensor, *, quantize: bool = False) -> Tensor:
        return super().timestep(sigma, quantize=True) if quantize else sigma * 1000

    def with_zero_terminal_snr(self) -> FlowLevels:
        """These levels: they end in pure noise as they are."""
        return self

    def with_downcast_alphas(self) -> FlowLevels:
        """These levels: they have no alphas."""
        return self

    def noised(self, clean: Tensor, noise: Tensor, sigma: float | Tensor) -> Tensor:
        return (1 - sigma) * clean + sigma * noise


def _position(sigma: Tensor, log_sigmas: Tensor) -> Tensor:
    log_sigma = sigma.log()
    low = (torch.searchsorted(log_sigmas, log_sigma.contiguous(), right=True) - 1).clamp(0, len(log_sigmas) - 2)
    below, above = log_sigmas[low], log_sigmas[low + 1]
    weight = ((below - log_sigma) / (below - above)).clamp(0, 1)
    return (1 - weight) * low + weight * (low + 1)
