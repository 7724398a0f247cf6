"""Machine -> the build of PyTorch that runs on it. The versions of PyTorch stand here and nowhere else.

Source of the table: "PyTorch CUDA Support Matrix" for release 2.12 in PyTorch's RELEASE.md, and NVIDIA's list of the
oldest driver for each CUDA version ("CUDA Toolkit and Corresponding Driver Versions", "minor version compatibility").
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from modules.bootstrap.failure import SetupError
from modules.bootstrap.machine import Card, Machine, Version

PAIR = ("2.12.1", "0.27.1")  # torch and the torchvision that was built for it
PAIR_CUDA_128 = ("2.11.0", "0.26.0")  # the last release with CUDA 12.8
PYTORCH = "https://download.pytorch.org/whl/"
PYPI = ""

CUDA_13_DRIVER = 580
CUDA_128_BLACKWELL_DRIVER = 570
CUDA_12_DRIVER = 525

# gfx names that PyTorch's ROCm build has kernels for.
ROCM_TARGETS = {
    *("gfx900", "gfx906", "gfx908", "gfx90a", "gfx942", "gfx950", "gfx1030", "gfx1100", "gfx1101", "gfx1102"),
    *("gfx1150", "gfx1151", "gfx1200", "gfx1201"),
}

CPU_DOWNLOAD_GB, CPU_DISK_GB = 0.2, 1.0


@dataclass(frozen=True)
class Build:
    """One matching pair of torch and torchvision.

    `index` is the package index it comes from, '' for the one pip uses anyway. `fallback` takes its place where that
    index cannot be reached. `command` is the user's own TORCH_COMMAND. Sizes are in gigabytes.
    """

    name: str
    why: str
    index: str = PYPI
    pair: tuple[str, str] = PAIR
    download_gb: float = 2.7
    disk_gb: float = 4.8
    fallback: Build | None = None
    command: str = ""
    remarks: tuple[str, ...] = ()

    @property
    def packages(self) -> tuple[str, str]:
        return f"torch=={self.pair[0]}", f"torchvision=={self.pair[1]}"


def choose(machine: Machine, environ: Mapping[str, str]) -> Build:
    """The build for this machine. Raises: SetupError where none runs on it, with the ways out."""
    build = _chosen_by_user(environ) or _for_cards(machine, environ) or _for_processor(machine)
    return replace(build, remarks=machine.remarks + build.remarks)


def _chosen_by_user(environ: Mapping[str, str]) -> Build | None:
    if command := environ.get("TORCH_COMMAND", "").strip():
        return _small(Build("own command", f"TORCH_COMMAND is set: {command}", command=command))
    if index := environ.get("TORCH_INDEX_URL", "").strip():
        build = Build("own index", f"TORCH_INDEX_URL is set: {index}", index=index)
        return _small(build) if index.rstrip("/").endswith("cpu") else build
    return None


def _for_cards(machine: Machine, environ: Mapping[str, str]) -> Build | None:
    if machine.nvidia:
        return _for_nvidia(machine)
    if machine.amd:
        return _for_amd(machine, overridden="HSA_OVERRIDE_GFX_VERSION" in environ)
    if machine.intel and machine.processor == "x86_64":
        return Build("xpu", "an Intel card", PYTORCH + "xpu", download_gb=1.5, disk_gb=5.0)
    return None


def _for_nvidia(machine: Machine) -> Build | None:
    """None where the card is older than every build of this release."""
    card = max(machine.nvidia, key=lambda one: one.capability or ())
    driver = machine.driver[0] if machine.driver else 0
    capability = card.capability or ((7, 5) if driver < CUDA_12_DRIVER else (8, 0))
    label = f"{card.name}, driver {'.'.join(str(part) for part in machine.driver)}"
    if capability < (5, 0):
        return None
    if capability < (7, 5):
        if driver < CUDA_12_DRIVER:
            raise _old_driver(card, machine.driver, CUDA_12_DRIVER)
        return Build("cu126", f"{label}: CUDA 12.6, the last with kernels for this card", PYTORCH + "cu126")
    if driver >= CUDA_13_DRIVER:
        if machine.system == "Linux" and machine.processor == "x86_64":
            return Build("cu130", f"{label}: CUDA 13.0")
        return Build("cu130", f"{label}: CUDA 13.0", PYTORCH + "cu130", disk_gb=6.0)
    if capability >= (10, 0):
        if driver < CUDA_128_BLACKWELL_DRIVER:
            raise _old_driver(card, machine.driver, CUDA_13_DRIVER)
        return Build("cu128", f"{label}: CUDA 12.8", PYTORCH + "cu128", PAIR_CUDA_128, remarks=(_NEWER_DRIVER,))
    if driver < CUDA_12_DRIVER:
        raise _old_driver(card, machine.driver, CUDA_13_DRIVER)
    return Build("cu126", f"{label}: CUDA 12.6", PYTORCH + "cu126", remarks=(_NEWER_DRIVER,))


_NEWER_DRIVER = (
    f"With NVIDIA driver {CUDA_13_DRIVER} or newer, a start with --reinstall-torch takes the faster CUDA 13 build."
)


def _old_driver(card: Card, driver: Version, needed: int) -> SetupError:
    have = ".".join(str(part) for part in driver) or "unknown"
    return SetupError(
        f"the NVIDIA driver is too old: {card.name} has driver {have}, and PyTorch {PAIR[0]} needs {needed} or newer.",
        "update the driver (https://www.nvidia.com/drivers), then start again.\n"
        f"       To go on without the card:  TORCH_INDEX_URL={PYTORCH}cpu ./webui.sh",
    )


def _for_amd(machine: Machine, overridden: bool) -> Build:
    remarks = []
    unsupported = [name for name in machine.amd if name not in ROCM_TARGETS]
    if len(unsupported) == len(machine.amd) and not overridden:
        remarks.append(
            f"PyTorch has no kernels for {unsupported[0]}. Cards of the RX 6000 series work as their nearest relative: "
            "put  export HSA_OVERRIDE_GFX_VERSION=10.3.0  into webui-user.sh."
        )
    why = f"an AMD card ({', '.join(machine.amd)}): ROCm 7.2"
    return Build("rocm7.2", why, PYTORCH + "rocm7.2", download_gb=4.5, disk_gb=16.0, remarks=tuple(remarks))


def _for_processor(machine: Machine) -> Build:
    """The build for a machine without a usable card."""
    remarks = tuple(f"{card.name} is older than what PyTorch {PAIR[0]} supports." for card in machine.nvidia)
    if machine.system == "macOS":
        if machine.processor != "arm64":
            raise SetupError(
                f"PyTorch {PAIR[0]} does not exist for Macs with an Intel processor (2.2 was the last).",
                "use a Mac with Apple silicon, or name a PyTorch:  TORCH_COMMAND='pip install torch' ./webui.sh",
            )
        return Build("macOS", "Apple silicon: Metal", download_gb=0.1, disk_gb=0.6)
    why = "no card that PyTorch can use: the processor"
    if machine.system != "Linux":
        return _small(Build("cpu", why, remarks=remarks))
    whole = Build("cpu", "the build for NVIDIA cards and the processor")
    return _small(Build("cpu", why, PYTORCH + "cpu", fallback=whole, remarks=remarks))


def _small(build: Build) -> Build:
    """`build` with the sizes of one that has no libraries for a card."""
    return replace(build, download_gb=CPU_DOWNLOAD_GB, disk_gb=CPU_DISK_GB)
