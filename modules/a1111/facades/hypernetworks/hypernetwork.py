"""Hypernetworks in the studio's folders. They are applied where a prompt or a setting names them."""

from __future__ import annotations

import os

from modules.a1111.missing import refusing


def list_hypernetworks(path):
    """name -> path of the files below a folder."""
    from modules import shared

    return {os.path.splitext(os.path.basename(file))[0]: file for file in shared.walk_files(path, [".pt"])}


def load_hypernetworks(names, multipliers=None):
    """Prompts name the hypernetworks that they want."""


def load_hypernetwork(name):
    """Prompts name the hypernetworks that they want."""


def find_closest_hypernetwork_name(search):
    from modules import shared

    found = [name for name in shared.hypernetworks if search.lower() in name.lower()]
    return min(found, key=len) if search and found else None


def apply_hypernetworks(hypernetworks, context, layer=None):
    """(context, context): the studio applies them inside of its networks."""
    return context, context


apply_single_hypernetwork = apply_hypernetworks

__getattr__ = refusing("modules.hypernetworks.hypernetwork")
