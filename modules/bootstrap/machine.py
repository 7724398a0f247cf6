"""Which cards and drivers this machine has, asked of the system alone: PyTorch is not installed yet."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

Run = Callable[[Sequence[str]], str]
Version = tuple[int, ...]

# PCI ids of Intel graphics that PyTorch's XPU build supports: Arc A and B cards, Data Center Max, Core Ultra.
INTEL_XPU = re.compile(r"0x(4f8|56|e2|0bd|7d[45d]|64[2a]|b08|b09)")


@dataclass(frozen=True)
class Card:
    """An NVIDIA card. `capability` is None where the driver is too old to tell."""

    name: str
    capability: Version | None


@dataclass(frozen=True)
class Machine:
    """`system` is Linux, Windows or macOS; `amd` holds names such as gfx1100; `remarks` are sentences for the user."""

    system: str
    processor: str
    nvidia: tuple[Card, ...] = ()
    driver: Version = ()
    amd: tuple[str, ...] = ()
    intel: bool = False
    remarks: tuple[str, ...] = ()


def look(run: Run | None = None, root: Path = Path("/")) -> Machine:
    """This machine. `run` calls a program and returns what it printed, '' if it failed; `root` is where /sys lies."""
    run = run or _output_of
    system = {"linux": "Linux", "win32": "Windows", "darwin": "macOS"}.get(sys.platform, sys.platform)
    remarks: list[str] = []
    cards, driver = nvidia_cards(run)
    pci = _pci_displays(root) if system == "Linux" else ()
    if not cards and any(vendor == "0x10de" for vendor, _ in pci):
        remarks.append(
            "There is an NVIDIA card, but its driver does not answer (nvidia-smi). "
            "Going on without it; install or start the driver and run this again to use the card."
        )
    intel = any(vendor == "0x8086" and INTEL_XPU.match(device) for vendor, device in pci)
    if system == "Windows" and not cards:
        intel = "Arc" in run(["powershell", "-NoProfile", "-Command", "(Get-CimInstance Win32_VideoController).Name"])
    return Machine(
        system, _processor(), cards, driver, amd_targets(root) if system == "Linux" else (), intel, tuple(remarks)
    )


def signature(root: Path = Path("/")) -> str:
    """A text that changes when a card or an NVIDIA driver comes or goes; runs no program, takes about a millisecond."""
    facts = [sys.platform, _processor()]
    try:
        facts.append((root / "proc/driver/nvidia/version").read_text().splitlines()[0])
    except (OSError, IndexError):
        facts.append(shutil.which("nvidia-smi") or "")
    facts += ["/".join(ids) for ids in _pci_displays(root)]
    return "\n".join(facts)


def nvidia_cards(run: Run) -> tuple[tuple[Card, ...], Version]:
    """The NVIDIA cards and the version of their driver; ((), ()) without any."""
    query = ["nvidia-smi", "--format=csv,noheader"]
    text = run([*query, "--query-gpu=driver_version,compute_cap,name"])
    # Drivers before 510 know no compute_cap and refuse the whole question.
    rows = _rows(text, 3) or [
        [driver, "", name] for driver, name in _rows(run([*query, "--query-gpu=driver_version,name"]), 2)
    ]
    cards = tuple(Card(name, version(capability) or None) for _, capability, name in rows)
    return cards, version(rows[0][0]) if rows else ()


def amd_targets(root: Path) -> tuple[str, ...]:
    """Names such as gfx1030 of the AMD cards that the kernel's compute driver offers."""
    if not (root / "dev/kfd").exists():
        return ()
    names = []
    for node in sorted((root / "sys/class/kfd/kfd/topology/nodes").glob("*/properties")):
        found = re.search(r"^gfx_target_version (\d+)$", node.read_text(), re.MULTILINE)
        if found and int(found[1]):
            # 100300 is major 10, minor 3, stepping 0: gfx1030; minor and stepping are hexadecimal digits.
            number = int(found[1])
            names.append(f"gfx{number // 10000}{number // 100 % 100:x}{number % 100:x}")
    return tuple(names)


def version(text: str) -> Version:
    """'580.65.06' -> (580, 65, 6); () for what is no version."""
    return tuple(int(part) for part in text.split(".")) if re.fullmatch(r"\d+(\.\d+)*", text) else ()


def _rows(text: str, columns: int) -> list[list[str]]:
    """The lines of a comma separated answer whose first column is a version; others are complaints."""
    rows = [[cell.strip() for cell in line.split(",", columns - 1)] for line in text.splitlines()]
    return [row for row in rows if len(row) == columns and version(row[0])]


def _pci_displays(root: Path) -> tuple[tuple[str, str], ...]:
    """(vendor, device) of each display controller on the PCI bus, as the kernel writes them: 0x10de, 0x2684."""
    found = []
    devices = root / "sys/bus/pci/devices"
    for entry in sorted(devices.iterdir()) if devices.is_dir() else ():
        try:
            if (entry / "class").read_text().startswith("0x03"):
                found.append(((entry / "vendor").read_text().strip(), (entry / "device").read_text().strip()))
        except OSError:  # a device that went while we looked
            continue
    return tuple(found)


def _processor() -> str:
    """x86_64 or arm64, whatever the system calls it."""
    name = os.uname().machine if hasattr(os, "uname") else os.environ.get("PROCESSOR_ARCHITECTURE", "")
    return {"AMD64": "x86_64", "aarch64": "arm64", "ARM64": "arm64"}.get(name, name)


def _output_of(command: Sequence[str]) -> str:
    program = shutil.which(command[0])
    if program is None:
        return ""
    try:
        done = subprocess.run([program, *command[1:]], capture_output=True, text=True, timeout=30)
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout if done.returncode == 0 else ""
