"""What comes back: the pictures, each with what made it, and the resolved request."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

from modules.terms.request import GenerationRequest

if TYPE_CHECKING:
    from PIL.Image import Image

ImageKind = Literal["sample", "grid", "mask", "mask-composite", "before", "control", "script"]


@dataclass(frozen=True)
class GeneratedImage:
    """One picture. `infotext` is the text that goes inside the file; `suffix` is appended to its file name.

    `complete` is False if its drawing was interrupted or skipped. `saved_as`: the file it is in already. `unsaved`:
    it is only to be shown.
    """

    image: Image
    prompt: str
    negative_prompt: str
    seed: int
    subseed: int
    infotext: str
    kind: ImageKind = "sample"
    suffix: str = ""
    complete: bool = True
    saved_as: str = ""
    unsaved: bool = False


@dataclass(frozen=True)
class GenerationResult:
    """All pictures of one request, in order: samples batch by batch.

    `request` is resolved (seeds chosen, names completed): running it again gives the same pictures.
    `notes` are sentences for the user: a LoRA that was not found, a decode that had to be retried.
    `extra` are the infotext entries beyond the fixed ones; `model` describes the checkpoint (name, hash, vae …).
    """

    request: GenerationRequest
    images: tuple[GeneratedImage, ...]
    seeds: tuple[int, ...]
    subseeds: tuple[int, ...]
    notes: tuple[str, ...] = ()
    interrupted: bool = False
    extra: Mapping[str, Any] = field(default_factory=dict)
    model: Mapping[str, Any] = field(default_factory=dict)
