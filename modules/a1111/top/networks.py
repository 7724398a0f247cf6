"""`networks`, A1111's built-in LoRA module: what the studio's prompts ask for and its folders hold."""

from __future__ import annotations

from modules.a1111.loras import Available, Loaded, NetworkOnDisk
from modules.a1111.missing import refusing

available_networks = Available(aliases=False)
available_network_aliases = Available(aliases=True)
loaded_networks = Loaded()
loaded_bundle_embeddings: dict = {}
networks_in_memory: dict = {}
forbidden_network_aliases: dict = {"none": 1, "Addams": 1}
available_network_hash_lookup = Available(aliases=True)
extra_network_lora = None


def list_available_networks():
    """Looks at the folders again."""
    from modules.a1111.bound import bound

    bound().studio.refresh("loras")


def load_networks(names, te_multipliers=None, unet_multipliers=None, dyn_dims=None):
    """Prompts name the networks that they want: `<lora:name:weight>`."""


def load_network(name, network_on_disk):
    return network_on_disk


def find_network_filename(name):
    found = available_network_aliases.get(name)
    return None if found is None else found.filename


class Originals:
    """What PyTorch had in place before any extension put its own there."""

    def __init__(self):
        from torch import nn

        for kind in (nn.Linear, nn.Conv2d, nn.GroupNorm, nn.LayerNorm, nn.MultiheadAttention):
            setattr(self, f"{kind.__name__}_forward", kind.forward)
            setattr(self, f"{kind.__name__}_load_state_dict", kind._load_from_state_dict)


originals = Originals()


def network_forward(module, input, original_forward):
    """The layer's answer: the studio's networks are in its weights while a picture is drawn."""
    return original_forward(module, input)


def network_apply_weights(self):
    """The studio puts networks on and takes them off."""


network_restore_weights_from_backup = network_reset_cached_weight = network_apply_weights


def network_Linear_forward(self, input):
    return originals.Linear_forward(self, input)


__all__ = ["NetworkOnDisk"]
__getattr__ = refusing("networks")
