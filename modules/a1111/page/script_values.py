"""The components of scripts in a tab, and the way of their values into a request."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from modules.a1111.bound import bound, unique

if TYPE_CHECKING:
    from gradio.components import Component

    from modules.terms.request import GenerationRequest

CHOICE = "script"
# What a browser can keep; files and pictures of an earlier visit may be gone.
KEPT = frozenset({"textbox", "slider", "checkbox", "dropdown", "radio", "number", "checkboxgroup", "colorpicker"})


def runner_of(tab: str) -> Any:
    """The scripts of the tab "txt2img" or "img2img"."""
    from modules import scripts

    return scripts.scripts_img2img if tab == "img2img" else scripts.scripts_txt2img


def build(tab: str) -> list[tuple[str, Component]]:
    """Builds the scripts that no section has taken; name and component of all that have a value."""
    runner_of(tab).setup_ui()
    return named(tab)


def named(tab: str) -> list[tuple[str, Component]]:
    """Name and component of all that scripts of the tab get at Generate, in their order."""
    runner = runner_of(tab)
    names: list[str] = []
    for place in range(len(runner.inputs)):
        names.append(unique(names, CHOICE if place == 0 else _name(runner, place)))
    return list(zip(names, runner.inputs, strict=True))


def files(tab: str) -> dict[str, str]:
    """Name, as in `named`, -> file of its script, "" for the list of scripts: what ui-config.json goes by."""
    runner = runner_of(tab)
    found = {CHOICE: ""}
    names = [name for name, _ in named(tab)]
    for script in runner.scripts:
        if script.args_from is not None:
            found |= dict.fromkeys(names[script.args_from : script.args_to], Path(script.filename).name)
    return found


def _name(runner: Any, place: int) -> str:
    owners = (one for one in runner.scripts if one.args_from is not None and one.args_from <= place < one.args_to)
    script = next(owners, None)
    if script is None:  # Put among the inputs by an extension.
        return f"{CHOICE}.{place}"
    return f"{CHOICE}.{script.name}.{place - script.args_from}"


def asked(tab: str, values: Mapping[str, Any]) -> dict[str, Any]:
    """`script` and `scripts` of the request for the values of the components that `build` returned."""
    runner = runner_of(tab)
    # In the order of `build`, whatever else was handed over.
    flat = [value for name, value in values.items() if name == CHOICE or name.startswith(f"{CHOICE}.")]
    keeper = bound().keeper

    def own(script: Any) -> tuple[Any, ...]:
        return tuple(keeper.written(value) for value in flat[script.args_from : script.args_to])

    always_on = {
        script.title(): own(script)
        for script in runner.alwayson_scripts
        if script.args_from is not None and script.args_to > script.args_from
    }
    chosen = runner.selectable_scripts[flat[0] - 1] if flat and flat[0] else None
    return {"scripts": always_on, "script": (chosen.title(), own(chosen)) if chosen is not None else None}


def restored(tab: str, request: GenerationRequest) -> dict[str, Any]:
    """The way back of `asked`: values by name for what `request` asks of scripts that are still here.

    Values that components cannot be given, such as pictures, are left out.
    """
    runner = runner_of(tab)
    chosen, arguments = request.script or ("", ())
    titles = [script.title() for script in runner.selectable_scripts]
    given = dict(request.scripts)
    place = titles.index(chosen) if chosen in titles else None
    values: dict[str, Any] = {CHOICE: 0 if place is None else place + 1}
    flat = named(tab)
    asked_of = [(script, given.get(script.title())) for script in runner.alwayson_scripts]
    if place is not None:
        asked_of.append((runner.selectable_scripts[place], arguments))
    keeper = bound().keeper
    for script, told in asked_of:
        if told is None or script.args_from is None or len(told) != script.args_to - script.args_from:
            continue
        for (name, component), value in zip(flat[script.args_from : script.args_to], told, strict=True):
            if component.get_block_name() in KEPT:
                values[name] = _shown(component, keeper.read(value))
    return {**values, CHOICE: _shown(flat[0][1], values[CHOICE])} if flat else values


def _shown(component: Any, value: Any) -> Any:
    """What `component` holds where scripts are handed `value`: a choice for its number."""
    if getattr(component, "type", "") != "index":
        return value
    choices = [choice[1] for choice in component.choices]
    if isinstance(value, list):
        return [choices[one] for one in value if one < len(choices)]
    return choices[value] if isinstance(value, int) and value < len(choices) else None


def drafted(components: Sequence[tuple[str, Component]]) -> list[tuple[str, Component]]:
    """Those whose values survive a reload of the page."""
    return [(name, one) for name, one in components if one.get_block_name() in KEPT and one.interactive is not False]
