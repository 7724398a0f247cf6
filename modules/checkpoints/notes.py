"""What people keep beside a model file: notes in `<stem>.json`, a description, a preview picture.

The names and the JSON's keys are A1111's, so that both programs, and extensions that write such files, see the same.
Source: spec/models_and_networks.md §10.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Mapping
from pathlib import Path
from typing import Any

from modules.terms.atomic import replacing
from modules.terms.errors import BadRequest, Refused

PREVIEW_ENDINGS = (".png", ".jpg", ".jpeg", ".webp", ".gif", ".avif")
DESCRIPTION_ENDINGS = (".txt", ".description.txt")
MAX_TEXT = 100_000
STRONGEST = 100


def _is_text(value: object) -> bool:
    return isinstance(value, str) and len(value) <= MAX_TEXT


def _is_weight(value: object) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and abs(value) <= STRONGEST


# The keys that may be set, and what their values may be.
NOTES: Mapping[str, Callable[[object], bool]] = {
    "description": _is_text,
    "notes": _is_text,
    "activation text": _is_text,
    "negative text": _is_text,
    "preferred weight": _is_weight,
    "sd version": _is_text,
    "vae": _is_text,
    "prediction type": lambda value: value in ("", "epsilon", "v"),
    "zero terminal snr": lambda value: value is None or isinstance(value, bool),
    # It edits a picture that it sees (FLUX Kontext); null: as its name and metadata say.
    "variant": lambda value: value in (None, "", "reference"),
    # Text encoders and VAE to use with it.
    "modules": lambda value: isinstance(value, list) and all(map(_is_text, value)),
}


def read_notes(model: Path) -> dict[str, Any]:
    """What `<stem>.json` beside `model` says; empty if there is none. Raises: Refused if it is no JSON object."""
    path = model.with_suffix(".json")
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except (OSError, ValueError):
        found = None
    if not isinstance(found, dict):
        raise Refused(f"{path.name} cannot be read as notes, so it is left as it is. Correct it or remove it.")
    return found


def write_notes(model: Path, changes: Mapping[str, Any], *, keep: bool = False) -> dict[str, Any]:
    """Writes `changes` into `<stem>.json` beside `model`; keys that other programs put there stay.

    keep: keys that have a value already keep it. Returns: what the file says now.
    Raises: BadRequest for an unknown key or a value that does not fit; Refused if the file there is no JSON object.
    """
    for key, value in changes.items():
        if key not in NOTES:
            raise BadRequest(f"There is no note called {key!r}. Known: {', '.join(NOTES)}.")
        if not NOTES[key](value):
            raise BadRequest(f"{key!r} cannot be {str(value)[:60]!r}.")
    before = read_notes(model)
    after = {**changes, **{key: value for key, value in before.items() if value}} if keep else {**before, **changes}
    after = {**before, **after}
    if after != before:
        with replacing(model.with_suffix(".json")) as draft:
            draft.write_text(json.dumps(after, indent=4, ensure_ascii=False), encoding="utf-8")
    return after


def preview_among(stem: str, names: Collection[str]) -> str | None:
    """The name of the preview picture of the model `stem` among `names` of its folder; None if there is none."""
    possible = (f"{stem}{middle}{ending}" for ending in PREVIEW_ENDINGS for middle in ("", ".preview"))
    return next((name for name in possible if name in names), None)


def preview_of(model: Path) -> Path | None:
    """The preview picture beside `model`; None if there is none."""
    names = {path.name for path in model.parent.glob(f"{_literal(model.stem)}.*")}
    found = preview_among(model.stem, names)
    return model.with_name(found) if found else None


def description_of(model: Path) -> str:
    """The text beside `model`, "" if there is none."""
    for ending in DESCRIPTION_ENDINGS:
        try:
            return model.with_suffix(ending).read_text(encoding="utf-8", errors="replace")[:MAX_TEXT]
        except OSError:
            continue
    return ""


def companions_of(model: Path) -> list[Path]:
    """The files that belong to `model` and go where it goes: notes, descriptions, previews, configurations."""
    own = (".json", ".yaml", ".civitai.info", *DESCRIPTION_ENDINGS)
    endings = (*own, *PREVIEW_ENDINGS, *(f".preview{ending}" for ending in PREVIEW_ENDINGS))
    return [path for ending in endings if (path := model.with_name(f"{model.stem}{ending}")).is_file()]


def _literal(text: str) -> str:
    """`text` as a pattern that means just itself."""
    return "".join(f"[{letter}]" if letter in "*?[" else letter for letter in text)
