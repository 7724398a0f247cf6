"""As `paths_internal`, with the folders of things that A1111 keeps beside itself."""

from __future__ import annotations

from modules.paths_internal import (  # noqa: F401 - the names are the module
    cwd,
    data_path,
    default_output_dir,
    extensions_builtin_dir,
    extensions_dir,
    models_path,
    modules_path,
    roboto_ttf_file,
    script_path,
    sd_configs_path,
    sd_default_config,
    sd_model_file,
)

sd_path = script_path
paths: dict[str, str] = {}


class Prioritize:
    """Within: imports look into the folder `name` first."""

    def __init__(self, name):
        self.name = name

    def __enter__(self):
        return self

    def __exit__(self, *exc_info):
        return None
