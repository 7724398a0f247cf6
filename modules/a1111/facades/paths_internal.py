"""The studio's folders, under A1111's names."""

from __future__ import annotations

import os

from modules.a1111.bound import bound

_flags = bound().studio.flags
modules_path = str(bound().root / "modules")
script_path = str(bound().root)
cwd = os.getcwd()
data_path = str(_flags.data_dir)
models_path = str(_flags.models_dir)
extensions_dir = str(_flags.data_dir / "extensions")
extensions_builtin_dir = str(bound().root / "extensions-builtin")
config_states_dir = str(_flags.data_dir / "config_states")
default_output_dir = str(_flags.data_dir / "outputs")
sd_configs_path = str(bound().root / "configs")
sd_default_config = os.path.join(sd_configs_path, "v1-inference.yaml")
sd_model_file = os.path.join(models_path, "Stable-diffusion", "model.ckpt")
default_sd_model_file = sd_model_file
roboto_ttf_file = ""
normalized_filepath = os.path.abspath


def _font() -> str:
    from importlib.util import find_spec
    from pathlib import Path

    spec = find_spec("matplotlib")
    places = (
        [Path(spec.origin).parent / "mpl-data" / "fonts" / "ttf" / "DejaVuSans.ttf"] if spec and spec.origin else []
    )
    places += [Path("/usr/share/fonts/truetype/dejavu/DejaVuSans.ttf"), Path("C:/Windows/Fonts/arial.ttf")]
    return next((str(path) for path in places if path.is_file()), "")


roboto_ttf_file = _font()
