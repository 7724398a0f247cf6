"""The studio's checkpoints, under A1111's names. Models are kept by the studio and loaded when they are needed."""

from __future__ import annotations

import json

from modules import paths_internal
from modules.a1111 import checkpoints
from modules.a1111.bound import bound
from modules.a1111.checkpoints import CheckpointInfo, ModelData
from modules.a1111.missing import refusing

model_dir = "Stable-diffusion"
model_path = f"{paths_internal.models_path}/{model_dir}"
checkpoints_list = checkpoints.ByName(aliases=False)
checkpoint_aliases = checkpoints.ByName(aliases=True)
checkpoint_alisases = checkpoint_aliases
checkpoints_loaded: dict = {}
model_data = ModelData()


def setup_model():
    """The library needs no setting up."""


def list_models():
    """Looks at the folders again."""
    bound().studio.refresh("checkpoints")


def checkpoint_tiles(use_short=False):
    """What the menu of checkpoints shows."""
    return [one.short_title if use_short else one.title for one in checkpoints_list.values()]


def get_closet_checkpoint_match(search_string):
    """The checkpoint that a name, hash or part of a title means; None for none."""
    return checkpoints.closest(search_string)


get_closest_checkpoint_match = get_closet_checkpoint_match


def model_hash(filename):
    """The eight digits by which A1111 once called a file."""
    from pathlib import Path

    from modules.checkpoints.hashes import legacy_hash

    try:
        return legacy_hash(Path(filename))
    except OSError:
        return "NOFILE"


def select_checkpoint():
    """The checkpoint that the settings name. Raises: NotFound if there is none at all."""
    return checkpoints.chosen()


def read_metadata_from_safetensors(filename):
    """What a safetensors file says of itself; JSON values are decoded."""
    from pathlib import Path

    from modules.checkpoints.files import read_header

    found = {}
    for key, value in read_header(Path(filename)).metadata.items():
        try:
            found[key] = json.loads(value) if value[:1] == "{" else value
        except ValueError:
            found[key] = value
    return found


def read_state_dict(checkpoint_file, print_global_state=False, map_location=None):
    """The tensors of a model file by key. Code in pickles is never run."""
    from pathlib import Path

    from modules.checkpoints.files import open_tensors

    found = dict(open_tensors(Path(checkpoint_file)))
    return {key: tensor.to(map_location) for key, tensor in found.items()} if map_location else found


def get_state_dict_from_checkpoint(pl_sd):
    return pl_sd.get("state_dict", pl_sd)


def get_checkpoint_state_dict(checkpoint_info, timer=None):
    return read_state_dict(checkpoint_info.filename)


def load_model(checkpoint_info=None, already_loaded_state_dict=None):
    """Loads a checkpoint, or the one that the settings name, or one of tensors in memory, and returns it."""
    if already_loaded_state_dict is not None:
        checkpoints.choose(checkpoints.kept(already_loaded_state_dict))
    elif checkpoint_info is not None:
        checkpoints.choose(_info(checkpoint_info))
    checkpoints.load_now()
    return model_data.sd_model


def reload_model_weights(sd_model=None, info=None, forced_reload=False):
    """Chooses `info` (None: what the settings name) and loads it. In a job, it holds for that job."""
    if info is not None:
        checkpoints.choose(_info(info))
    if bound().work is None:
        checkpoints.load_now()
    return model_data.sd_model


def _info(given):
    return given if isinstance(given, CheckpointInfo) else checkpoints.closest(str(given))


def unload_model_weights(sd_model=None, info=None):
    """Drops the models from memory, after the job that uses one."""
    if bound().work is None:
        bound().studio.unload()
    return sd_model


def reuse_model_from_already_loaded(sd_model, checkpoint_info, timer):
    return sd_model


def send_model_to_cpu(m):
    """Models are moved by the studio."""


send_model_to_device = send_model_to_trash = send_model_to_cpu


def apply_token_merging(sd_model, token_merging_ratio):
    """Token merging is applied by the studio, as the settings say."""


class SkipWritingToConfig:
    """Within: A1111 does not save the chosen checkpoint."""

    skip = False

    def __enter__(self):
        SkipWritingToConfig.skip = True
        return self

    def __exit__(self, *exc_info):
        SkipWritingToConfig.skip = False


def __getattr__(name):
    if name == "sd_model":
        return model_data.sd_model
    if name == "checkpoint_info":
        return checkpoints.chosen()
    return refuse(name)


refuse = refusing("modules.sd_models")
