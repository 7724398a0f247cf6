"""What extensions remember of files between starts: one JSON file for each subsection."""

from __future__ import annotations

import json
import os
import threading

from modules.a1111.bound import bound
from modules.a1111.missing import refusing
from modules.terms.atomic import replacing

cache_dir = os.environ.get("SD_WEBUI_CACHE_DIR", str(bound().studio.flags.cache_dir / "extensions"))
cache_filename = os.environ.get("SD_WEBUI_CACHE_FILE", str(bound().studio.flags.data_dir / "cache.json"))
caches: dict = {}
_lock = threading.Lock()


class Cache(dict):
    """A dictionary that is written down whenever an entry is set."""

    def __init__(self, path):
        super().__init__()
        self._path = path
        try:
            with open(path, encoding="utf-8") as file:
                super().update(json.load(file))
        except (OSError, ValueError):
            return

    def __setitem__(self, key, value):
        super().__setitem__(key, value)
        self.save()

    def save(self):
        """Writes what JSON can hold."""
        with _lock:
            os.makedirs(os.path.dirname(self._path), exist_ok=True)
            with replacing(_path(self._path)) as draft:
                draft.write_text(json.dumps(self, default=str), encoding="utf-8")


def _path(name):
    from pathlib import Path

    return Path(name)


def cache(subsection):
    """The dictionary of that name, kept between starts."""
    if subsection not in caches:
        caches[subsection] = Cache(os.path.join(cache_dir, f"{subsection}.json"))
    return caches[subsection]


def dump_cache():
    for one in caches.values():
        one.save()


def cached_data_for_file(subsection, title, filename, func):
    """What `func()` says of a file, asked again only when the file has changed."""
    existing = cache(subsection)
    changed = os.path.getmtime(filename)
    entry = existing.get(title)
    if not isinstance(entry, dict) or "value" not in entry or changed > entry.get("mtime", 0):
        value = func()
        if value is None:
            return None
        entry = {"mtime": changed, "value": value}
        existing[title] = entry
    return entry["value"]


__getattr__ = refusing("modules.cache")
