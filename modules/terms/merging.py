"""What the Checkpoint Merger is asked for: a new checkpoint out of others, or a LoRA out of two.

Source: spec/features.md §7.
"""

from __future__ import annotations

import dataclasses
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from modules.terms.declare import Checkbox, Choice, Slider, Text, param, params_of
from modules.terms.errors import BadRequest

NO_INTERPOLATION, WEIGHTED_SUM, ADD_DIFFERENCE = "No interpolation", "Weighted sum", "Add difference"
METHODS = (NO_INTERPOLATION, WEIGHTED_SUM, ADD_DIFFERENCE)
AS_STORED = "As in A"
NUMBER_FORMATS = (AS_STORED, "float16", "bfloat16", "float32")
SAFETENSORS, CKPT = "safetensors", "ckpt"
CONFIG_SOURCES = ("A, B or C", "B", "C", "Don't")
NO_VAE = "None"
NOT_BAKED = ("", NO_VAE, "Automatic")  # what lists of VAEs offer beside files
NETWORK_FORMATS = ("float16", "bfloat16", "float32")


@dataclass(frozen=True)
class MergeRequest:
    """`blocks` are weights per block (or a preset's name) that replace `multiplier` where they say something;
    `loras` are tags as in a prompt; `metadata` is a JSON object."""

    primary: str = param("", "Primary model (A)", Choice(listing="checkpoints"))
    secondary: str = param("", "Secondary model (B)", Choice(listing="checkpoints"))
    tertiary: str = param("", "Tertiary model (C)", Choice(listing="checkpoints"))
    custom_name: str = param("", "Custom name (optional)", Text())
    multiplier: float = param(0.3, "Multiplier (M) - set to 0 to get model A", Slider(0, 1, 0.05))
    method: str = param(WEIGHTED_SUM, "Interpolation method", Choice(METHODS, radio=True))
    blocks: str = param(
        "",
        "Weights per block (optional)",
        Text(placeholder="GRAD_V, or 25 values from IN00 to OUT11, or 26 with the text encoder's first"),
        help="Replaces the multiplier inside of the blocks of the denoising network.",
    )
    loras: str = param("", "LoRA to bake in (optional)", Text(placeholder="<lora:name:0.8>"))
    file_format: str = param(SAFETENSORS, "Checkpoint format", Choice((CKPT, SAFETENSORS), radio=True))
    number_format: str = param(AS_STORED, "Save as", Choice(NUMBER_FORMATS, radio=True))
    config_source: str = param(CONFIG_SOURCES[0], "Copy config from", Choice(CONFIG_SOURCES, radio=True))
    vae: str = param(NO_VAE, "Bake in VAE", Choice(listing="vae"))
    discard: str = param("", "Discard weights with matching name", Text(placeholder="^model_ema"))
    save_metadata: bool = param(True, "Save metadata", Checkbox())
    add_recipe: bool = param(True, "Add merge recipe metadata", Checkbox())
    copy_metadata: bool = param(True, "Copy metadata from merged models", Checkbox())
    metadata: str = param("{}", "Metadata in JSON format", Text(lines=3))

    def check(self) -> None:
        """Raises: BadRequest naming what is wrong."""
        _check_params(self)
        for role, name in zip("ABC", (self.primary, self.secondary, self.tertiary), strict=True):
            needed = {"A": True, "B": self.method != NO_INTERPOLATION, "C": self.method == ADD_DIFFERENCE}[role]
            if needed and not name:
                raise BadRequest(f"{self.method} needs a model {role}. Choose one.")
        try:
            re.compile(self.discard)
        except re.error as error:
            raise BadRequest(f"{self.discard!r} is no regular expression ({error}).") from None
        self.own_metadata()

    def own_metadata(self) -> dict[str, str]:
        """What `metadata` says; values that are not text as JSON. Raises: BadRequest unless it is a JSON object."""
        try:
            found = json.loads(self.metadata or "{}")
        except ValueError as error:
            raise BadRequest(f"The metadata is not JSON: {error}.") from None
        if not isinstance(found, dict):
            raise BadRequest('The metadata must be a JSON object, such as {"author": "me"}.')
        return {key: value if isinstance(value, str) else json.dumps(value) for key, value in found.items()}


@dataclass(frozen=True)
class ExtractRequest:
    """A LoRA that makes `base` draw like `tuned`, as far as its rank allows. `conv_rank` 0: as `rank`."""

    tuned: str = param("", "Tuned model", Choice(listing="checkpoints"))
    base: str = param("", "Base model", Choice(listing="checkpoints"))
    rank: int = param(32, "Rank", Slider(1, 320, 1))
    conv_rank: int = param(0, "Rank of convolutions (0: the same)", Slider(0, 320, 1))
    text_encoder: bool = param(True, "With text encoder", Checkbox())
    custom_name: str = param("", "Custom name (optional)", Text())
    number_format: str = param("float16", "Save as", Choice(NETWORK_FORMATS, radio=True))

    def check(self) -> None:
        """Raises: BadRequest naming what is wrong."""
        _check_params(self)
        if not self.tuned or not self.base:
            raise BadRequest("A LoRA is extracted from two models: choose the tuned one and its base.")


TYPES: tuple[type, ...] = (MergeRequest, ExtractRequest)


def _check_params(request: MergeRequest | ExtractRequest) -> None:
    values: Mapping[str, Any] = {one.name: getattr(request, one.name) for one in dataclasses.fields(request)}
    for name, one in params_of(type(request)).items():
        wrong = one.control.check(values[name])
        if wrong:
            raise BadRequest(f"{one.label} ({one.key}) is {values[name]!r}, but {wrong}.")
