"""Where each extension came from, and which commit it is held at: a JSON file that no folder served to browsers has."""

from __future__ import annotations

import dataclasses
import json
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from modules.terms.atomic import replacing


@dataclass(frozen=True)
class Record:
    """url: "" if it came from a folder or a ZIP. commit: the one it is held at. previous: the one before the last
    update. content: hash of its files when it was installed or updated. installed: seconds since 1970. ran: for which
    install.py, requirements and Python that has run."""

    url: str = ""
    branch: str = ""
    commit: str = ""
    previous: str = ""
    content: str = ""
    installed: float = 0.0
    source: str = ""
    ran: str = ""


class Records:
    """Record by name. Safe to use from any thread."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lock = threading.Lock()

    def all(self) -> dict[str, Record]:
        """Every record; a file that cannot be read counts as none."""
        try:
            stored = json.loads(self._path.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return {}
        fields = {one.name for one in dataclasses.fields(Record)}
        return {
            name: Record(**{key: value for key, value in values.items() if key in fields})
            for name, values in (stored.items() if isinstance(stored, Mapping) else ())
            if isinstance(values, Mapping)
        }

    def get(self, name: str) -> Record:
        return self.all().get(name, Record())

    def put(self, name: str, record: Record | None) -> None:
        """Writes down a record, None: forgets it."""
        with self._lock:
            records: dict[str, Any] = {key: dataclasses.asdict(value) for key, value in self.all().items()}
            records.pop(name, None)
            if record is not None:
                records[name] = dataclasses.asdict(record)
            self._path.parent.mkdir(parents=True, exist_ok=True)
            with replacing(self._path) as draft:
                draft.write_text(json.dumps(records, indent=2, sort_keys=True), encoding="utf-8")
