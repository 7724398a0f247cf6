"""What A1111's modules share: settings, flags, the job that runs, the model. Everything here stands for the studio."""

from __future__ import annotations

import os
import re
import sys

from modules.options import OptionHTML, OptionInfo, categories, options_section  # noqa: F401
from modules.paths_internal import (  # noqa: F401
    data_path,
    default_sd_model_file,
    extensions_builtin_dir,
    extensions_dir,
    models_path,
    script_path,
    sd_configs_path,
    sd_default_config,
    sd_model_file,
)

from modules import errors  # noqa: F401 - reached as shared.errors
from modules.a1111 import faces, library, models, progress, styles
from modules.a1111.bound import bound
from modules.a1111.flags import CommandLine
from modules.a1111.options import OptionsProxy
from modules.a1111.page.settings import Templates

cmd_opts = CommandLine(bound().studio.flags)
parser = cmd_opts.parser
opts = OptionsProxy()
state = progress.State()
total_tqdm = progress.TotalTqdm()
prompt_styles = styles.Styles()
mem_mon = progress.MemoryMonitor()
restricted_opts = None
config_filename = str(bound().studio.flags.ui_settings_file)
hide_dirs = {"visible": not cmd_opts.hide_ui_dir_config}
demo = None
batch_cond_uncond = True
parallel_processing_allowed = True
styles_filename = cmd_opts.styles_file = cmd_opts.styles_file or [str(bound().studio.flags.data_dir / "styles.csv")]
hypernetworks: dict[str, str] = {info.name: str(info.path) for info in bound().studio.hypernetworks.infos}
loaded_hypernetworks: list = []
face_restorers = faces.Restorers()
interrogator = models.Interrogator()
latent_upscale_default_mode = "Latent"
latent_upscale_modes = {
    "Latent": {"mode": "bilinear", "antialias": False},
    "Latent (antialiased)": {"mode": "bilinear", "antialias": True},
    "Latent (bicubic)": {"mode": "bicubic", "antialias": False},
    "Latent (bicubic antialiased)": {"mode": "bicubic", "antialias": True},
    "Latent (nearest)": {"mode": "nearest", "antialias": False},
    "Latent (nearest-exact)": {"mode": "nearest-exact", "antialias": False},
}
progress_print_out = sys.stdout
tab_names: list[str] = []
options_templates = Templates(opts)
settings_components: dict = {}
xformers_available = False
clip_model = None
sd_upscalers = library.Upscalers()
sd_model = models.Model()
State = progress.State
TotalTQDM = progress.TotalTqdm
Options = OptionsProxy
clip = None
hypernetwork_dir = getattr(cmd_opts, "hypernetwork_dir", None)
config_states_dir = str(bound().studio.flags.data_dir / "config_states")


def __getattr__(name):
    if name in ("device", "weight_load_location"):
        from modules import devices

        return devices.device
    if name == "sd_vae_items":
        from modules import shared_items

        return shared_items.sd_vae_items
    if name == "gradio_theme":
        import gradio as gr

        # The studio has one theme of its own; extensions write what they like on this one.
        return globals().setdefault(name, gr.themes.Base())
    if name in ("list_checkpoint_tiles", "refresh_checkpoints", "list_samplers", "reload_hypernetworks"):
        from modules import shared_items

        return getattr(shared_items, name)
    if name.startswith("__"):
        raise AttributeError(name)
    from modules.a1111.missing import not_offered

    raise not_offered("modules.shared", name)


def natural_sort_key(s, regex=re.compile("([0-9]+)")):
    return [int(text) if text.isdigit() else text.lower() for text in regex.split(s)]


def listfiles(dirname):
    paths = [os.path.join(dirname, name) for name in sorted(os.listdir(dirname), key=natural_sort_key)]
    return [path for path in paths if not os.path.basename(path).startswith(".") and os.path.isfile(path)]


def walk_files(path, allowed_extensions=None):
    """Every file below `path`, hidden folders left out as the settings say."""
    if not os.path.exists(path):
        return
    wanted = set(allowed_extensions) if allowed_extensions is not None else None
    for root, _, files in sorted(os.walk(path, followlinks=True), key=lambda one: natural_sort_key(one[0])):
        for filename in sorted(files, key=natural_sort_key):
            if wanted is not None and os.path.splitext(filename)[1].lower() not in wanted:
                continue
            yield os.path.join(root, filename)


def html_path(filename):
    return os.path.join(script_path, "html", filename)


def html(filename):
    path = html_path(filename)
    if not os.path.exists(path):
        return ""
    with open(path, encoding="utf8") as file:
        return file.read()


def ldm_print(*args, **kwargs):
    """Networks say nothing while they load."""


def reload_gradio_theme(theme_name=None):
    """The studio has one theme."""
