"""What the network tags of a prompt ask for.

    <lora:name>  <lora:name:0.8>  <lora:name:te:unet:dyn>  <lora:name:te=0.5:unet=1:dyn=8:lbw=INALL:start=0.2:stop=0.8>
    <hypernet:name:0.5>

Source: spec/prompt_language.md §3.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from modules.generation.plan import Batch, Plan, PlannedImage
from modules.networks.library import NetworkLibrary
from modules.prompt.networks import NetworkTag
from modules.terms.errors import BadRequest

LORA_KINDS = frozenset({"lora", "lyco"})
HYPERNETWORK = "hypernet"
NAMED = frozenset({"te", "unet", "dyn", "lbw", "start", "stop"})


@dataclass(frozen=True)
class AskedLora:
    """One LoRA, however often it is named. te, unet: multipliers. rank: use the first ranks only. blocks: weights per
    block as written. start, stop: between which shares of a pass (up to 1.0, with a dot) or which steps it acts on the
    denoising network; what it does to the text encoder holds for the whole prompt."""

    name: str
    te: float
    unet: float
    rank: int | None = None
    blocks: str = ""
    start: str = ""
    stop: str = ""
    copies: int = 1

    @property
    def scheduled(self) -> bool:
        return bool(self.start or self.stop)

    def acts_at(self, step: int, steps: int) -> bool:
        """Whether it acts on the step of that number, counted from 0, in a pass of `steps`."""
        return (not self.start or _step(self.start, steps) <= step) and (
            not self.stop or step < _step(self.stop, steps)
        )


@dataclass(frozen=True)
class AskedHypernetwork:
    name: str
    multiplier: float


@dataclass(frozen=True)
class Asked:
    """What a set of tags asks for. `notes`: sentences about tags that mean nothing."""

    loras: tuple[AskedLora, ...] = ()
    hypernetworks: tuple[AskedHypernetwork, ...] = ()
    notes: tuple[str, ...] = ()


def read_tags(tags: Sequence[NetworkTag]) -> Asked:
    """What `tags` ask for. A LoRA named twice is added twice, both times as the last tag says: that is what A1111 does
    (spec/parity_facts.md 18)."""
    loras: dict[str, AskedLora] = {}
    hypernetworks: list[AskedHypernetwork] = []
    notes: list[str] = []
    for tag in tags:
        try:
            if tag.kind in LORA_KINDS:
                lora = _lora(tag)
                before = loras.get(lora.name)
                loras[lora.name] = lora if before is None else replace(lora, copies=before.copies + 1)
            elif tag.kind == HYPERNETWORK:
                multiplier = _number(tag, tag.positional[1]) if len(tag.positional) > 1 else 1.0
                hypernetworks.append(AskedHypernetwork(_name(tag), multiplier))
            else:
                raise BadRequest(f"there is no kind of network called {tag.kind!r}; known are lora, lyco and hypernet")
        except BadRequest as error:
            notes.append(f"{tag} was left out: {error}.")
    return Asked(tuple(loras.values()), tuple(hypernetworks), tuple(notes))


def _lora(tag: NetworkTag) -> AskedLora:
    """Raises: BadRequest, an end of a sentence."""
    name, positional, named = _name(tag), tag.positional, tag.named
    strange = [key for key in named if key not in NAMED]
    if strange:
        raise BadRequest(f"it has an option {strange[0]!r}; known are {', '.join(sorted(NAMED))}")

    def option(key: str, place: int) -> str | None:
        return named.get(key, positional[place] if len(positional) > place else None)

    # A bare second value is for both; named ones change only what they name (spec: named overrides positional).
    both = _number(tag, positional[1]) if len(positional) > 1 else 1.0
    te = _number(tag, named["te"]) if "te" in named else both
    unet_text = option("unet", 2)
    unet = te if unet_text is None else _number(tag, unet_text)
    rank_text = option("dyn", 3)
    rank = None if rank_text is None else int(_number(tag, rank_text)) or None
    for key in ("start", "stop"):
        if key in named:
            _number(tag, named[key])
    return AskedLora(name, te, unet, rank, named.get("lbw", ""), named.get("start", ""), named.get("stop", ""))


def _name(tag: NetworkTag) -> str:
    if not tag.positional or not tag.positional[0]:
        raise BadRequest("it names no network")
    return tag.positional[0]


def _number(tag: NetworkTag, text: str) -> float:
    try:
        number = float(text)
    except ValueError:
        raise BadRequest(f"{text!r} is no number") from None
    if number != number or number in (float("inf"), float("-inf")):
        raise BadRequest(f"{text!r} is no number that can be used")
    return number


def _step(text: str, steps: int) -> float:
    """`0.5` is a share of the steps, `5` a step: as in prompt editing, the dot decides."""
    value = float(text)
    return value * steps if "." in text and value <= 1 else value


def with_networks_of_settings(
    plan: Plan, settings: Mapping[str, Any], loras: NetworkLibrary, hypernetworks: NetworkLibrary
) -> Plan:
    """`plan` with the networks that the settings add to every prompt, as if they were written at its end."""
    added = [
        NetworkTag(kind, (name, str(settings["extra_networks_default_multiplier"])))
        for kind, name, library in (
            ("lora", settings["sd_lora"], loras),
            (HYPERNETWORK, settings["sd_hypernetwork"], hypernetworks),
        )
        if name not in ("", "None") and name in library.names
    ]
    if not added or plan.request.disable_extra_networks:
        return plan
    return replace(plan, batches=tuple(_with_tags(batch, added) for batch in plan.batches))


def _with_tags(batch: Batch, added: Sequence[NetworkTag]) -> Batch:
    first = [tag for tag in added if not _names(batch.networks, tag)]
    hires = [tag for tag in added if not _names(batch.hires_networks, tag)]
    return replace(
        batch,
        images=tuple(_with_text(image, first, hires) for image in batch.images),
        networks=(*batch.networks, *first),
        hires_networks=(*batch.hires_networks, *hires),
    )


def _names(tags: Sequence[NetworkTag], wanted: NetworkTag) -> bool:
    return any(tag.kind == wanted.kind and tag.positional[:1] == wanted.positional[:1] for tag in tags)


def _with_text(image: PlannedImage, first: Sequence[NetworkTag], hires: Sequence[NetworkTag]) -> PlannedImage:
    return replace(
        image,
        prompt=image.prompt + "".join(map(str, first)),
        hires_prompt=image.hires_prompt + "".join(map(str, hires)),
    )
