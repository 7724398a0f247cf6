"""Scripts as the API describes them: names, kinds, and their arguments with label, value, bounds and choices."""

from __future__ import annotations

from typing import Any

from modules.a1111.bound import bound
from modules.studio.extensions.folder import BASE


def rows() -> list[dict[str, Any]]:
    """One row for each script of each tab, as `/sdapi/v1/script-info` lists them."""
    from modules import scripts

    return [
        {
            "name": script.name or script.title().lower(),
            "title": script.title(),
            "is_alwayson": script.alwayson,
            "is_img2img": script.is_img2img,
            "extension": owner(script.filename),
            "args": [argument(control) for control in script.controls or ()],
        }
        for runner in (scripts.scripts_txt2img, scripts.scripts_img2img)
        if runner is not None
        for script in runner.scripts
        if script.controls is not None or script.args_from is not None
    ]


def owner(filename: str) -> str | None:
    """The extension that a script's file belongs to; None for the studio's own."""
    name = bound().studio.extensions.name_of(filename)
    return None if name == BASE else name


def argument(control: Any) -> dict[str, Any]:
    """One argument of a script."""
    choices = getattr(control, "choices", None)
    return {
        "label": getattr(control, "label", None) or "",
        "value": plain(getattr(control, "value", None)),
        **{name: plain(getattr(control, name, None)) for name in ("minimum", "maximum", "step")},
        "choices": [one[0] if isinstance(one, (list, tuple)) else one for one in choices] if choices else None,
    }


def plain(value: Any) -> Any:
    """`value` if JSON can hold it."""
    if isinstance(value, (str, int, float, bool, type(None))):
        return value
    return [plain(one) for one in value] if isinstance(value, (list, tuple)) else None
