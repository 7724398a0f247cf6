"""`<lora:name:0.8>` in a prompt: which extra networks are asked for."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

_KIND = re.compile(r"<(\w+):")


@dataclass(frozen=True)
class NetworkTag:
    """One tag: `<kind:arg:arg:…>`. An argument with exactly one `=` is named, all others are positional."""

    kind: str
    args: tuple[str, ...]

    @property
    def positional(self) -> tuple[str, ...]:
        return tuple(arg for arg in self.args if arg.count("=") != 1)

    @property
    def named(self) -> Mapping[str, str]:
        splits = (arg.partition("=") for arg in self.args if arg.count("=") == 1)
        return {name: value for name, _, value in splits}

    def __str__(self) -> str:
        return f"<{':'.join((self.kind, *self.args))}>"


def extract_networks(text: str) -> tuple[str, tuple[NetworkTag, ...]]:
    """`text` without its tags (the spaces around them stay), and the tags in order, of whatever kind."""
    kept: list[str] = []
    tags: list[NetworkTag] = []
    position = written = 0
    while found := _KIND.search(text, position):
        end = text.find(">", found.end())
        if end < 0:
            break
        position = found.end()
        if end > found.end():
            tags.append(NetworkTag(found.group(1), tuple(text[found.end() : end].split(":"))))
            kept.append(text[written : found.start()])
            position = written = end + 1
    kept.append(text[written:])
    return "".join(kept), tuple(tags)
