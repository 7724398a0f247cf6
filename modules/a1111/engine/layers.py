"""Layers of diffusers' UNet that also answer as those of the original code do.

A layer keeps its weights and its place; only its class becomes one below. Extensions look for these names, call the
layers with (x, context), and put functions of that signature in place of `forward`; diffusers calls with its own names.
Source of the signatures: github.com/CompVis/latent-diffusion, ldm/modules (MIT).
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any

from diffusers.models.attention import BasicTransformerBlock as Block
from diffusers.models.attention_processor import Attention
from diffusers.models.downsampling import Downsample2D
from diffusers.models.resnet import ResnetBlock2D
from diffusers.models.transformers.transformer_2d import Transformer2DModel
from diffusers.models.upsampling import Upsample2D
from torch import nn

if TYPE_CHECKING:
    from torch import Tensor


class TimestepBlock(nn.Module):
    """A layer that is told the time: `forward(x, emb)`."""


class ResBlock(ResnetBlock2D, TimestepBlock):
    """`forward(x, emb)`, as diffusers' has it."""


class Downsample(Downsample2D):
    """`forward(x)`."""


class Upsample(Upsample2D):
    """`forward(x)`."""


class CrossAttention(Attention):
    """`forward(x, context=None, mask=None)`: (B, N, C) of x (B, N, C) and context (B, T, D); None: x itself."""

    @property
    def dim_head(self) -> int:
        return int(self.inner_dim // self.heads)

    def __call__(
        self,
        x: Tensor,
        context: Tensor | None = None,
        mask: Tensor | None = None,
        *,
        encoder_hidden_states: Tensor | None = None,
        attention_mask: Tensor | None = None,
        **others: Any,
    ) -> Any:
        context = encoder_hidden_states if context is None else context
        mask = attention_mask if mask is None else mask
        asked = {} if mask is None else {"mask": mask}
        return super().__call__(x, context=context, **asked, **others)

    def forward(  # type: ignore[override]
        self, x: Tensor, context: Tensor | None = None, mask: Tensor | None = None, **others: Any
    ) -> Tensor:
        result: Tensor = Attention.forward(self, x, encoder_hidden_states=context, attention_mask=mask, **others)
        return result


class MemoryEfficientCrossAttention(CrossAttention):
    """The same with another kernel in the original; no layer is one here."""


class BasicTransformerBlock(Block):
    """`forward(x, context=None)`, which calls `_forward`; extensions override either."""

    disable_self_attn = False
    checkpoint = False

    def __call__(
        self,
        x: Tensor,
        context: Tensor | None = None,
        *,
        encoder_hidden_states: Tensor | None = None,
        **others: Any,
    ) -> Any:
        return super().__call__(x, context=encoder_hidden_states if context is None else context)

    def forward(self, x: Tensor, context: Tensor | None = None) -> Tensor:  # type: ignore[override]
        return self._forward(x, context=context)

    def _forward(self, x: Tensor, context: Tensor | None = None) -> Tensor:
        result: Tensor = Block.forward(self, x, encoder_hidden_states=context)
        return result


class SpatialTransformer(Transformer2DModel):
    """`forward(x, context=None)`: (B, C, h, w)."""

    def __call__(self, x: Tensor, *args: Any, **options: Any) -> Any:
        if "return_dict" not in options:
            return super().__call__(x, *args, **options)
        return (super().__call__(x, context=options.get("encoder_hidden_states")),)

    def forward(self, x: Tensor, context: Tensor | None = None) -> Tensor:  # type: ignore[override]
        result: Tensor = Transformer2DModel.forward(self, x, encoder_hidden_states=context, return_dict=False)[0]
        return result


SHAPES: tuple[type[nn.Module], ...] = (
    CrossAttention,
    BasicTransformerBlock,
    SpatialTransformer,
    ResBlock,
    Downsample,
    Upsample,
)


def shape(layer: nn.Module) -> None:
    """Gives a layer of diffusers the class above that it is a kind of, if there is one."""
    for wanted in SHAPES:
        known = wanted.__mro__[1]
        if isinstance(layer, known) and not isinstance(layer, wanted):
            layer.__class__ = wanted if type(layer) is known else _both(wanted, type(layer))  # type: ignore[assignment, arg-type]
            break
    if isinstance(layer, CrossAttention) and isinstance(layer.to_out, nn.ModuleList):
        # In the original a sequence that can be called.
        layer.to_out.__class__ = nn.Sequential  # type: ignore[assignment]


@cache
def _both(wanted: type[nn.Module], own: type[nn.Module]) -> type[nn.Module]:
    """`own`, which derives from diffusers' class, and still `wanted` for those who ask."""
    return type(wanted.__name__, (own, wanted), {"__module__": wanted.__module__})
