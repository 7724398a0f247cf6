"""Keys of model sites: in a file that only its owner can read, in no folder that is served."""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Mapping
from pathlib import Path

from modules.terms.errors import BadRequest

# Site -> the variables that may hold its key.
VARIABLES = {"civitai": ("CIVITAI_TOKEN", "CIVITAI_API_KEY"), "hub": ("HF_TOKEN", "HUGGING_FACE_HUB_TOKEN")}
LONGEST = 500


class Keys:
    """The keys, by site ("civitai", "hub"). A variable of the environment wins over the file."""

    def __init__(self, file: Path, environ: Mapping[str, str] = os.environ) -> None:
        self._file, self._environ = file, environ
        self._lock = threading.Lock()

    def get(self, site: str) -> str:
        """The key of `site`, "" if there is none."""
        from_variables = (self._environ.get(name, "").strip() for name in VARIABLES[site])
        return next(filter(None, from_variables), "") or self._read().get(site, "")

    def known(self) -> dict[str, bool]:
        """For which sites there is a key. The keys themselves never leave this machine but to their sites."""
        return {site: bool(self.get(site)) for site in VARIABLES}

    def set(self, site: str, key: str) -> None:
        """Keeps `key` for `site`; "" forgets it. Raises: BadRequest for an unknown site or what cannot be a key."""
        key = key.strip()
        if site not in VARIABLES:
            raise BadRequest(f"There are no keys of {site!r}. Known: {', '.join(VARIABLES)}.")
        if len(key) > LONGEST or not key.isascii() or not key.isprintable() or " " in key:
            raise BadRequest("This cannot be a key: keys are letters and digits in one piece.")
        with self._lock:
            keys = {**self._read(), site: key}
            self._file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            draft = self._file.with_suffix(".new")
            draft.unlink(missing_ok=True)
            # Never readable by others, not even for the moment between making the file and changing its mode.
            with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as file:
                json.dump({name: value for name, value in keys.items() if value}, file)
            draft.replace(self._file)

    def _read(self) -> dict[str, str]:
        try:
            found = json.loads(self._file.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return {}
        return {str(site): str(key) for site, key in found.items()} if isinstance(found, dict) else {}
