"""Scripts of extensions: what they derive from, which there are, and the runners that call them."""

from __future__ import annotations

import inspect
import sys
from collections import namedtuple
from typing import Any

from modules.scripts.calling import call_hook, wrap_call  # noqa: F401 - what extensions reach through this module
from modules.scripts.handed import (  # noqa: F401
    MaskBlendArgs,
    OnComponent,
    PostprocessBatchListArgs,
    PostprocessImageArgs,
    PostProcessMaskOverlayArgs,
    PostSampleArgs,
)
from modules.scripts.runner import ScriptRunner
from modules.scripts.script import AlwaysVisible, Script, ScriptBuiltinUI, overrides  # noqa: F401

from modules import errors, script_callbacks  # noqa: F401
from modules.a1111.bound import bound
from modules.a1111.ordering import in_order

topological_sort = in_order


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
