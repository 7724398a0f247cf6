"""The lists that menus of A1111 show, from the studio's own."""

from __future__ import annotations

from modules.a1111.bound import bound
from modules.a1111.missing import refusing


def list_checkpoint_tiles(use_short=False):
    from modules import sd_models

    return sd_models.checkpoint_tiles(use_short)


def refresh_checkpoints():
    bound().studio.refresh("checkpoints")


def list_samplers():
    from modules import sd_samplers

    return sd_samplers.all_samplers


def reload_hypernetworks():
    from modules import shared

    bound().studio.refresh("hypernetworks")
    shared.hypernetworks.clear()
    shared.hypernetworks.update((info.name, str(info.path)) for info in bound().studio.hypernetworks.infos)


def sd_vae_items():
    return list(bound().studio.listing("vae"))


def refresh_vae_list():
    bound().studio.refresh("vae")


def cross_attention_optimizations():
    return ["Automatic", "None"]


def sd_unet_items():
    return ["Automatic", "None"]


def refresh_unet_list():
    """The studio has no other UNets."""


def realesrgan_models_names():
    return [row["name"] for row in bound().studio.details("realesrgan_models")]


def dat_models_names():
    return [name for name in bound().studio.listing("pixel_upscalers") if name.startswith("DAT")]


def postprocessing_scripts():
    from modules import scripts

    return scripts.scripts_postproc.scripts_in_preferred_order() if scripts.scripts_postproc else []


def get_infotext_names():
    """The names that infotexts of the studio have."""
    return [setting.infotext for setting in bound().studio.settings.catalogue.values() if setting.infotext]


__getattr__ = refusing("modules.shared_items")
