"""What a network predicts, and the noise it was trained on.

Throughout this room a latent at noise level `sigma` is `x = clean + sigma * noise` ("variance exploding": the signal
keeps its size); networks that were trained on `sqrt(a) * clean + sqrt(1 - a) * noise` get their input rescaled here.
Training target and inference of one parametrisation stand side by side, so that they cannot drift apart.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from torch import Tensor

from modules.diffusion.levels import NoiseLevels
from modules.terms.errors import BadRequest


class Denoiser(Protocol):
    """`D(x, sigma)`: the best guess of the clean latent inside a noisy one."""

    def __call__(self, x: Tensor, sigma: Tensor, *, timestep: Tensor | None = None) -> Tensor:
        """The denoised latents.

        Args:
            x: (B, C, H, W), clean + sigma * noise.
            sigma: (B,), > 0.
            timestep: (B,), what the network is told instead of what the noise levels say for `sigma`.
        """
        ...


class Network(Protocol):
    """One call of the network, in the units it was trained in."""

    def __call__(
        self, x: Tensor, timestep: Tensor, cross: Tensor, vector: Tensor | None = None, extra: Tensor | None = None
    ) -> Tensor:
        """The raw prediction, (N, C, H, W).

        Args:
            x: (N, C, H, W), already rescaled.
            timestep: (N,), may have a fraction.
            cross: (N, T, D), the text that cross-attention sees.
            vector: (N, V), pooled text and sizes, for families that have it.
            extra: (N, c, H, W), channels put beside x (inpainting mask, masked picture, depth …).
        """
        ...


class Prediction(Protocol):
    """What the network's output means."""

    def input(self, x: Tensor, sigma: Tensor) -> Tensor:
        """`x` as the network wants it. `sigma` broadcasts against x."""
        ...

    def denoised(self, output: Tensor, x: Tensor, sigma: Tensor) -> Tensor:
        """The clean latent that the network's `output` for `x` stands for."""
        ...

    def target(self, clean: Tensor, noise: Tensor, sigma: Tensor) -> Tensor:
        """What the network should have put out; the loss is the distance to it."""
        ...


def rescaled(x: Tensor, sigma: Tensor) -> Tensor:
    """`x` brought to unit variance, as networks trained on variance-preserving noise expect."""
    return x / (sigma**2 + 1).sqrt()


class EpsPrediction:
    """The network names the noise. Source: Ho et al. (2020), arXiv:2006.11239."""

    def input(self, x: Tensor, sigma: Tensor) -> Tensor:
        return rescaled(x, sigma)

    def denoised(self, output: Tensor, x: Tensor, sigma: Tensor) -> Tensor:
        return x - sigma * output

    def target(self, clean: Tensor, noise: Tensor, sigma: Tensor) -> Tensor:
        return noise


class VPrediction:
    """The network names the velocity sqrt(a) * noise - sqrt(1 - a) * clean. Source: arXiv:2202.00512."""

    def input(self, x: Tensor, sigma: Tensor) -> Tensor:
        return rescaled(x, sigma)

    def denoised(self, output: Tensor, x: Tensor, sigma: Tensor) -> Tensor:
        return x / (sigma**2 + 1) - output * sigma / (sigma**2 + 1).sqrt()

    def target(self, clean: Tensor, noise: Tensor, sigma: Tensor) -> Tensor:
        return (noise - sigma * clean) / (sigma**2 + 1).sqrt()


class X0Prediction:
    """The network names the clean latent itself."""

    def input(self, x: Tensor, sigma: Tensor) -> Tensor:
        return rescaled(x, sigma)

    def denoised(self, output: Tensor, x: Tensor, sigma: Tensor) -> Tensor:
        return output

    def target(self, clean: Tensor, noise: Tensor, sigma: Tensor) -> Tensor:
        return clean


class FlowPrediction:
    """Rectified flow: x = (1 - sigma) * clean + sigma * noise, and the network names noise - clean.

    Source: Esser et al. (2024), arXiv:2403.03206.
    """

    def input(self, x: Tensor, sigma: Tensor) -> Tensor:
        return x

    def denoised(self, output: Tensor, x: Tensor, sigma: Tensor) -> Tensor:
        return x - sigma * output

    def target(self, clean: Tensor, noise: Tensor, sigma: Tensor) -> Tensor:
        return noise - clean


PREDICTIONS: dict[str, Prediction] = {
    "epsilon": EpsPrediction(),
    "v": VPrediction(),
    "x0": X0Prediction(),
    "flow": FlowPrediction(),
}


def prediction_called(name: str) -> Prediction:
    """The prediction named epsilon, v, x0 or flow. Raises: BadRequest for another name."""
    try:
        return PREDICTIONS[name]
    except KeyError:
        raise BadRequest(f"There is no prediction called {name!r}. Known: {', '.join(PREDICTIONS)}.") from None


@dataclass(frozen=True)
class Predictor:
    """A network that has learnt what its output means: turns noisy latents and a conditioning into clean ones.

    `quantize` tells the network the nearest timestep it was trained on instead of a fraction between two.
    """

    network: Network
    prediction: Prediction
    levels: NoiseLevels
    quantize: bool = False

    def __call__(
        self,
        x: Tensor,
        sigma: Tensor,
        cross: Tensor,
        vector: Tensor | None = None,
        extra: Tensor | None = None,
        *,
        timestep: Tensor | None = None,
    ) -> Tensor:
        """Denoised latents (N, C, H, W); arguments as in `Denoiser` and `Network`."""
        if timestep is None:
            timestep = self.levels.timestep(sigma, quantize=self.quantize)
        level = sigma.view(-1, 1, 1, 1)
        output = self.network(self.prediction.input(x, level), timestep, cross, vector, extra)
        return self.prediction.denoised(output, x, level)
