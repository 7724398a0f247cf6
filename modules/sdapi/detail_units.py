"""`alwayson_scripts.ADetailer.args` -> DetailPass: every spelling that the ADetailer extension has understood."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from fastapi import APIRouter

from modules.generation.detail_texts import SAME, is_whole
from modules.generation.sampler_names import SamplerNames
from modules.sdapi.needs import Studio
from modules.terms.declare import params_of
from modules.terms.detail import NONE, DetailPass, DetailUnit
from modules.terms.errors import BadRequest
from modules.terms.registry import nearest

SCRIPT = "adetailer"
TITLE = "ADetailer"
# Whether a value of its own counts: the switch -> the fields that are as in the picture while it is off.
SWITCHES = {
    "ad_use_inpaint_width_height": ("width", "height"),
    "ad_use_steps": ("steps",),
    "ad_use_cfg_scale": ("cfg_scale",),
    "ad_use_checkpoint": ("checkpoint",),
    "ad_use_vae": ("vae",),
    "ad_use_sampler": ("sampler", "scheduler"),
    "ad_use_noise_multiplier": ("noise_multiplier",),
    "ad_use_clip_skip": ("clip_skip",),
}
# What the extension takes a switched-on value for where none is given.
DEFAULTS: Mapping[str, Any] = {
    "width": 512,
    "height": 512,
    "steps": 28,
    "cfg_scale": 7.0,
    "sampler": "DPM++ 2M",
    "noise_multiplier": 1.0,
    "clip_skip": 1,
}
OLD_NAMES = {
    "ad_mask_k_largest": "ad_mask_k",
    "ad_conf": "ad_confidence",
    "ad_inpaint_full_res": "ad_inpaint_only_masked",
    "ad_inpaint_full_res_padding": "ad_inpaint_only_masked_padding",
}
# Fields of the extension that say nothing here: which tab of its page is on, and that the API asks.
PASSED_OVER = frozenset({"is_api"})
ON = ("ad_tab_enable", "ad_tap_enable")


def is_adetailer(script: str) -> bool:
    """Whether an always-on script's name means the detail pass."""
    return script.strip().lower() == SCRIPT


def detail_pass(scripts: Mapping[str, Any]) -> DetailPass | None:
    """What the request asks of the detail pass; None where it is off. Raises: BadRequest naming what is wrong.

    Before its units stand up to two truth values: whether it is on, and whether img2img itself is left out.
    """
    for name, value in scripts.items():
        if not is_adetailer(name):
            continue
        args = value.get("args", []) if isinstance(value, dict) else None
        if not isinstance(args, (list, dict)):
            raise BadRequest(f"alwayson_scripts[{name!r}] must be an object with a list of args.")
        given = list(args.values() if isinstance(args, dict) else args)
        switches = [one for one in given if not isinstance(one, dict)]
        if switches and not switches[0]:
            return None
        units = tuple(
            read_unit(one, number)
            for number, one in enumerate(one for one in given if isinstance(one, dict))
            if is_on(one)
        )
        return DetailPass(units, skip_img2img=len(switches) > 1 and bool(switches[1])) if units else None
    return None


def is_on(unit: Mapping[str, Any]) -> bool:
    """Units are off without a detector, or where their tab is switched off."""
    return unit.get("ad_model", NONE) not in (NONE, "", None) and all(unit.get(switch, True) for switch in ON)


def read_unit(given: Mapping[str, Any], number: int) -> DetailUnit:
    """One unit. Raises: BadRequest naming the field."""
    known = {OLD_NAMES.get(name, name): value for name, value in given.items()}
    declared = params_of(DetailUnit)
    by_key = {param.key: name for name, param in declared.items()}
    unknown = set(known) - set(by_key) - set(SWITCHES) - PASSED_OVER - set(ON)
    if unknown:
        first = sorted(unknown)[0]
        close = nearest(first, by_key)
        raise BadRequest(f"ADetailer unit {number} has no {first}." + (f" Did you mean {close}?" if close else ""))
    values = {by_key[key]: value for key, value in known.items() if key in by_key and value is not None}
    for switch, fields in SWITCHES.items():
        for name in fields:
            if not known.get(switch):
                values.pop(name, None)
            elif name not in values and name in DEFAULTS:
                values[name] = DEFAULTS[name]
    values = {name: value for name, value in values.items() if not (isinstance(value, str) and value in SAME)}
    if values.get("sampler"):
        names = SamplerNames()
        values["sampler"], values["scheduler"] = names.resolve(
            str(values["sampler"]), str(values.get("scheduler", "")), automatic=False
        )
    for name, value in values.items():
        param = declared[name]
        values[name] = value = whole(value) if is_whole(param) else value
        if name in ("prompt", "negative_prompt", "classes") and not isinstance(value, str):
            raise BadRequest(f"ADetailer unit {number}: {param.key} must be text.")
        wrong = param.control.check(value)
        if wrong:
            raise BadRequest(f"ADetailer unit {number}: {param.key} is {value!r}, but {wrong}.")
    return DetailUnit(**values)


def whole(value: Any) -> Any:
    """A number without a fraction as int; anything else as it is."""
    return int(value) if isinstance(value, float) and value == int(value) else value


def routes(studio: Studio) -> APIRouter:
    """What clients of the extension ask besides pictures."""
    router = APIRouter(prefix="/adetailer/v1", tags=["details"])

    @router.get("/version")
    def version() -> dict[str, str]:
        """The version of the studio."""
        return {"version": studio.version}

    @router.get("/ad_model")
    def models() -> dict[str, Sequence[str]]:
        """The detectors that a unit can name."""
        return {"ad_model": studio.refresh("detectors")}

    @router.get("/schema")
    def schema() -> dict[str, Any]:
        """The fields of a unit with their defaults."""
        fields = {
            param.key: {"title": param.label, "default": param.default} for param in params_of(DetailUnit).values()
        }
        switches = {switch: {"title": switch, "default": False} for switch in SWITCHES}
        return {"title": TITLE, "type": "object", "properties": {**fields, **switches}}

    return router
