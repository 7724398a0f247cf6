"""`<kind:name:…>` in prompts. The studio applies its own kinds; what extensions register is called beside them."""

from __future__ import annotations

import json
import re
from collections import defaultdict

from modules import errors

extra_network_registry: dict = {}
extra_network_aliases: dict = {}
re_extra_net = re.compile(r"<(\w+):([^>]+)>")


class ExtraNetworkParams:
    def __init__(self, items=None):
        self.items = items or []
        self.positional = []
        self.named = {}
        for item in self.items:
            parts = item.split("=", 2) if isinstance(item, str) else [item]
            if len(parts) == 2:
                self.named[parts[0]] = parts[1]
            else:
                self.positional.append(item)

    def __eq__(self, other):
        return self.items == other.items


class ExtraNetwork:
    """One kind, registered by an extension: `activate` is called before the prompts are encoded."""

    def __init__(self, name):
        self.name = name

    def activate(self, p, params_list):
        raise NotImplementedError

    def deactivate(self, p):
        raise NotImplementedError


def initialize():
    """Kinds of extensions are kept until the next start."""


def register_extra_network(extra_network):
    extra_network_registry[extra_network.name] = extra_network


def register_extra_network_alias(extra_network, alias):
    extra_network_aliases[alias] = extra_network


def register_default_extra_networks():
    """The studio's own kinds need no registering."""


def from_tags(tags):
    """kind -> params, from the studio's reading of the prompt."""
    data = defaultdict(list)
    for tag in tags:
        data[tag.kind].append(ExtraNetworkParams(list(tag.args)))
    return data


def _others(data):
    for kind, params in (data or {}).items():
        network = extra_network_registry.get(kind) or extra_network_aliases.get(kind)
        if network is not None:
            yield network, params


def activate_others(p, data):
    """Calls what extensions registered: with the tags that are there, and with none for the others."""
    asked = dict(_others(data))
    for network in {*asked, *extra_network_registry.values()}:
        try:
            network.activate(p, asked.get(network, []))
        except Exception as error:
            errors.display(error, f"activating extra network {network.name}")


def deactivate_others(p, data):
    for network in extra_network_registry.values():
        try:
            network.deactivate(p)
        except Exception as error:
            errors.display(error, f"deactivating extra network {network.name}")


def activate(p, extra_network_data):
    activate_others(p, extra_network_data)


def deactivate(p, extra_network_data):
    deactivate_others(p, extra_network_data)


def parse_prompt(prompt):
    """The prompt without its tags, and kind -> params."""
    found = defaultdict(list)

    def take(match):
        found[match.group(1)].append(ExtraNetworkParams(items=match.group(2).split(":")))
        return ""

    return re.sub(re_extra_net, take, prompt), found


def parse_prompts(prompts):
    cleaned = []
    data = None
    for prompt in prompts:
        text, found = parse_prompt(prompt)
        data = found if data is None else data
        cleaned.append(text)
    return cleaned, data


def get_user_metadata(filename, lister=None):
    """The JSON file beside a network."""
    if filename is None:
        return {}
    try:
        with open(filename.rsplit(".", 1)[0] + ".json", encoding="utf8") as file:
            metadata = json.load(file)
    except (OSError, ValueError):
        return {}
    return metadata if isinstance(metadata, dict) else {}
