"""The host of extensions: binds the studio, loads what is installed, and takes part in every job."""

from __future__ import annotations

import gc
import importlib
from collections.abc import Sequence
from contextlib import AbstractContextManager, suppress
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

from modules.a1111 import loading
from modules.a1111.bound import Bound, bind
from modules.a1111.calls import Turns
from modules.a1111.imports import open_doors
from modules.a1111.page.demo import Demo
from modules.a1111.page.page import Page
from modules.a1111.saving import SaveCallbacks

if TYPE_CHECKING:
    from modules.generation.postprocessing.step import Step
    from modules.generation.tools import Tools
    from modules.studio.flag_table import Flags
    from modules.studio.job import Job
    from modules.studio.job_watch import JobWatch
    from modules.studio.studio import Studio
    from modules.terms.request import GenerationRequest
    from modules.terms.result import GenerationResult

ROOT = Path(__file__).resolve().parents[2]
# Callbacks that have nothing to do with drawing: an extension with none but these need not see every job.
OF_THE_PAGE = frozenset(
    {
        "app_started",
        "before_reload",
        "ui_tabs",
        "ui_train_tabs",
        "ui_settings",
        "before_component",
        "after_component",
        "infotext_pasted",
        "script_unloaded",
        "before_ui",
    }
)


class Host:
    """One per studio, made by `install`."""

    def __init__(self, studio: Studio) -> None:
        self.studio = studio
        self.turns = Turns()
        self.page = Page(self.turns)

    def load(self) -> None:
        """Loads every active extension and the studio's own scripts. What fails is reported and passed over."""
        if self.studio.extensions.active():
            from modules.a1111.gradio3.apply import apply

            apply()
            # A1111 has these from its first start on, and extensions open them without asking.
            if not self.studio.flags.ui_config_file.exists():
                self.studio.flags.ui_config_file.write_text("{}", encoding="utf-8")
            if not self.studio.flags.ui_settings_file.exists():
                self.studio.settings.save(self.studio.flags.ui_settings_file)
            with suppress(OSError):  # where programs lie, the user may have no say
                self.studio.flags.localizations_dir.mkdir(parents=True, exist_ok=True)
        loading.load_all()
        # What they have imported stays. Every full collection would go through it: 0.3 s with 20 extensions.
        gc.freeze()
        scripts = importlib.import_module("modules.scripts")
        scripts.reset()

    def wants(self, request: GenerationRequest) -> bool:
        """Whether scripts take part in the job: one that it asks for, or any that sees to every job of its kind."""
        if request.script is not None:
            return True
        scripts = importlib.import_module("modules.scripts")
        callbacks = importlib.import_module("modules.script_callbacks")
        runner = scripts.scripts_img2img if request.source else scripts.scripts_txt2img
        always_on = runner is not None and any(script.wanted(request) for script in runner.alwayson_scripts)
        return always_on or any(
            registered
            for category, registered in callbacks.callback_map.items()
            if category.removeprefix("callbacks_") not in OF_THE_PAGE
        )

    def build_without_page(self) -> None:
        """Makes the scripts' components where there is no page, so that the API knows their arguments."""
        import gradio as gr

        from modules import script_callbacks
        from modules.a1111.page.components import heard

        scripts = importlib.import_module("modules.scripts")
        script_callbacks.before_ui_callback()
        with gr.Blocks(analytics_enabled=False), heard():
            for runner, is_img2img in ((scripts.scripts_txt2img, False), (scripts.scripts_img2img, True)):
                runner.initialize_scripts(is_img2img)
                runner.prepare_ui()
                scripts.scripts_current = runner
                # Scripts bind what they do to it.
                gr.Button("Generate", elem_id="img2img_generate" if is_img2img else "txt2img_generate")
                runner.setup_ui()
                scripts.scripts_current = None
            scripts.scripts_postproc.setup_ui()

    def draw(self, job: Job, request: GenerationRequest, tools: Tools, watch: JobWatch) -> GenerationResult:
        """The result of `request` with what extensions make of it."""
        from modules.a1111.drawing import draw

        return draw(job, request, tools, watch)

    def postprocessing(self, job: Job, tools: Tools, watch: JobWatch) -> AbstractContextManager[Sequence[Step]]:
        """Within: what extensions' scripts do in a job of the Extras tab, as steps of it."""
        from modules.a1111.postprocessing import steps

        return steps(job, tools, watch)

    def hold(self, job: Job, tools: Tools, watch: JobWatch) -> None:
        """Lets the extension that waits for this turn work. Raises: WebuiError with what it raised."""
        self.turns.hold(job, tools, watch)

    def app_started(self, demo: Any, app: Any) -> None:
        """Hands the server's app to the extensions that add routes to it; before anybody is answered."""
        from modules import script_callbacks

        if demo is not None:
            generating = {tab: fields for tab, fields in self.page.fields.items() if tab in ("txt2img", "img2img")}
            demo = Demo(demo, generating)
        script_callbacks.app_started_callback(demo, app)

    def model_loaded(self) -> None:
        """Tells extensions that a checkpoint has come into memory."""
        from modules import script_callbacks, shared

        script_callbacks.model_loaded_callback(shared.sd_model)

    def operations(self) -> list[str]:
        """The names of what extensions add to the Extras tab."""
        from modules.a1111.operations import names

        return names()

    def rows(self) -> list[dict[str, Any]]:
        """The scripts as `/sdapi/v1/script-info` lists them."""
        from modules.a1111.script_rows import rows

        return rows()


def stand_for_folders(flags: Flags, root: Path = ROOT) -> None:
    """Before there is a studio, `modules.paths` stands for the folders of `flags`: preload.py files ask for them."""
    bind(Bound(SimpleNamespace(flags=flags), root))  # type: ignore[arg-type]
    open_doors()


def install(studio: Studio, root: Path = ROOT) -> Host:
    """Makes `from modules import shared` and its like stand for `studio`. Returns the host, nothing loaded yet."""
    bind(Bound(studio, root))
    open_doors()
    host = Host(studio)
    studio.host = host
    studio.outputs.onlooker = SaveCallbacks()
    return host
