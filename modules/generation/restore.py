"""Infotext entries -> what would draw the picture again: a request, settings, and notes on what is not here.

Nothing is replaced in silence: what cannot be honoured is left as it was and becomes a sentence in `notes`; what nobody
knows is kept in `unknown`. Source: spec/infotext.md §4.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import astuple, dataclass, field
from typing import Any

from modules.generation.always_on import ALWAYS_ON
from modules.generation.control_texts import is_unit, units_in
from modules.generation.describe import MASKED_CONTENT
from modules.generation.detail_texts import units_from
from modules.generation.network_tags import with_local_networks
from modules.generation.resources import Here, Resources, other_content, words_that_differ
from modules.generation.sampler_names import AUTOMATIC, SamplerNames
from modules.settings.store import Settings
from modules.settings.values import accepted
from modules.terms.control import ControlUnit
from modules.terms.declare import Checkbox, Choice, Number, Param, Slider, params_of
from modules.terms.detail import DetailPass
from modules.terms.errors import BadRequest, NotFound
from modules.terms.request import GenerationRequest, Hires, Refiner

SAME = {"Use same sampler", "Use same scheduler", "Use same checkpoint", ""}
# A1111 writes the first and looks for the second on paste, so its own pictures do not restore.
SETTING_ALIASES = {"Beta schedule alpha": "Beta scheduler alpha", "Beta schedule beta": "Beta scheduler beta"}
# Entries that tell something but change nothing by themselves.
INFORMATION = {
    *("Version", "User", "Model", "Model hash", "VAE hash", "Lora hashes", "TI hashes", "Hashes", "Batch size"),
    *("Batch pos", "Init image hash", "Hypernet", "Hypernet strength", "Hypernet hash", "Cache FP16 weight for LoRA"),
    *("FP8 weight", "First pass size-1", "First pass size-2", "Face restoration model", "Styles array", "Mask blur"),
    "Networks used in part",
    *("Mask mode", "Masked content", "Inpaint area", "Masked area padding", "Created Date", "Schedule type"),
}


@dataclass(frozen=True)
class Restored:
    """`request` holds the settings to override as well. `mask`: fields of `Mask` by name, without its picture.
    `unknown`: entries that neither a field nor a setting claims, as written."""

    request: GenerationRequest
    mask: Mapping[str, Any] = field(default_factory=dict)
    unknown: Mapping[str, str] = field(default_factory=dict)
    notes: tuple[str, ...] = ()


def restore(
    entries: Mapping[str, Any],
    *,
    base: GenerationRequest | None = None,
    settings: Settings | None = None,
    names: SamplerNames | None = None,
    resources: Resources | None = None,
) -> Restored:
    """What `entries`, as `parse` returns them, say. Fields that they do not mention stay as in `base`.

    resources: what is here; None takes every name as it is written. Never raises for what a text may hold.
    """
    settings = settings or Settings()
    reader = _Reader(dict(entries), settings, names or SamplerNames(), resources)
    request = reader.request(base or GenerationRequest())
    mask = reader.mask()
    overrides = reader.overrides(request)
    request = request.with_(settings={**request.settings, **overrides})
    return Restored(request, mask, reader.unknown(), tuple(reader.notes))


def overrides(entries: Mapping[str, Any], settings: Settings) -> list[tuple[str, str, Any]]:
    """(infotext name, key, value) of every setting that `entries` name with a value other than it has now.

    In the order of the Settings tab, as A1111 offers them on paste. Values that a setting cannot have are left out.
    """
    found = []
    for name, setting in settings.catalogue.by_infotext().items():
        if entries.get(name) is None:
            continue
        if setting.key == "sd_model_checkpoint" and settings["disable_weights_auto_swap"]:
            continue
        try:
            value = accepted(setting, entries[name])
        except BadRequest:
            continue
        if value != settings[setting.key]:
            found.append((name, setting.key, value))
    return found


class _Reader:
    """Takes entries out of a text one part after another; what is left at the end is unknown."""

    def __init__(
        self, entries: dict[str, Any], settings: Settings, names: SamplerNames, resources: Resources | None
    ) -> None:
        self.settings = settings
        self.names = names
        self.resources = resources
        self.notes: list[str] = []
        self.entries = entries
        self.taken: set[str] = set()
        if resources is not None:
            self.entries, notes = with_local_networks(entries, resources.lora)
            self.notes += [*notes, *words_that_differ(entries, resources)]

    def request(self, base: GenerationRequest) -> GenerationRequest:
        special = ("sampler", "scheduler", "restore_faces")
        changes = self._fields(
            GenerationRequest, [name for name in params_of(GenerationRequest) if name not in special]
        )
        changes.update(self._samplers("Sampler", "Schedule type", automatic=True))
        if "Face restoration" in self._claimed("Face restoration"):
            changes["restore_faces"] = str(self.entries["Face restoration"]) not in ("None", "False", "")
        if "Styles array" in self.entries:
            changes["styles"] = tuple(self.entries["Styles array"])
        changes["hires"] = self._hires()
        changes["refiner"] = self._refiner()
        changes["scripts"] = {**base.scripts, **self._scripts()}
        changes["detail"] = self._detail()
        changes["controls"] = self._controls()
        checkpoint = self._checkpoint()
        if checkpoint:
            changes["checkpoint"] = checkpoint
        return base.with_(**changes)

    def _claimed(self, *keys: str) -> set[str]:
        """Those of `keys` that the text has, from now on taken."""
        found = {key for key in keys if self.entries.get(key) is not None}
        self.taken |= set(keys)
        return found

    def _fields(self, owner: type, names: list[str]) -> dict[str, Any]:
        """Values of the fields of `owner` that the text names."""
        values: dict[str, Any] = {}
        for name in names:
            declared = params_of(owner)[name]
            if not declared.infotext or not self._claimed(declared.infotext):
                continue
            written = self.entries[declared.infotext]
            if isinstance(declared.control, (Slider, Number)):
                number = number_of(written)
                if number is None:
                    self.notes.append(f"{declared.infotext} is {written!r}, which is not a number; it was left alone.")
                    continue
                values[name] = int(number) if is_whole(declared.control) else number
            elif isinstance(declared.control, Checkbox):
                values[name] = str(written) not in ("False", "false", "0", "")
            elif is_text(declared) or known_choice(declared, written):
                values[name] = str(written)
        return values

    def _samplers(self, sampler_key: str, schedule_key: str, *, automatic: bool) -> dict[str, str]:
        """Fields `sampler` and `scheduler`, as far as the text names them and they are known."""
        self._claimed(sampler_key, schedule_key)
        sampler = str(self.entries.get(sampler_key) or "")
        schedule = str(self.entries.get(schedule_key) or "")
        sampler, schedule = ("" if name in SAME else name for name in (sampler, schedule))
        try:
            if sampler:
                said = schedule
                sampler, schedule = self.names.resolve(sampler, schedule, automatic=automatic)
                if not automatic and not said and schedule == AUTOMATIC:
                    schedule = ""  # the hires pass then uses the schedule of the first
            elif schedule:
                schedule = self.names.schedule(schedule)
        except NotFound as missing:
            self.notes.append(f"{missing} The sampler was left as it was.")
            return {}
        return {key: value for key, value in (("sampler", sampler), ("scheduler", schedule)) if value}

    def _hires(self) -> Hires | None:
        keys = {declared.infotext for declared in params_of(Hires).values()}
        # Without this A1111 turns hires on for every img2img picture, whose text names a strength as well.
        signs = [
            self.entries.get(key) for key in ("Hires upscale", "Hires upscaler", "Hires resize-1", "Hires resize-2")
        ]
        if "Denoising strength" not in self.entries or not any(sign not in (None, "", "0", 0) for sign in signs):
            self.taken |= keys
            return None
        own = ("sampler", "scheduler", "checkpoint")
        values = self._fields(Hires, [name for name in params_of(Hires) if name not in own])
        values.update(self._samplers("Hires sampler", "Hires schedule type", automatic=False))
        self._claimed("Hires checkpoint")
        checkpoint = str(self.entries.get("Hires checkpoint") or "")
        if checkpoint not in SAME:
            values["checkpoint"] = self._found_checkpoint(checkpoint, "Hires checkpoint")
        return Hires(**values)

    def _refiner(self) -> Refiner | None:
        if not self._claimed("Refiner") or not self.entries["Refiner"]:
            self._claimed("Refiner switch at")
            return None
        name = self._found_checkpoint(str(self.entries["Refiner"]), "Refiner")
        return Refiner(name, **self._fields(Refiner, ["switch_at"])) if name else None

    def _scripts(self) -> dict[str, tuple[Any, ...]]:
        """Title -> arguments of the built-in scripts that were on."""
        found = {}
        for script in ALWAYS_ON:
            values = self._fields(script.options, list(params_of(script.options)))
            if values:
                found[script.title] = astuple(script.options(**values))
        return found

    def _detail(self) -> DetailPass | None:
        units, keys = units_from(self.entries)
        self.taken |= keys
        return DetailPass(units) if units else None

    def _controls(self) -> tuple[ControlUnit, ...]:
        """The ControlNet units; what they looked at is not in the text."""
        units = tuple(units_in(self.entries).values())
        self.taken |= {key for key in self.entries if is_unit(key)}
        if units:
            self.notes.append("ControlNet steered the picture; its units need their pictures again.")
        return units

    def _found_checkpoint(self, written: str, role: str) -> str:
        """The checkpoint here that is meant by `name [hash]`; "" and a note if there is none."""
        if self.resources is None:
            return written
        match = re.fullmatch(r"(.*?)\s*\[([0-9a-fA-F]{8,})\]", written)
        found = self.resources.checkpoint(*(match.groups() if match else (written, "")))
        if found is None:
            self.notes.append(f"{role}: the checkpoint {written!r} is not here.")
        return self._named("checkpoint", found, match[2] if match else "") or ""

    def _checkpoint(self) -> str | None:
        name, hash = str(self.entries.get("Model") or ""), str(self.entries.get("Model hash") or "")
        if self.settings["disable_weights_auto_swap"] or not (name or hash):
            return None
        if self.resources is None:
            return name or hash
        found = self.resources.checkpoint(name, hash)
        if found is None:
            known = f"{name} [{hash}]" if name and hash else name or hash
            self.notes.append(f"The checkpoint {known} is not here; the present one stays.")
        return self._named("checkpoint", found, hash)

    def _named(self, kind: str, here: Here | None, hash: str) -> str | None:
        """The name of what is here; a note if it is another thing of that name."""
        if here is not None and here.differs:
            self.notes.append(other_content(kind, here, hash))
        return None if here is None else here.name

    def mask(self) -> dict[str, Any]:
        """How a mask is to be used, as far as the text says."""
        values: dict[str, Any] = {}
        blur = number_of(self.entries.get("Mask blur"))
        if blur is not None:
            values["blur_x"] = values["blur_y"] = int(blur)
        if "Mask mode" in self.entries:
            values["invert"] = self.entries["Mask mode"] == "Inpaint not masked"
        if self.entries.get("Masked content") in MASKED_CONTENT:
            values["fill"] = MASKED_CONTENT.index(self.entries["Masked content"])
        if "Inpaint area" in self.entries:
            values["only_masked"] = self.entries["Inpaint area"] == "Only masked"
        padding = number_of(self.entries.get("Masked area padding"))
        if padding is not None:
            values["padding"] = int(padding)
        return values

    def overrides(self, request: GenerationRequest) -> dict[str, Any]:
        """Key -> value of the settings that the text names, but for those that are fields of the request."""
        entries = {SETTING_ALIASES.get(key, key): value for key, value in self.entries.items()}
        by_name = self.settings.catalogue.by_infotext()
        found: dict[str, Any] = {}
        for name, setting in by_name.items():
            value = entries.get(name)
            if value is None or name in self.taken or setting.key == "sd_model_checkpoint":
                continue
            try:
                value = accepted(setting, value)
            except BadRequest as wrong:
                self.notes.append(f"{wrong} The setting was left alone.")
                continue
            if setting.key == "sd_vae" and self.resources is not None:
                hash = str(self.entries.get("VAE hash") or "")
                value = self._named("VAE", self.resources.vae(value, hash), hash)
                if value is None:
                    self.notes.append(f"The VAE {entries[name]!r} is not here; the present one stays.")
                    continue
            if value != self.settings[setting.key]:
                found[setting.key] = value
        self.taken |= {*by_name, *SETTING_ALIASES}
        return found

    def unknown(self) -> dict[str, str]:
        claimed = self.taken | INFORMATION
        return {key: str(value) for key, value in self.entries.items() if key not in claimed}


def is_text(declared: Param) -> bool:
    """Whether a text stands as it is: names of listings do."""
    return not isinstance(declared.control, Choice) or bool(declared.control.listing)


def known_choice(declared: Param, written: object) -> bool:
    """Whether `written` is one of the choices as it stands: numbers have names of their own in texts."""
    return isinstance(declared.control, Choice) and written in declared.control.choices


def is_whole(control: Slider | Number) -> bool:
    """Whether the control gives whole numbers."""
    return control.integer if isinstance(control, Number) else float(control.step).is_integer()


def number_of(written: object) -> int | float | None:
    """The number in `written`, an int if it is written as one; None if it is none or not finite."""
    text = str(written).strip()
    if re.fullmatch(r"[+-]?\d{1,30}", text):
        return int(text)
    try:
        number = float(text)
    except ValueError:
        return None
    return number if number - number == 0 else None
