"""The studio's VAE files, under A1111's names. Which one is used, the setting `sd_vae` says."""

from __future__ import annotations

import os

from modules import paths_internal, shared
from modules.a1111 import checkpoints
from modules.a1111.bound import bound
from modules.a1111.missing import refusing

vae_path = os.path.abspath(os.path.join(paths_internal.models_path, "VAE"))
vae_ignore_keys = {"model_ema.decay", "model_ema.num_updates"}
vae_dict = checkpoints.Vaes()
unspecified = object()


def refresh_vae_list():
    """Looks at the folders again."""
    bound().studio.refresh("vae")


def get_filename(filepath):
    return os.path.basename(filepath)


def get_loaded_vae_name():
    bundle = shared.sd_model.bundle
    return bundle.vae_info.name if bundle is not None and bundle.vae_info is not None else None


def get_loaded_vae_hash():
    from pathlib import Path

    file = _loaded_file()
    return None if file is None else (bound().studio.hashes.compute(Path(file), f"vae/{get_filename(file)}") or "")[:10]


def _loaded_file():
    bundle = shared.sd_model.bundle
    return str(bundle.vae_info.path) if bundle is not None and bundle.vae_info is not None else None


def find_vae_near_checkpoint(checkpoint_file):
    """The VAE whose name begins with that of the checkpoint; None if there is none."""
    stem = os.path.basename(checkpoint_file).rsplit(".", 1)[0]
    return next((path for name, path in vae_dict.items() if name.startswith(stem)), None)


def load_vae_dict(filename, map_location):
    """The tensors of a VAE file, without those of its loss."""
    from modules import sd_models

    found = sd_models.read_state_dict(filename, map_location=map_location)
    return {key: value for key, value in found.items() if key[:4] != "loss" and key not in vae_ignore_keys}


def reload_vae_weights(sd_model=None, vae_file=unspecified):
    """Chooses a VAE file; None is the checkpoint's own. In a job, it holds for that job."""
    if vae_file is not unspecified:
        shared.opts.sd_vae = "None" if vae_file is None else get_filename(vae_file)
    return sd_model or shared.sd_model


def load_vae(model, vae_file=None, vae_source="from unknown source"):
    reload_vae_weights(model, vae_file)


def clear_loaded_vae():
    """The studio keeps the VAEs that it needs."""


def restore_base_vae(model):
    """The checkpoint's own VAE was never overwritten."""


def __getattr__(name):
    if name == "loaded_vae_file":
        return _loaded_file()
    return refuse(name)


refuse = refusing("modules.sd_vae")
