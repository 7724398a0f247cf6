"""The arrow button: text of a picture -> values of the fields. And what does not fit a field -> overrides.

No components here: values are by name, as `Fields` names them.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from modules.generation.infotext import parse
from modules.generation.network_tags import with_local_networks
from modules.generation.resources import what_differs
from modules.gui import control_values, i18n
from modules.gui.control_values import CONTROLS
from modules.gui.needs import Studio
from modules.gui.part_values import detail_values, script_values
from modules.gui.run import language_now
from modules.settings.store import Settings
from modules.settings.values import accepted
from modules.terms.declare import Checkbox, Number, Param, Slider, params_of
from modules.terms.errors import BadRequest
from modules.terms.request import GenerationRequest, Hires, Refiner, Source

OVERRIDES = "override_settings"
# Fields of inpainting, which speak as infotext does.
_MASK_FIELDS = {
    "mask.mode": "Mask mode",
    "mask.fill": "Masked content",
    "mask.area": "Inpaint area",
    "mask.blur": "Mask blur",
    "mask.padding": "Masked area padding",
}
_HIRES_SIGNS = ("Hires upscale", "Hires upscaler", "Hires resize-1")


def pasted(studio: Studio, values: Mapping[str, Any]) -> tuple[dict[str, Any], list[str]]:
    """The new values of all fields after the text in the prompt was read as generation data, and a sentence for each
    thing that is missing here or not the same.

    An empty prompt means the last picture's. Fields of which the text says nothing keep what they have.
    Raises: BadRequest if there is nothing to read.
    """
    text = str(values.get("prompt") or "").strip() or last_infotext(studio)
    if not text:
        raise BadRequest(i18n.say("notice.nothing_to_paste", language_now(studio)))
    parsed, notes = read(studio, text)
    return _said(studio, parsed, values), notes


def filled(studio: Studio, text: str, values: Mapping[str, Any]) -> dict[str, Any]:
    """`values` with what `text`, a picture's, says in their place."""
    return _said(studio, read(studio, text)[0], values)


def _said(studio: Studio, parsed: Mapping[str, Any], values: Mapping[str, Any]) -> dict[str, Any]:
    new = to_values(parsed, studio.listing("samplers"), studio.listing("schedulers"))
    new[OVERRIDES] = list(overrides(parsed, studio.settings))
    new[CONTROLS] = control_values.pasted(parsed, values.get(CONTROLS))
    return {name: new.get(name, old) for name, old in values.items()}


def read(studio: Studio, text: str) -> tuple[dict[str, Any], list[str]]:
    """What `text` says, LoRAs by the names that they have here, and a sentence for each thing that is missing here or
    not the same: why a picture would not come out alike."""
    parsed = parse(text, settings=studio.settings, styles=studio.styles)
    entries, notes = with_local_networks(parsed, studio.resources.lora)
    return entries, [*what_differs(parsed, studio.resources), *notes]


def last_infotext(studio: Studio) -> str:
    """The text of the picture made last, "" if there is none or it is not to be shown."""
    path = Path(studio.flags.data_dir) / "params.txt"
    if studio.flags.hide_ui_dir_config or not path.is_file():
        return ""
    return path.read_text(encoding="utf-8").strip()


def to_values(parsed: Mapping[str, Any], samplers: Iterable[str], schedulers: Iterable[str]) -> dict[str, Any]:
    """Values by field name of what `parsed` (infotext key -> value) says; parts it does not mention are off."""
    values: dict[str, Any] = {}
    for owner, prefix in ((GenerationRequest, ""), (Hires, "hires."), (Refiner, "refiner.")):
        for name, param in params_of(owner).items():
            if param.infotext and param.infotext in parsed:
                values[prefix + name] = cast(param, parsed[param.infotext])
    image_cfg = params_of(Source)["image_cfg_scale"]
    if image_cfg.infotext in parsed:
        values["source.image_cfg_scale"] = cast(image_cfg, parsed[image_cfg.infotext])
    if "sampler" in values:
        name, schedule = split_sampler(values["sampler"], samplers, schedulers)
        values["sampler"] = name
        if schedule:
            values["scheduler"] = schedule
    values["hires"] = "Denoising strength" in parsed and any(_means(parsed, sign) for sign in _HIRES_SIGNS)
    values["refiner"] = _means(parsed, "Refiner")
    values["extra"] = _means(parsed, "Variation seed") or _means(parsed, "Seed resize from-1")
    for name, key in _MASK_FIELDS.items():
        if key in parsed:
            text = parsed[key]
            values[name] = _whole(text) if name in ("mask.blur", "mask.padding") else str(text)
    values.update(detail_values(parsed))
    values.update(script_values(parsed))
    if "Styles array" in parsed:
        values["styles"] = list(parsed["Styles array"])
    return values


def _whole(value: Any) -> int:
    try:
        return int(float(value))
    except (TypeError, ValueError):
        return 0


def _means(parsed: Mapping[str, Any], key: str) -> bool:
    return parsed.get(key) not in (None, "", 0, "0")


def cast(param: Param, value: Any) -> Any:
    """`value`, which may be text, as the field's component wants it; the default where it cannot be read."""
    control = param.control
    try:
        if isinstance(control, (Slider, Number)):
            number = float(value)
            return int(number) if number == int(number) else number
        if isinstance(control, Checkbox):
            return value if isinstance(value, bool) else str(value) not in ("", "False", "false", "0")
    except (TypeError, ValueError):
        return param.default
    # "Use same sampler" is how the text says that nothing of its own was chosen.
    return "" if str(value).startswith("Use same ") else str(value)


def split_sampler(name: str, samplers: Iterable[str], schedulers: Iterable[str]) -> tuple[str, str]:
    """("DPM++ 2M", "Karras") of "DPM++ 2M Karras", a name of before 1.9; ("Euler a", "") where there is none inside."""
    known = set(samplers)
    if name not in known:
        for schedule in schedulers:
            if name.endswith(f" {schedule}") and name.removesuffix(f" {schedule}") in known:
                return name.removesuffix(f" {schedule}"), schedule
    return name, ""


def overrides(parsed: Mapping[str, Any], settings: Settings) -> Iterator[str]:
    """`Key: value` for each thing in the text that is a setting, not a field, and differs from how it is set now."""
    skipped = {"Model hash", "Model"} if settings["disable_weights_auto_swap"] else set()
    in_fields = {param.infotext for owner in (GenerationRequest, Hires, Refiner) for param in params_of(owner).values()}
    for name, setting in settings.catalogue.by_infotext().items():
        if name not in parsed or name in in_fields or name in skipped:
            continue
        try:
            asked = accepted(setting, parsed[name])
        except BadRequest:
            continue
        if asked != settings[setting.key]:
            yield f"{name}: {parsed[name]}"


def overrides_of(values: Mapping[str, Any], settings: Settings) -> dict[str, Any]:
    """Setting -> value of the `Key: value` entries that the override field holds; a key is what infotext calls it, or
    its own. Raises: BadRequest for others."""
    by_infotext = settings.catalogue.by_infotext()
    found = {}
    for entry in values.get(OVERRIDES) or ():
        name, _, value = str(entry).partition(":")
        setting = by_infotext.get(name.strip()) or settings.catalogue.get(name.strip())
        if setting is None or setting.location or setting.api_restricted:
            raise BadRequest(f"{entry!r} is not a setting that a picture's text can name. Write it as 'Clip skip: 2'.")
        found[setting.key] = accepted(setting, value.strip())
    return found


def with_styles(studio: Studio, prompt: str, negative: str, names: list[str]) -> tuple[str, str, list[str]]:
    """Both prompts with the chosen styles merged in, and no style chosen any more."""
    return *studio.styles.apply(prompt, negative, names), []
