"""The text inside pictures: a prompt, a negative prompt and `Key: value, …`, as A1111 writes and reads it.

This file knows the form; `describe.py` knows which entries there are, `restore.py` makes a request of them again.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple, Protocol

from modules.prompt.attention import parse_attention
from modules.settings.store import Settings

NEGATIVE = "Negative prompt:"
MIN_ENTRIES = 3

# Written besides the prompts when reading them back from their lines would give others. Programs that do not know
# these keys ignore them.
EXACT_PROMPT = "Exact prompt"
EXACT_NEGATIVE = "Exact negative prompt"

_QUOTED = re.compile(r'"(?:\\.|[^\\"])+"(?=,|$)')
_BLANKS = re.compile(r"\s*")
_VERSION = re.compile(r"v?(\d+)\.(\d+)(?:\.(\d+))?(?:-(?P<after>\d+|RC))?(?:-.*)?")
_SIZE = re.compile(r"(\d+)x(\d+)")
_KEY_SIGNS = " -/"


class Parts(NamedTuple):
    """A text taken apart. Values of `entries` are as written, without quotes; sizes are still one entry."""

    prompt: str
    negative_prompt: str
    entries: dict[str, str]


def quote(value: object) -> str:
    """`value` as text; in JSON quotes where it could not be told from what follows or would not be read back."""
    text = str(value)
    if any(sign in text for sign in ",:\n") or text != text.strip() or text[:1] == '"':
        return json.dumps(text, ensure_ascii=False)
    return text


def unquote(text: str) -> str:
    """The inverse of `quote`; text that is not a JSON string is returned as it is."""
    if not text.startswith('"') or not text.endswith('"'):
        return text
    try:
        return str(json.loads(text))
    except ValueError:
        return text


def write(prompt: str, negative_prompt: str, entries: Mapping[str, Any]) -> str:
    """The text. Entries that are None are left out; of those whose value is their key, only the key is written."""
    entries = dict(entries)
    if not _survives(prompt):
        entries[EXACT_PROMPT] = prompt
    if not _survives(negative_prompt):
        entries[EXACT_NEGATIVE] = negative_prompt
    written = ", ".join(
        key if key == value else f"{key}: {quote(value)}" for key, value in entries.items() if value is not None
    )
    negative = f"\n{NEGATIVE} {negative_prompt}" if negative_prompt else ""
    return f"{prompt}{negative}\n{written}".strip()


def _survives(prompt: str) -> bool:
    """Whether `prompt` can be told from a negative prompt when it is read line by line."""
    return not any(line.strip().startswith(NEGATIVE) for line in prompt.split("\n"))


def take_apart(text: str, *, json_values: bool = True) -> Parts:
    """The prompts and entries of `text`. Never raises; text without entries is all prompt.

    json_values: an unquoted value that is JSON ends where its brackets do (Civitai writes such). A1111 ends it at the
    first comma; False does the same.
    """
    *lines, last = text.strip().split("\n")
    if sum(1 for _ in _entries(last, json_values=False)) < MIN_ENTRIES:
        lines.append(last)
        last = ""
    prompt: list[str] = []
    negative: list[str] = []
    target = prompt
    for line in map(str.strip, lines):
        if line.startswith(NEGATIVE):
            target, line = negative, line.removeprefix(NEGATIVE).strip()
        # Empty lines at the beginning are dropped, as A1111 does.
        if line or target:
            target.append(line)
    entries = {key: unquote(value) for key, value in _entries(last, json_values=json_values) if value}
    return Parts(
        entries.pop(EXACT_PROMPT, "\n".join(prompt)),
        entries.pop(EXACT_NEGATIVE, "\n".join(negative)),
        entries,
    )


def _entries(line: str, *, json_values: bool) -> Iterator[tuple[str, str]]:
    """Each `Key: value` of `line`, quotes included. A key has two or more letters, digits, `_`, blanks, `-` and `/`.

    By hand rather than by the regular expression of A1111, which takes quadratic time on long lines.
    """
    at = 0
    while (colon := line.find(":", at)) >= 0:
        start = colon
        while start > at and (line[start - 1].isalnum() or line[start - 1] in "_ -/"):
            start -= 1
        key = line[start:colon].lstrip(_KEY_SIGNS)
        at = colon + 1
        if len(key) < 2:
            continue
        begin = _BLANKS.match(line, at).end()  # type: ignore[union-attr]
        end = _end_of_value(line, begin, json_values)
        yield key, line[begin:end]
        at = end + 1


def _end_of_value(line: str, begin: int, json_values: bool) -> int:
    if quoted := _QUOTED.match(line, begin):
        return quoted.end()
    if json_values and line[begin : begin + 1] in ("{", "["):
        try:
            _, end = json.JSONDecoder().raw_decode(line, begin)
        except (ValueError, RecursionError):
            end = begin
        if end > begin and line[end : end + 1] in ("", ","):
            return end
    comma = line.find(",", begin)
    return comma if comma >= 0 else len(line)


class StyleFinder(Protocol):
    """What finds the styles in a pair of prompts: `modules.prompt.styles.StyleBook`."""

    def extract(self, prompt: str, negative_prompt: str) -> tuple[Sequence[str], str, str]: ...


def parse(
    text: str,
    *,
    settings: Mapping[str, Any] | None = None,
    styles: StyleFinder | None = None,
    json_values: bool = True,
) -> dict[str, Any]:
    """What `text` says, by key, completed as A1111 does on paste: defaults, old versions, styles.

    Written values are text, `Size: 512x768` becomes `Size-1` and `Size-2`; defaults are numbers and truth values.
    Never raises. Source: spec/infotext.md §4.
    """
    settings = settings if settings is not None else Settings()
    parts = take_apart(text, json_values=json_values)
    found: dict[str, Any] = {}
    for key, value in parts.entries.items():
        if size := _SIZE.fullmatch(value):
            found[f"{key}-1"], found[f"{key}-2"] = size[1], size[2]
        else:
            found[key] = value
    found["Prompt"], found["Negative prompt"] = parts.prompt, parts.negative_prompt
    if styles is not None and settings["infotext_styles"] != "Ignore":
        _take_styles(found, styles, str(settings["infotext_styles"]))
    _append_hypernetwork(found)
    _restore_old_hires(found, old_size=bool(settings["use_old_hires_fix_width_height"]))
    _fill_defaults(found)
    if settings["auto_backcompat"]:
        _restore_old_version(found)
    for key in settings["infotext_skip_pasting"]:
        found.pop(key, None)
    return found


def _take_styles(found: dict[str, Any], styles: StyleFinder, mode: str) -> None:
    """Take the texts of styles out of the prompts; `Styles array` names them, unless they are only to be discarded."""
    names, prompt, negative = styles.extract(found["Prompt"], found["Negative prompt"])
    hires = {key: found[key] for key in ("Hires prompt", "Hires negative prompt") if found.get(key)}
    if hires and version_of(found.get("Version")) > (1, 8, 0, 139):
        # Since then styles are applied to the hires prompts as well, so they must be in both or were not used.
        hires_names, hires_prompt, hires_negative = styles.extract(
            hires.get("Hires prompt", found["Prompt"]), hires.get("Hires negative prompt", found["Negative prompt"])
        )
        if list(hires_names) != list(names):
            names = ()
        else:
            taken = {"Hires prompt": hires_prompt, "Hires negative prompt": hires_negative}
            found.update({key: taken[key] for key in hires})
    if names:
        found["Prompt"], found["Negative prompt"] = prompt, negative
    if mode == "Apply" or (mode == "Apply if any" and names):
        found["Styles array"] = list(names)


def _append_hypernetwork(found: dict[str, Any]) -> None:
    """A hypernetwork was a setting once; now it is part of the prompt."""
    name = found.get("Hypernet")
    if name is not None:
        found["Prompt"] += f"<hypernet:{name}:{found.get('Hypernet strength', '1.0')}>"


def _restore_old_hires(found: dict[str, Any], *, old_size: bool) -> None:
    """Before 1.0 `Size` was the final size and `First pass size` the first; 0 meant: chosen by area."""
    found.setdefault("Hires resize-1", 0)
    found.setdefault("Hires resize-2", 0)
    resize = _whole(found["Hires resize-1"]), _whole(found["Hires resize-2"])
    if old_size and all(resize):
        found["Size-1"], found["Size-2"] = resize
        return
    if "First pass size-1" not in found:
        return
    final = _whole(found.get("Size-1", 512)), _whole(found.get("Size-2", 512))
    first = _whole(found["First pass size-1"]), _whole(found["First pass size-2"])
    if not all(first):
        first = first_pass_size(*final)
    found["Size-1"], found["Size-2"] = first
    found["Hires resize-1"], found["Hires resize-2"] = final


def first_pass_size(width: int, height: int) -> tuple[int, int]:
    """The first pass of the old hires fix: of the area of 512x512, each side rounded up to 64."""
    scale = math.sqrt(512 * 512 / max(1, width * height))
    return math.ceil(scale * width / 64) * 64, math.ceil(scale * height / 64) * 64


def _whole(value: object) -> int:
    try:
        return int(float(str(value)))
    except (ValueError, OverflowError):
        return 0


def _fill_defaults(found: dict[str, Any]) -> None:
    defaults: dict[str, Any] = {
        "Clip skip": "1",
        "Hires sampler": "Use same sampler",
        "Hires schedule type": "Use same scheduler",
        "Hires checkpoint": "Use same checkpoint",
        "Hires prompt": "",
        "Hires negative prompt": "",
        "Mask mode": "Inpaint masked",
        "Masked content": "original",
        "Inpaint area": "Whole picture",
        "Masked area padding": 32,
        "RNG": "GPU",
        "Schedule type": "Automatic",
        "Schedule max sigma": 0,
        "Schedule min sigma": 0,
        "Schedule rho": 0,
        "VAE Encoder": "Full",
        "VAE Decoder": "Full",
        "FP8 weight": "Disable",
        "Refiner switch by sampling steps": False,
    }
    for key, value in defaults.items():
        found.setdefault(key, value)
    if found["FP8 weight"] != "Disable":
        found.setdefault("Cache FP16 weight for LoRA", False)
    if "Emphasis" not in found and _uses_emphasis(found["Prompt"], found["Negative prompt"]):
        found["Emphasis"] = "Original"


def _uses_emphasis(*prompts: str) -> bool:
    return any(segment.weight != 1 and not segment.is_break for text in prompts for segment in parse_attention(text))


def _restore_old_version(found: dict[str, Any]) -> None:
    """Set what makes pictures of older versions of A1111 come out the same. Other programs' versions mean nothing."""
    version = version_of(found.get("Version"))
    if version == UNKNOWN:
        return
    if version < (1, 6, 0, 0) and "[" in found["Prompt"]:
        found["Old prompt editing timelines"] = True
    if version < (1, 6, 0, 0) and found.get("Sampler") in ("DDIM", "PLMS"):
        found["Pad conds v0"] = True
    if version < (1, 7, 0, 225):
        found["Downcast alphas_cumprod"] = True
    if version < (1, 8, 0, 0) and found.get("Refiner"):
        found["Refiner switch by sampling steps"] = True


UNKNOWN = (math.inf,)


def version_of(text: object) -> tuple[float, ...]:
    """(1, 7, 0, 225) of "v1.7.0-225-gabcdef", (1, 8, 0, -1) of the release candidate "v1.8.0-RC".

    `UNKNOWN`, which is above all others, for anything else.
    """
    match = _VERSION.fullmatch(str(text or ""))
    if match is None:
        return UNKNOWN
    after = match["after"] or "0"
    return int(match[1]), int(match[2]), int(match[3] or 0), -1 if after == "RC" else int(after)
