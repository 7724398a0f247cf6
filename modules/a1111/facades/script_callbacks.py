"""Functions that extensions register for moments of the studio, under A1111's names. Source: spec/extensions.md §4."""

from __future__ import annotations

import dataclasses
import logging
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from modules.a1111.bound import bound, unique
from modules.a1111.ordering import in_order, prioritized, wishes

log = logging.getLogger("atelier.extensions")


@dataclasses.dataclass
class ScriptCallback:
    script: str
    callback: Callable[..., Any]
    name: str = "unnamed"


@dataclasses.dataclass
class ImageSaveParams:
    image: Any
    p: Any
    filename: str
    pnginfo: dict


@dataclasses.dataclass
class ExtraNoiseParams:
    noise: Any
    x: Any
    xi: Any


@dataclasses.dataclass
class CFGDenoiserParams:
    """x: (N, C, H, W), prompts before negatives. text_cond, text_uncond: (N, T, D), or a dict with "crossattn" and
    "vector" for SDXL."""

    x: Any
    image_cond: Any
    sigma: Any
    sampling_step: int
    total_sampling_steps: int
    text_cond: Any
    text_uncond: Any
    denoiser: Any = None


@dataclasses.dataclass
class CFGDenoisedParams:
    x: Any
    sampling_step: int
    total_sampling_steps: int
    inner_model: Any


@dataclasses.dataclass
class AfterCFGCallbackParams:
    x: Any
    sampling_step: int
    total_sampling_steps: int
    output_altered: bool = False


@dataclasses.dataclass
class UiTrainTabParams:
    txt2img_preview_params: Any


@dataclasses.dataclass
class ImageGridLoopParams:
    imgs: list
    cols: int
    rows: int


@dataclasses.dataclass
class BeforeTokenCounterParams:
    prompt: str
    steps: int
    styles: list
    is_positive: bool = True


CATEGORIES = (
    "app_started",
    "before_reload",
    "model_loaded",
    "ui_tabs",
    "ui_train_tabs",
    "ui_settings",
    "before_image_saved",
    "image_saved",
    "extra_noise",
    "cfg_denoiser",
    "cfg_denoised",
    "cfg_after_cfg",
    "before_component",
    "after_component",
    "image_grid",
    "infotext_pasted",
    "script_unloaded",
    "before_ui",
    "list_optimizers",
    "list_unets",
    "before_token_counter",
)

callback_map: dict[str, list[ScriptCallback]] = {f"callbacks_{category}": [] for category in CATEGORIES}


def add_callback(
    callbacks: list[ScriptCallback],
    fun: Callable[..., Any],
    *,
    name: str | None = None,
    category: str = "unknown",
    filename: str | None = None,
) -> None:
    """Registers `fun` under `<extension>/<file>/<category>[/name]`."""
    filename = filename or _registering_file()
    identity = f"{_extension_of(filename)}/{Path(filename).name}/{category}" + (f"/{name}" if name else "")
    identity = unique([one.name for one in callbacks], identity)
    callbacks.append(ScriptCallback(filename, fun, identity))


def ordered_callbacks(category: str) -> list[ScriptCallback]:
    """The callbacks of a category in the order in which they are to be called."""
    callbacks = {one.name: one for one in callback_map[f"callbacks_{category}"]}
    if len(callbacks) > 1:
        names = in_order(list(callbacks), wishes(*_constraints()))
        first = bound().settings.get(f"prioritized_callbacks_{category}", ())
        return [callbacks[name] for name in prioritized(names, first)]
    return list(callbacks.values())


def remove_current_script_callbacks() -> None:
    """Takes away what the file that calls this has registered."""
    filename = _registering_file()
    for callbacks in callback_map.values():
        callbacks[:] = [one for one in callbacks if one.script != filename]


def remove_callbacks_for_function(callback_func: Callable[..., Any]) -> None:
    for callbacks in callback_map.values():
        callbacks[:] = [one for one in callbacks if one.callback != callback_func]


def clear_callbacks() -> None:
    for callbacks in callback_map.values():
        callbacks.clear()


def has_any(*categories: str) -> bool:
    """Whether anything is registered for one of these."""
    return any(callback_map[f"callbacks_{category}"] for category in categories)


def run_callbacks(category: str, *args: Any, reverse: bool = False) -> Iterator[Any]:
    """What each callback returns. One that fails is reported and passed over; the others go on."""
    callbacks = ordered_callbacks(category)
    for one in reversed(callbacks) if reverse else callbacks:
        extensions, name = bound().studio.extensions, _extension_of(one.script)
        if _sits_out(name):
            continue
        try:
            with extensions.starts.calling(name):
                answer = one.callback(*args)
        except (Exception, SystemExit) as error:
            _failed(name, one, error)
        else:
            yield answer


def run_all(category: str, *args: Any, reverse: bool = False) -> None:
    for _ in run_callbacks(category, *args, reverse=reverse):
        pass


def app_started_callback(demo: Any, app: Any) -> None:
    run_all("app_started", demo, app)


def app_reload_callback() -> None:
    run_all("before_reload")


def model_loaded_callback(sd_model: Any) -> None:
    run_all("model_loaded", sd_model)


def ui_tabs_callback() -> list[Any]:
    return [tab for tabs in run_callbacks("ui_tabs") for tab in tabs or []]


def ui_train_tabs_callback(params: UiTrainTabParams) -> None:
    run_all("ui_train_tabs", params)


def ui_settings_callback() -> None:
    """Calls those that have not been called: some register when their scripts are made, which is later."""
    for one in ordered_callbacks("ui_settings"):
        if not getattr(one, "called", False):
            one.called = True
            _guarded(one)


def before_image_saved_callback(params: ImageSaveParams) -> None:
    run_all("before_image_saved", params)


def image_saved_callback(params: ImageSaveParams) -> None:
    run_all("image_saved", params)


def extra_noise_callback(params: ExtraNoiseParams) -> None:
    run_all("extra_noise", params)


def cfg_denoiser_callback(params: CFGDenoiserParams) -> None:
    run_all("cfg_denoiser", params)


def cfg_denoised_callback(params: CFGDenoisedParams) -> None:
    run_all("cfg_denoised", params)


def cfg_after_cfg_callback(params: AfterCFGCallbackParams) -> None:
    run_all("cfg_after_cfg", params)


def before_component_callback(component: Any, **kwargs: Any) -> None:
    for one in ordered_callbacks("before_component"):
        _guarded(one, component, **kwargs)


def after_component_callback(component: Any, **kwargs: Any) -> None:
    for one in ordered_callbacks("after_component"):
        _guarded(one, component, **kwargs)


def image_grid_callback(params: ImageGridLoopParams) -> None:
    run_all("image_grid", params)


def infotext_pasted_callback(infotext: str, params: dict) -> None:
    run_all("infotext_pasted", infotext, params)


def script_unloaded_callback() -> None:
    run_all("script_unloaded", reverse=True)


def before_ui_callback() -> None:
    run_all("before_ui", reverse=True)


def list_optimizers_callback() -> list[Any]:
    found: list[Any] = []
    run_all("list_optimizers", found)
    return found


def list_unets_callback() -> list[Any]:
    found: list[Any] = []
    run_all("list_unets", found)
    return found


def before_token_counter_callback(params: BeforeTokenCounterParams) -> None:
    run_all("before_token_counter", params)


def _registrar(category: str) -> Callable[..., None]:
    def register(callback: Callable[..., Any], *, name: str | None = None) -> None:
        add_callback(callback_map[f"callbacks_{category}"], callback, name=name, category=category)

    register.__name__ = register.__qualname__ = f"on_{category}"
    return register


for _category in CATEGORIES:
    globals()[f"on_{_category}"] = _registrar(_category)


def _guarded(one: ScriptCallback, *args: Any, **kwargs: Any) -> None:
    name = _extension_of(one.script)
    if _sits_out(name):
        return
    try:
        one.callback(*args, **kwargs)
    except (Exception, SystemExit) as error:
        _failed(name, one, error)


def _sits_out(extension: str) -> bool:
    """Whether an extension failed in the job of this thread."""
    work = bound().work
    return work is not None and extension in work.broken


def _failed(extension: str, one: ScriptCallback, error: BaseException) -> None:
    what, work = f"its callback {one.name}", bound().work
    bound().studio.extensions.failed(extension, what, error)
    if work is not None:
        work.broke(extension, what, error)


def _registering_file() -> str:
    """The file that registers: the script being loaded, or the nearest caller outside of this file."""
    frame = sys._getframe(1)
    while frame is not None and frame.f_code.co_filename == __file__:
        frame = frame.f_back
    return frame.f_code.co_filename if frame is not None else "unknown"


def _extension_of(filename: str) -> str:
    return bound().studio.extensions.name_of(filename)


def _constraints() -> tuple[dict[str, list[str]], dict[str, list[str]]]:
    return bound().studio.extensions.callback_constraints()
