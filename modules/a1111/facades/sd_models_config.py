"""Which config a checkpoint has. The studio recognises models by their tensors, so only what lies beside one counts."""

from __future__ import annotations

import os

from modules.paths_internal import sd_configs_path, sd_default_config

from modules.a1111.missing import refusing

config_default = sd_default_config
config_sdxl = os.path.join(sd_configs_path, "sd_xl_base.yaml")
config_sdxl_refiner = os.path.join(sd_configs_path, "sd_xl_refiner.yaml")


def find_checkpoint_config_near_filename(info):
    """The .yaml beside a checkpoint; None if there is none."""
    config = f"{os.path.splitext(info.filename)[0]}.yaml"
    return config if os.path.exists(config) else None


def find_checkpoint_config(state_dict, info):
    return find_checkpoint_config_near_filename(info) or config_default


__getattr__ = refusing("modules.sd_models_config")
