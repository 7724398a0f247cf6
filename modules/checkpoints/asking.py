"""One call of a denoising network, whatever its kind: what it is asked, and how a UNet is asked it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from torch import Tensor, nn


@dataclass(frozen=True)
class Residuals:
    """What is added inside the UNet in one call; each (B or 1, C, h, w) or (B or 1, C, 1, 1).

    across: to the feature maps that the downward half hands to the upward one, from fine to coarse; middle: to what
    comes out of the middle. Neither goes without the other. within: to what comes out of each level on the way down.
    """

    across: tuple[Tensor, ...] = ()
    middle: Tensor | None = None
    within: tuple[Tensor, ...] = ()

    def arguments(self) -> dict[str, Any]:
        """Under the names that diffusers' UNet has for them."""
        named: dict[str, Any] = {}
        if self.across and self.middle is not None:
            named["down_block_additional_residuals"] = self.across
            named["mid_block_additional_residual"] = self.middle
        if self.within:
            named["down_intrablock_additional_residuals"] = list(self.within)  # the UNet takes them out
        return named


@dataclass(frozen=True)
class Question:
    """What a network is asked in one call; everything is on its device and in its number format.

    x: (B, C, h, w), both sides multiples of `Blueprint.patch`. timestep: (B,), 0 to 1000, may have a fraction.
    cross: (B, T, D), what the text says; families that tell texts from filling mark the filling by rows of zeros.
    vector: (B, V), pooled text, or None. extra: (B, c, h', w'), what else is seen beside x, or None.
    guidance: the scale that guidance-distilled networks are told; others do not look at it.
    """

    x: Tensor
    timestep: Tensor
    cross: Tensor
    vector: Tensor | None = None
    extra: Tensor | None = None
    residuals: Residuals | None = None
    guidance: float = 1.0

    @property
    def guidances(self) -> Tensor:
        """`guidance` once per row: (B,), in the type of x."""
        return self.x.new_full((len(self.x),), self.guidance)


Ask = Callable[["nn.Module", Question], "Tensor"]
"""`ask(network, question)`: what the network puts out, (B, C, h, w)."""


def ask_unet(unet: nn.Module, question: Question) -> Tensor:
    """What diffusers' UNet2DConditionModel says; the extra channels are put after x."""
    import torch

    x = question.x if question.extra is None else torch.cat([question.x, question.extra], dim=1)
    output: Tensor = unet(
        x,
        question.timestep,
        encoder_hidden_states=question.cross,
        class_labels=question.vector,
        return_dict=False,
        **(question.residuals.arguments() if question.residuals else {}),
    )[0]
    return output
