"""What was installed, kept in the environment's folder, and whether it still fits. Read at every start: be quick."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path

STAMP = "atelier.json"
REQUIREMENTS = (
    "requirements.txt",
    "requirements-vision.txt",
    "requirements-data.txt",
    "requirements-test.txt",
    "requirements.lock",
    "modules/bootstrap/builds.py",  # holds the versions of PyTorch
)
CHOICES = ("TORCH_COMMAND", "TORCH_INDEX_URL")


@dataclass(frozen=True)
class Stamp:
    """One installation. `finished` is false from its first step to its last, so that a killed one is noticed.

    `requirements` and `machine` are fingerprints of what was asked for and of the hardware, `build` names the build of
    PyTorch that was chosen, `torch` its version as installed. `choice` holds the variables by which the user chose it.
    `remarks` are shown at every start. `tests`: extras too.
    """

    requirements: str
    machine: str
    interpreter: str
    build: str
    choice: Mapping[str, str] = field(default_factory=dict)
    finished: bool = False
    torch: str = ""
    remarks: tuple[str, ...] = ()
    tests: bool = False

    def fits(self, other: Stamp) -> bool:
        """Whether nothing needs to be installed where `other` is wanted. Who chooses nothing keeps what is there."""
        if other.choice and other.choice != self.choice:
            return False
        wanted = (other.requirements, other.machine, other.interpreter, True)
        return (self.requirements, self.machine, self.interpreter, self.finished) == wanted


def fingerprint(root: Path) -> str:
    """A hash of the files that decide what gets installed."""
    digest = hashlib.sha256()
    for name in REQUIREMENTS:
        digest.update(name.encode() + b"\0" + (root / name).read_bytes())
    return digest.hexdigest()


def choice(environ: Mapping[str, str]) -> dict[str, str]:
    """What the user says about PyTorch, by variable; {} where nothing."""
    return {name: value for name in CHOICES if (value := environ.get(name, "").strip())}


def read(folder: Path) -> Stamp | None:
    """The stamp in `folder`; None if there is none, or none that this version understands."""
    try:
        values = json.loads((folder / STAMP).read_text(encoding="utf-8"))
        return Stamp(**{**values, "remarks": tuple(values["remarks"])})
    except (OSError, ValueError, KeyError, TypeError):
        return None


def write(folder: Path, stamp: Stamp) -> None:
    """Puts `stamp` in place in one step: a reader sees the old one or the new one."""
    fresh = folder / (STAMP + ".new")
    fresh.write_text(json.dumps(asdict(stamp), indent=1), encoding="utf-8")
    fresh.replace(folder / STAMP)
