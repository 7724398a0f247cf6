"""What nvidia-smi, the kernel and the environment say -> the build of PyTorch that runs there."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest

from modules.bootstrap import machine
from modules.bootstrap.builds import PAIR, PYPI, PYTORCH, Build, choose
from modules.bootstrap.failure import SetupError
from modules.bootstrap.machine import Card, Machine, amd_targets, nvidia_cards, signature


def smi(text: str, knows_capability: bool = True) -> machine.Run:
    """An nvidia-smi whose cards are the lines of `text`: driver, capability, name."""

    def run(command: Sequence[str]) -> str:
        asks = next(word for word in command if word.startswith("--query-gpu="))
        if "compute_cap" not in asks:
            return "\n".join(f"{line.split(', ')[0]}, {line.split(', ')[2]}" for line in text.splitlines())
        return text if knows_capability else 'Field "compute_cap" is not a valid field to query.'

    return run


def linux(text: str, knows_capability: bool = True, processor: str = "x86_64") -> Machine:
    cards, driver = nvidia_cards(smi(text, knows_capability))
    return Machine("Linux", processor, cards, driver)


def chosen(here: Machine, environ: Mapping[str, str] | None = None) -> Build:
    return choose(here, environ or {})


@pytest.mark.parametrize(
    ("answer", "name"),
    [
        ("580.65.06, 8.9, NVIDIA GeForce RTX 4090", "cu130"),
        ("590.1, 12.0, NVIDIA GeForce RTX 5090", "cu130"),
        ("580.10, 7.5, Tesla T4", "cu130"),
        ("580.10, 6.1, NVIDIA GeForce GTX 1080", "cu126"),
        ("580.10, 7.0, Tesla V100", "cu126"),
        ("535.54, 8.6, NVIDIA GeForce RTX 3060", "cu126"),
        ("525.60.13, 8.0, NVIDIA A100", "cu126"),
        ("572.16, 12.0, NVIDIA GeForce RTX 5070", "cu128"),
        ("580.10, 6.1, NVIDIA GeForce GTX 1080\n580.10, 8.9, NVIDIA GeForce RTX 4090", "cu130"),
        ("470.1, 3.5, GeForce GTX 780", "cpu"),
    ],
)
def test_the_build_fits_card_and_driver(answer: str, name: str) -> None:
    assert chosen(linux(answer)).name == name


@pytest.mark.parametrize("answer", ["470.256.02, 8.6, NVIDIA GeForce RTX 3060", "565.1, 12.0, NVIDIA GeForce RTX 5090"])
@pytest.mark.parametrize("knows_capability", [True, False])
def test_a_driver_that_is_too_old_is_named_with_the_ways_out(answer: str, knows_capability: bool) -> None:
    if not knows_capability and answer.startswith("565"):
        pytest.skip("that driver knows compute_cap")
    with pytest.raises(SetupError) as stop:
        chosen(linux(answer, knows_capability))
    assert answer.split(", ")[0].replace(".02", ".2") in stop.value.why
    assert "https://www.nvidia.com/drivers" in stop.value.advice
    assert "TORCH_INDEX_URL" in stop.value.advice
    assert choose(linux(answer, knows_capability), {"TORCH_INDEX_URL": PYTORCH + "cpu"}).index == PYTORCH + "cpu"


def test_the_usual_registry_serves_the_usual_machine() -> None:
    build = chosen(linux("580.65.06, 8.9, NVIDIA GeForce RTX 4090"))
    assert build.index == PYPI
    assert build.packages == (f"torch=={PAIR[0]}", f"torchvision=={PAIR[1]}")


@pytest.mark.parametrize(("system", "processor"), [("Windows", "x86_64"), ("Linux", "arm64")])
def test_elsewhere_pytorchs_own_index_does(system: str, processor: str) -> None:
    here = Machine(system, processor, (Card("RTX 4090", (8, 9)),), (581, 1))
    assert chosen(here).index == PYTORCH + "cu130"


def test_the_processor_alone_takes_the_small_build_and_can_fall_back() -> None:
    build = chosen(Machine("Linux", "x86_64"))
    assert build.index == PYTORCH + "cpu"
    assert build.fallback is not None
    assert build.fallback.index == PYPI
    assert build.disk_gb < build.fallback.disk_gb
    assert chosen(Machine("Windows", "x86_64")).index == PYPI


def test_amd_and_intel_cards_get_their_builds() -> None:
    assert chosen(Machine("Linux", "x86_64", amd=("gfx1100",))).index == PYTORCH + "rocm7.2"
    assert not chosen(Machine("Linux", "x86_64", amd=("gfx1100",))).remarks
    assert chosen(Machine("Windows", "x86_64", intel=True)).index == PYTORCH + "xpu"


def test_a_radeon_without_kernels_is_told_the_way() -> None:
    here = Machine("Linux", "x86_64", amd=("gfx1032",))
    assert "HSA_OVERRIDE_GFX_VERSION=10.3.0" in chosen(here).remarks[0]
    assert not chosen(here, {"HSA_OVERRIDE_GFX_VERSION": "10.3.0"}).remarks


def test_macs() -> None:
    assert chosen(Machine("macOS", "arm64")).index == PYPI
    with pytest.raises(SetupError, match="Intel processor"):
        chosen(Machine("macOS", "x86_64"))


def test_the_user_decides() -> None:
    here = linux("470.1, 8.6, NVIDIA GeForce RTX 3060")
    assert choose(here, {"TORCH_COMMAND": "pip install torch==2.13.0"}).command == "pip install torch==2.13.0"
    assert choose(here, {"TORCH_INDEX_URL": "file:///wheels"}).index == "file:///wheels"


def test_an_nvidia_smi_that_fails_is_no_card() -> None:
    complaint = "NVIDIA-SMI has failed because it couldn't communicate with the NVIDIA driver."
    assert nvidia_cards(lambda command: complaint) == ((), ())
    assert nvidia_cards(lambda command: "") == ((), ())


def pci_device(root: Path, address: str, kind: str, vendor: str, device: str) -> None:
    folder = root / "sys/bus/pci/devices" / address
    folder.mkdir(parents=True)
    for name, value in (("class", kind), ("vendor", vendor), ("device", device)):
        (folder / name).write_text(value + "\n")


@pytest.mark.skipif(not machine.sys.platform.startswith("linux"), reason="reads what Linux says of its hardware")
def test_a_card_without_a_driver_is_noticed(tmp_path: Path) -> None:
    before = signature(tmp_path)
    pci_device(tmp_path, "0000:01:00.0", "0x030000", "0x10de", "0x2684")
    here = machine.look(lambda command: "", tmp_path)
    assert chosen(here).name == "cpu"
    assert "driver" in chosen(here).remarks[0]
    assert signature(tmp_path) != before


@pytest.mark.skipif(not machine.sys.platform.startswith("linux"), reason="reads what Linux says of its hardware")
@pytest.mark.parametrize(
    ("device", "usable"), [("0x56a0", True), ("0xe20b", True), ("0x64a0", True), ("0x3e92", False)]
)
def test_intel_cards_that_pytorch_supports(tmp_path: Path, device: str, usable: bool) -> None:
    pci_device(tmp_path, "0000:00:02.0", "0x030000", "0x8086", device)
    pci_device(tmp_path, "0000:00:1f.0", "0x060100", "0x8086", "0x56a0")  # a bridge, not a card
    assert machine.look(lambda command: "", tmp_path).intel is usable


def test_names_of_amd_cards(tmp_path: Path) -> None:
    (tmp_path / "dev").mkdir()
    (tmp_path / "dev/kfd").touch()
    for number, target in enumerate(("0", "100300", "90010", "110002")):
        node = tmp_path / f"sys/class/kfd/kfd/topology/nodes/{number}"
        node.mkdir(parents=True)
        (node / "properties").write_text(f"cpu_cores_count 0\ngfx_target_version {target}\nvendor_id 4098\n")
    assert amd_targets(tmp_path) == ("gfx1030", "gfx90a", "gfx1102")
