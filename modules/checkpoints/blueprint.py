"""The plan by which a file's networks are built: decided from its header, read by loading."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Protocol

from modules.checkpoints.asking import Ask, ask_unet
from modules.checkpoints.components import Component
from modules.checkpoints.files import Header
from modules.checkpoints.latent import LatentFormat
from modules.checkpoints.sidecar import PredictionName
from modules.conditioning.joining import Join, side_by_side

if TYPE_CHECKING:
    from collections.abc import Hashable

    from diffusers.models.autoencoders.autoencoder_kl import AutoencoderKL
    from torch import Tensor, nn

    from modules.checkpoints.family import Family
    from modules.conditioning.clip import ClipEncoder
    from modules.conditioning.encode import TextEncoder

Variant = Literal["", "inpaint", "edit", "depth", "refiner", "reference"]


@dataclass(frozen=True)
class Schedule:
    """The noise a family was trained on: sqrt(beta) rises evenly from `start` to `end`. A file's own table wins."""

    start: float = 0.00085
    end: float = 0.012
    count: int = 1000


@dataclass(frozen=True)
class FlowSchedule:
    """The noise of a rectified-flow model: sigma = shift * t / (1 + (shift - 1) * t) for even t.

    by_tokens: ((tokens, log shift), (tokens, log shift)): the shift depends on the size of the picture, on the straight
    line through these points; None: it is `shift` for all sizes. tokens_side: pixels per token and side.
    """

    shift: float = 3.0
    by_tokens: tuple[tuple[int, float], tuple[int, float]] | None = None
    token_side: int = 16
    count: int = 1000

    def shift_for(self, width: int, height: int) -> float:
        """The shift for pictures of that size in pixels."""
        if self.by_tokens is None:
            return self.shift
        (few, low), (many, high) = self.by_tokens
        tokens = math.ceil(width / self.token_side) * math.ceil(height / self.token_side)
        return math.exp(low + (tokens - few) * (high - low) / (many - few))


@dataclass(frozen=True)
class Defaults:
    """What a page may set its controls to when a model of this kind is chosen. distilled_cfg_scale None: not used."""

    width: int = 512
    height: int = 512
    steps: int = 20
    cfg_scale: float = 7.0
    sampler: str = "DPM++ 2M"
    scheduler: str = "Automatic"
    distilled_cfg_scale: float | None = None


class TextPlan(Protocol):
    """A text encoder to be: what of a file it is built of, and what listens to it."""

    @property
    def name(self) -> str: ...
    @property
    def component(self) -> Component[nn.Module]: ...
    @property
    def large(self) -> bool:
        """Whether it is billions of numbers, so that half precision is used where the device has it."""

    def encoder(self, model: nn.Module, identity: Hashable, near: Path) -> TextEncoder:
        """What reads prompts with `model`. near: the file it came from. Raises: NotFound without a vocabulary."""


@dataclass(frozen=True)
class TextPart:
    """A CLIP text encoder and how the family listens to it; the fields are those of `conditioning.clip.ClipEncoder`.

    open_clip: which tokenizer it was trained with.
    """

    component: Component[nn.Module]
    name: str
    layer: int = 1
    skippable: bool | Literal["if asked"] = True
    final_norm: bool = True
    pooled: Literal["no", "hidden", "projected"] = "no"
    open_clip: bool = False
    large: bool = False

    def encoder(self, model: nn.Module, identity: Hashable, near: Path) -> ClipEncoder:
        from modules.conditioning.clip import ClipEncoder
        from modules.conditioning.tokenizer import clip_tokenizer

        return ClipEncoder(
            model,  # type: ignore[arg-type]
            clip_tokenizer(open_clip=True) if self.open_clip else clip_tokenizer(),
            name=self.name,
            layer=self.layer,
            skippable=self.skippable,
            final_norm=self.final_norm,
            pooled=self.pooled,
            identity=identity,
        )


@dataclass(frozen=True)
class Wanted:
    """A text encoder that files of the family may lack, to be found beside or chosen.

    words: "the text encoder T5-XXL". recognise, draw: of the file that may hold it. hints: parts of the names of files
    to be preferred. needed False: it can do without, `without` is the sentence that says what is lost.
    """

    name: str
    words: str
    recognise: Callable[[Header], bool]
    draw: Callable[[Header], TextPlan]
    hints: tuple[str, ...] = ()
    needed: bool = True
    without: str = ""


@dataclass(frozen=True)
class Blueprint:
    """Everything about one file that loading needs, decided from header and sidecar alone.

    unet: the denoising network, of whatever kind; `ask` asks it. text: the text encoders in the order in which `join`
    takes their answers. wanted: those that may lie in files of their own; the file may have them, or not. vae: None if
    the file has none; vae_hints: parts of the names of VAE files that fit then.
    prediction: None if only the loaded network can tell. variant: what is seen beside the latents.
    zero_empty_negative: an empty negative prompt is zeros, not the encoding of nothing.
    patch: both sides of the latents must be multiples of it; packed: the network takes patch * patch latent pixels as
    channels of one. beside: (masked latents, mask) -> the extra channels of an inpainting variant, None: as SD 1 has
    them. guided: guidance-distilled, it is told a scale. one_prompt: without the negative prompt at CFG scale 1.
    wide_range: overflows in half precision; bfloat16 is used where the device has it.
    """

    family: Family
    unet: Component[Any]
    text: tuple[TextPlan, ...]
    vae: Component[AutoencoderKL] | None
    latent: LatentFormat
    prediction: PredictionName | None
    schedule: Schedule | FlowSchedule = Schedule()
    zero_terminal: bool = False
    variant: Variant = ""
    zero_empty_negative: bool = False
    wanted: tuple[Wanted, ...] = ()
    vae_hints: tuple[str, ...] = ()
    ask: Ask = ask_unet
    join: Join = side_by_side
    patch: int = 1
    packed: bool = False
    beside: Callable[[Tensor, Tensor], Tensor] | None = None
    guided: bool = False
    one_prompt: bool = False
    wide_range: bool = False
    defaults: Defaults = Defaults()
    notes: tuple[str, ...] = ()

    @property
    def vector(self) -> int:
        """Width of the second conditioning that is completed with a picture's sizes (SDXL), 0 without."""
        return self.unet.config.get("projection_class_embeddings_input_dim") or 0

    @property
    def context_width(self) -> int:
        """Numbers per token that attention takes."""
        config = self.unet.config
        return int(config.get("cross_attention_dim") or config["joint_attention_dim"])

    @property
    def extra_channels(self) -> int:
        """Channels that the network takes beside the latents."""
        channels = int(self.unet.config["in_channels"]) // (self.patch**2 if self.packed else 1)
        return channels - self.latent.channels

    @property
    def components(self) -> tuple[Component[Any], ...]:
        return (self.unet, *(part.component for part in self.text), *((self.vae,) if self.vae else ()))
