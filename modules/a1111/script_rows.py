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
        "label": in_english(getattr(control, "label", None) or ""),
        "value": plain(getattr(control, "value", None)),
        **{name: plain(getattr(control, name, None)) for name in ("minimum", "maximum", "step")},
        "choices": [spoken(one) for one in choices] if choices else None,
    }


def spoken(choice: Any) -> Any:
    """What a choice is called. Those of the built-in scripts are (key for the browser, A1111's word)."""
    from gradio.i18n import I18nData

    shown, value = choice if isinstance(choice, (list, tuple)) else (choice, choice)
    return value if isinstance(shown, I18nData) else shown


def in_english(label: Any) -> str:
    """A label as the API writes it: the page's own fields bear a key that the browser translates."""
    from gradio.i18n import I18nData

    from modules.gui.i18n import say

    return say(label.key, "en") if isinstance(label, I18nData) else str(label)


def plain(value: Any) -> Any:
    """`value` if JSON can hold it."""
    if isinstance(value, (str, int, float, bool, type(None))):
        return value
    return [plain(one) for one in value] if isinstance(value, (list, tuple)) else None
