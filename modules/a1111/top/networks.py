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


__all__ = ["NetworkOnDisk"]
__getattr__ = refusing("networks")
