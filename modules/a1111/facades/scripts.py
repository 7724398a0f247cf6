"""Scripts of extensions: what they derive from, and the runner that calls them. Source: spec/extensions.md §3."""

from __future__ import annotations

import inspect
import logging
import re
import sys
from collections import namedtuple
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from pathlib import Path
from typing import Any

from modules import errors, script_callbacks  # noqa: F401 - part of what extensions reach through this module
from modules.a1111.bound import bound
from modules.a1111.ordering import in_order, prioritized, wishes

log = logging.getLogger("atelier.extensions")

AlwaysVisible = object()
topological_sort = in_order


class MaskBlendArgs:
    def __init__(self, current_latent, nmask, init_latent, mask, blended_latent, denoiser=None, sigma=None):
        self.current_latent = current_latent
        self.nmask = nmask
        self.init_latent = init_latent
        self.mask = mask
        self.blended_latent = blended_latent
        self.denoiser = denoiser
        self.is_final_blend = denoiser is None
        self.sigma = sigma


class PostSampleArgs:
    def __init__(self, samples):
        self.samples = samples


class PostprocessImageArgs:
    def __init__(self, image, index=0):
        self.image = image
        self.index = index


class PostProcessMaskOverlayArgs:
    def __init__(self, index, mask_for_overlay, overlay_image):
        self.index = index
        self.mask_for_overlay = mask_for_overlay
        self.overlay_image = overlay_image


class PostprocessBatchListArgs:
    def __init__(self, images):
        self.images = images


class OnComponent:
    def __init__(self, component):
        self.component = component


class Script:
    """What a script may override; each hook does nothing by itself."""

    name = None
    section = None
    filename = None
    args_from = None
    args_to = None
    alwayson = False
    is_txt2img = False
    is_img2img = False
    tabname = None
    group = None
    create_group = True
    infotext_fields = None
    paste_field_names = None
    api_info = None
    on_before_component_elem_id = None
    on_after_component_elem_id = None
    setup_for_ui_only = False
    controls = None
    # Whether `run`, called again, asks for the same again: then what a broken-off job has drawn is not drawn anew.
    resumable = False

    def title(self):
        raise NotImplementedError

    def ui(self, is_img2img):
        pass

    def show(self, is_img2img):
        return True

    def run(self, p, *args):
        pass

    def setup(self, p, *args):
        pass

    def before_process(self, p, *args):
        pass

    def process(self, p, *args):
        pass

    def before_process_batch(self, p, *args, **kwargs):
        pass

    def after_extra_networks_activate(self, p, *args, **kwargs):
        pass

    def process_before_every_sampling(self, p, *args, **kwargs):
        pass

    def process_batch(self, p, *args, **kwargs):
        pass

    def postprocess_batch(self, p, *args, **kwargs):
        pass

    def postprocess_batch_list(self, p, pp: PostprocessBatchListArgs, *args, **kwargs):
        pass

    def on_mask_blend(self, p, mba: MaskBlendArgs, *args):
        pass

    def post_sample(self, p, ps: PostSampleArgs, *args):
        pass

    def postprocess_image(self, p, pp: PostprocessImageArgs, *args):
        pass

    def postprocess_maskoverlay(self, p, ppmo: PostProcessMaskOverlayArgs, *args):
        pass

    def postprocess_image_after_composite(self, p, pp: PostprocessImageArgs, *args):
        pass

    def postprocess(self, p, processed, *args):
        pass

    def before_hr(self, p, *args):
        pass

    def before_component(self, component, **kwargs):
        pass

    def after_component(self, component, **kwargs):
        pass

    def on_before_component(self, callback, *, elem_id):
        self.on_before_component_elem_id = [*(self.on_before_component_elem_id or []), (elem_id, callback)]

    def on_after_component(self, callback, *, elem_id):
        self.on_after_component_elem_id = [*(self.on_after_component_elem_id or []), (elem_id, callback)]

    def describe(self):
        return ""

    def wanted(self, request):
        """Whether an always-on script has anything to do with a request; if none has, the studio draws without `p`."""
        return True

    def elem_id(self, item_id):
        shown_alike = self.show(True) == self.show(False)
        tab = ("img2img_" if self.is_img2img else "txt2img_") if shown_alike else ""
        title = re.sub(r"[^a-z_0-9]", "", re.sub(r"\s", "_", self.title().lower()))
        return f"script_{tab}{title}_{item_id}"


class ScriptBuiltinUI(Script):
    """A part of the page itself in the shape of a script: always there, nothing for the API."""

    setup_for_ui_only = True

    def elem_id(self, item_id):
        shown_alike = self.show(True) == self.show(False)
        tab = ("img2img_" if self.is_img2img else "txt2img_") if shown_alike else ""
        return f"{tab}{item_id}"

    def show(self, is_img2img):
        return AlwaysVisible


# What a hook is called with beside p and the script's own arguments is passed on as it comes.
HOOKS_WITH_KEYWORDS = frozenset(
    {
        "before_process_batch",
        "after_extra_networks_activate",
        "process_batch",
        "process_before_every_sampling",
        "postprocess_batch",
        "postprocess_batch_list",
    }
)

ScriptFile = namedtuple("ScriptFile", ["basedir", "filename", "path"])
ScriptClassData = namedtuple("ScriptClassData", ["script_class", "path", "basedir", "module"])

scripts_data: list[ScriptClassData] = []
postprocessing_scripts_data: list[ScriptClassData] = []
loaded_scripts: dict[str, Any] = {}

scripts_txt2img: ScriptRunner | None = None
scripts_img2img: ScriptRunner | None = None
scripts_postproc: Any = None
scripts_current: ScriptRunner | None = None
current_basedir = ""


def basedir() -> str:
    """The root of the extension whose script is being loaded; afterwards, that of the studio."""
    loading = bound().loading
    return str(loading.base if loading is not None else bound().root)


def list_scripts(scriptdirname: str, extension: str, *, include_extensions: bool = True) -> list[ScriptFile]:
    """The files with `extension` in that folder of the studio and of every active extension."""
    roots = [bound().root]
    if include_extensions:
        roots += [one.path for one in bound().studio.extensions.active()]
    found = []
    for root in roots:
        folder = root / scriptdirname
        files = sorted(folder.iterdir(), key=lambda path: path.name) if folder.is_dir() else []
        found += [ScriptFile(str(root), path.name, str(path)) for path in files if path.suffix.lower() == extension]
    return found


def list_files_with_name(filename: str) -> list[str]:
    """The files of that name in the roots of the studio and the active extensions."""
    roots = [bound().root, *(one.path for one in bound().studio.extensions.active())]
    return [str(root / filename) for root in roots if (root / filename).is_file()]


def register_scripts_of(module: Any, file: ScriptFile) -> None:
    """Takes note of the scripts that a loaded module defines."""
    from modules import scripts_postprocessing

    for found in vars(module).values():
        if not inspect.isclass(found):
            continue
        data = ScriptClassData(found, file.path, file.basedir, module)
        if issubclass(found, Script) and found not in (Script, ScriptBuiltinUI):
            scripts_data.append(data)
        elif (
            issubclass(found, scripts_postprocessing.ScriptPostprocessing)
            and found is not scripts_postprocessing.ScriptPostprocessing
        ):
            postprocessing_scripts_data.append(data)


def wrap_call(func: Callable[..., Any], filename: str, funcname: str, *args: Any, default: Any = None, **kwargs: Any):
    """What `func` returns; `default` if it fails, which is reported."""
    extensions = bound().studio.extensions
    name = extensions.name_of(filename)
    try:
        with extensions.starts.calling(name) if funcname == "ui" else nullcontext():
            return func(*args, **kwargs)
    except (Exception, SystemExit) as error:
        extensions.failed(name, f"{Path(filename).name}: {funcname}", error)
    return default


def call_hook(script: Script, method: str, *args: Any, **kwargs: Any) -> None:
    """Calls a script's hook. One that fails is reported, and its extension sits out the rest of the job."""
    extensions, work = bound().studio.extensions, bound().work
    name, what = extensions.name_of(script.filename), f"{Path(script.filename).name}: {method}"
    # What tidies up is called whatever went before it.
    if work is not None and name in work.broken and method != "postprocess":
        return
    try:
        getattr(script, method)(*args, **kwargs)
    except (Exception, SystemExit) as error:
        extensions.failed(name, what, error)
        if work is not None:
            work.broke(name, what, error)


class ScriptRunner:
    """The scripts of one tab, their components and their arguments: a flat list whose first entry is the choice."""

    def __init__(self):
        self.scripts: list[Script] = []
        self.selectable_scripts: list[Script] = []
        self.alwayson_scripts: list[Script] = []
        self.titles: list[str] = []
        self.title_map: dict[str, Script] = {}
        self.infotext_fields: list[Any] = []
        self.paste_field_names: list[str] = []
        self.inputs: list[Any] = [None]
        self.is_img2img = False
        self.on_before_component_elem_id: dict[str, list[Any]] = {}
        self.on_after_component_elem_id: dict[str, list[Any]] = {}

    def initialize_scripts(self, is_img2img):
        """Makes an object of every script that wants to be shown on this tab."""
        self.is_img2img = is_img2img
        self.scripts, self.selectable_scripts, self.alwayson_scripts = [], [], []
        for data in scripts_data:
            script = wrap_call(data.script_class, data.path, "__init__")
            if script is None:
                continue
            script.filename = data.path
            script.is_txt2img, script.is_img2img = not is_img2img, is_img2img
            script.tabname = "img2img" if is_img2img else "txt2img"
            visibility = wrap_call(script.show, data.path, "show", is_img2img, default=False)
            if visibility == AlwaysVisible:
                script.alwayson = True
                self.alwayson_scripts.append(script)
            elif visibility:
                self.selectable_scripts.append(script)
            else:
                continue
            self.scripts.append(script)
        script_callbacks.ui_settings_callback()
        self.apply_on_before_component_callbacks()

    def apply_on_before_component_callbacks(self):
        for script in self.scripts:
            for elem_id, callback in script.on_before_component_elem_id or []:
                self.on_before_component_elem_id.setdefault(elem_id, []).append((callback, script))
            for elem_id, callback in script.on_after_component_elem_id or []:
                self.on_after_component_elem_id.setdefault(elem_id, []).append((callback, script))

    def create_script_ui(self, script):
        """The script's components, in place; their values become its arguments."""
        script.args_from = len(self.inputs)
        script.args_to = len(self.inputs)
        script.name = wrap_call(script.title, script.filename, "title", default=script.filename).lower()
        controls = wrap_call(script.ui, script.filename, "ui", script.is_img2img)
        script.controls = controls
        if controls is None:
            return
        for control in controls:
            control.custom_script_source = Path(script.filename).name
        if script.infotext_fields is not None:
            self.infotext_fields += script.infotext_fields
        if script.paste_field_names is not None:
            self.paste_field_names += script.paste_field_names
        self.inputs += controls
        script.args_to = len(self.inputs)

    def setup_ui_for_section(self, section, scriptlist=None):
        """The always-on scripts that want to stand in that part of the tab; None: those that name no part."""
        import gradio as gr

        for script in self.alwayson_scripts if scriptlist is None else scriptlist:
            if script.alwayson and script.section != section:
                continue
            if script.create_group:
                with gr.Group(visible=script.alwayson) as group:
                    self.create_script_ui(script)
                script.group = group
            else:
                self.create_script_ui(script)

    def prepare_ui(self):
        self.inputs = [None]

    def setup_ui(self):
        """The always-on scripts, and below them the choice of a selectable one. Returns the inputs."""
        import gradio as gr

        sections = {script.section for script in self.alwayson_scripts if script.section}
        all_titles = [
            wrap_call(script.title, script.filename, "title", default=f"{script.filename} [error]")
            for script in self.scripts
        ]
        self.title_map = {title.lower(): script for title, script in zip(all_titles, self.scripts, strict=True)}
        self.titles = [
            wrap_call(script.title, script.filename, "title", default=f"{script.filename} [error]")
            for script in self.selectable_scripts
        ]
        done = {id(script) for script in self.alwayson_scripts if script.args_from is not None}
        self.setup_ui_for_section(None)
        for section in sections:
            rest = [script for script in self.alwayson_scripts if script.section == section and id(script) not in done]
            self.setup_ui_for_section(section, [script for script in rest if script.args_from is None])
        dropdown = gr.Dropdown(
            label="Script", elem_id="script_list", choices=["None", *self.titles], value="None", type="index"
        )
        self.inputs[0] = dropdown
        # An always-on script may list itself here, so that it can be asked for by name; it has its components already.
        self.setup_ui_for_section(None, [script for script in self.selectable_scripts if not script.alwayson])

        groups = [script.group for script in self.selectable_scripts if script.group]

        def select_script(index):
            chosen = self.selectable_scripts[index - 1].group if index else None
            shown = [gr.update(visible=group is chosen) for group in groups]
            # A list of one would be taken for the value of the one output.
            return shown if len(shown) > 1 else shown[0]

        if groups:
            dropdown.change(select_script, dropdown, groups, show_progress="hidden", api_visibility="private")

        def restore(params):
            title = params.pop("Script", None)
            if title is None:
                return None
            index = next((place for place, one in enumerate(self.titles) if one.lower() == title.lower()), None)
            return gr.update() if index is None else gr.update(value=self.titles[index])

        self.infotext_fields.append((dropdown, restore))
        return self.inputs

    # -- arguments ---------------------------------------------------------------------------------------------------

    def default_args(self):
        """The values that the components began with."""
        return [0, *(getattr(control, "value", None) for control in self.inputs[1:])]

    def script(self, title):
        return self.title_map.get(title.lower())

    def set_named_arg(self, args, script_name, arg_elem_id, value, fuzzy=False):
        """Puts `value` where the component with that elem_id stands. Raises: RuntimeError if there is none."""
        script = next((one for one in self.scripts if one.name == script_name.lower()), None)
        if script is None:
            raise RuntimeError(f"script {script_name} not found")
        for place, control in enumerate(script.controls or ()):
            own = control.elem_id or ""
            if arg_elem_id in own if fuzzy else arg_elem_id == own:
                args[script.args_from + place] = value
                return
        raise RuntimeError(f"arg_elem_id {arg_elem_id} not found in script {script_name}")

    # -- hooks -------------------------------------------------------------------------------------------------------

    def run(self, p, *args):
        """What the chosen script makes of `p`; None without one, or if it leaves the drawing to the studio."""
        script = self.chosen(args)
        return None if script is None else script.run(p, *args[script.args_from : script.args_to])

    def chosen(self, args):
        """The selected script; None without one."""
        index = args[0] if args else 0
        return self.selectable_scripts[index - 1] if index else None

    def list_scripts_for_method(self, method_name):
        return [one for one in self.alwayson_scripts if overrides(one, method_name)]

    def ordered_scripts(self, method_name):
        scripts = {}
        for script in self.list_scripts_for_method(method_name):
            extension = bound().studio.extensions.name_of(script.filename)
            scripts[f"{extension}/{Path(script.filename).name}/script_{method_name}/{script.name}"] = script
        if len(scripts) < 2:
            return list(scripts.values())
        extensions = bound().studio.extensions
        names = in_order(list(scripts), wishes(*extensions.callback_constraints()))
        first = bound().settings.get(f"prioritized_callbacks_script_{method_name}", ())
        return [scripts[name] for name in prioritized(names, first)]

    def each(self, method_name, p) -> Iterator[tuple[Script, Any]]:
        """Every always-on script that overrides the hook, with its arguments."""
        for script in self.ordered_scripts(method_name):
            yield script, p.script_args[script.args_from : script.args_to]

    def call(self, method_name, p, *first, **kwargs):
        """Calls a hook of every always-on script. One that fails is reported and passed over."""
        for script, args in self.each(method_name, p):
            call_hook(script, method_name, p, *first, *args, **kwargs)

    def setup_scrips(self, p, *, is_ui=True):
        for script, args in self.each("setup", p):
            if is_ui or not script.setup_for_ui_only:
                call_hook(script, "setup", p, *args)

    def before_process(self, p):
        self.call("before_process", p)

    def process(self, p):
        self.call("process", p)

    def process_before_every_sampling(self, p, **kwargs):
        self.call("process_before_every_sampling", p, **kwargs)

    def before_process_batch(self, p, **kwargs):
        self.call("before_process_batch", p, **kwargs)

    def after_extra_networks_activate(self, p, **kwargs):
        self.call("after_extra_networks_activate", p, **kwargs)

    def process_batch(self, p, **kwargs):
        self.call("process_batch", p, **kwargs)

    def postprocess(self, p, processed):
        self.call("postprocess", p, processed)

    def postprocess_batch(self, p, images, **kwargs):
        self.call("postprocess_batch", p, images=images, **kwargs)

    def postprocess_batch_list(self, p, pp, **kwargs):
        self.call("postprocess_batch_list", p, pp, **kwargs)

    def post_sample(self, p, ps):
        self.call("post_sample", p, ps)

    def on_mask_blend(self, p, mba):
        self.call("on_mask_blend", p, mba)

    def postprocess_image(self, p, pp):
        self.call("postprocess_image", p, pp)

    def postprocess_maskoverlay(self, p, ppmo):
        self.call("postprocess_maskoverlay", p, ppmo)

    def postprocess_image_after_composite(self, p, pp):
        self.call("postprocess_image_after_composite", p, pp)

    def before_hr(self, p):
        self.call("before_hr", p)

    def before_component(self, component, **kwargs):
        for callback, script in self.on_before_component_elem_id.get(kwargs.get("elem_id"), []):
            wrap_call(callback, script.filename, "on_before_component", OnComponent(component))
        for script in self.scripts:
            if overrides(script, "before_component"):
                wrap_call(script.before_component, script.filename, "before_component", component, **kwargs)

    def after_component(self, component, **kwargs):
        for callback, script in self.on_after_component_elem_id.get(component.elem_id, []):
            wrap_call(callback, script.filename, "on_after_component", OnComponent(component))
        for script in self.scripts:
            if overrides(script, "after_component"):
                wrap_call(script.after_component, script.filename, "after_component", component, **kwargs)

    def reload_sources(self, cache):
        """Kept for those who call it; script files are loaded anew by a restart."""


def overrides(script: Script, method_name: str) -> bool:
    """Whether a script has its own version of a hook."""
    return getattr(type(script), method_name, None) is not getattr(Script, method_name, None) or (
        method_name in vars(script)
    )


def reset() -> None:
    """New runners for both tabs, over the scripts that are loaded."""
    own = sys.modules[__name__]
    from modules.scripts_postprocessing import ScriptPostprocessingRunner

    own.scripts_txt2img, own.scripts_img2img = ScriptRunner(), ScriptRunner()
    own.scripts_postproc = ScriptPostprocessingRunner()


def add_classes_to_gradio_component(comp):
    """Gives a component A1111's CSS classes."""
    comp.elem_classes = [f"gradio-{comp.get_block_name()}", *(comp.elem_classes or [])]
    if getattr(comp, "multiselect", False):
        comp.elem_classes.append("multiselect")
