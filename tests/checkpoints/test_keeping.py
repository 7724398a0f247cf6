"""Models on a card that is made up: its memory is a number. "cpu:0" stands for it, "cpu" for the machine's memory."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from modules.checkpoints.budget import Work
from modules.checkpoints.device_memory import KEPT_FREE
from modules.checkpoints.devices import DeviceWishes
from modules.checkpoints.files import read_header
from modules.checkpoints.library import Library
from modules.checkpoints.memory import Models
from modules.checkpoints.needs import need_before, need_of
from modules.checkpoints.offload import HOME, Offload
from modules.checkpoints.residents import Resident, Residents
from modules.checkpoints.storage.layers import Stored
from modules.settings.store import Settings
from tests.checkpoints.original_layout import tiny_sd1, write_sd1

CARD = torch.device("cpu:0")
WORK = Work(64, 64)


class Machine:
    """What a machine has free. Nothing of it is used up by loading: tests set it."""

    def __init__(self, card: int = 1 << 40, ram: int = 1 << 40) -> None:
        self.card, self.ram = card, ram

    def __call__(self, device: torch.device) -> tuple[int, int]:
        return (self.card, 1 << 41) if device == CARD else (self.ram, 1 << 41)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("models")
    for name in ("a", "b", "c"):
        write_sd1(folder / f"{name}.safetensors", tiny_sd1())
    return folder


@pytest.fixture
def machine() -> Machine:
    return Machine()


@pytest.fixture
def make(folder: Path, machine: Machine) -> Callable[..., Models]:
    def make(limit: int | None = None, **wishes: object) -> Models:
        residents = Residents(machine, apart=lambda device: device == CARD)
        return Models(Library([folder]), DeviceWishes("cpu:0", **wishes), limit=limit, residents=residents)  # type: ignore[arg-type]

    return make


def mode(models: Models, name: str = "a", **asked: object) -> tuple[Offload, tuple[str, ...]]:
    with models.borrow(name, work=WORK, **asked) as bundle:  # type: ignore[arg-type]
        assert bundle.offloading is not None
        return bundle.offloading.mode, bundle.notes


def test_a_model_that_fits_is_on_the_card(make: Callable[..., Models]) -> None:
    assert mode(make()) == (Offload.NONE, ())


def test_the_estimate_is_told_before_the_model_is_loaded(make: Callable[..., Models], machine: Machine) -> None:
    models = make()
    machine.card = 0
    told: list[str] = []
    loaded: list[int] = []
    with models.borrow(
        "a", work=WORK, on_note=told.append, on_progress=lambda share: loaded.append(len(told))
    ) as bundle:
        pass
    assert loaded
    assert set(loaded) == {1}
    assert "0.0 GB free" in told[0]
    assert "block by block" in told[0]
    assert bundle.notes == tuple(told)


def test_the_header_tells_what_the_networks_take(make: Callable[..., Models], folder: Path) -> None:
    models = make()
    with models.borrow("a") as bundle:
        before = need_before(read_header(folder / "a.safetensors"), models.placement, work=WORK)
        after = need_of(bundle, WORK)
    assert before.denoiser == after.denoiser
    assert (before.step, before.decode) == (after.step, after.decode)
    assert before.texts <= after.texts <= 1.01 * before.texts  # no file has the positions


def test_of_a_card_as_large_as_one_network_the_parts_take_turns(make: Callable[..., Models], machine: Machine) -> None:
    models = make()
    with models.borrow("a") as bundle:
        need = need_of(bundle, WORK)
    models.unload()
    machine.card = int(need.peak(Offload.PARTS) / 0.9) + 10
    assert need.peak(Offload.PARTS) < need.peak(Offload.NONE)
    chosen, notes = mode(models)
    assert chosen == Offload.PARTS
    assert "only the network that works" in notes[0]
    machine.card = 1 << 40
    assert mode(models) == (Offload.NONE, ())  # there is room again


@pytest.mark.parametrize(
    ("setting", "wanted"),
    [
        ("Never", Offload.NONE),
        ("Network by network", Offload.PARTS),
        ("Block by block", Offload.BLOCKS),
    ],
)
def test_the_setting_decides(make: Callable[..., Models], machine: Machine, setting: str, wanted: Offload) -> None:
    models = make()
    assert mode(models, offload=setting) == (wanted, ())
    models.follow(Settings().with_flat({"model_offload": setting}))
    assert mode(models) == (wanted, ())


def test_never_means_never(make: Callable[..., Models], machine: Machine) -> None:
    models = make()
    machine.card = 0
    with models.borrow("a", work=WORK, offload="Never") as bundle:
        assert bundle.offloading is not None
        assert bundle.offloading.mode == Offload.NONE
        assert "may run out" in bundle.notes[0]
        assert not bundle.offloading.more()


def test_flags_ask_for_the_least(make: Callable[..., Models]) -> None:
    assert mode(make(offload=Offload.PARTS)) == (Offload.PARTS, ())
    assert mode(make(offload=Offload.PARTS), offload="Block by block") == (Offload.BLOCKS, ())
    assert mode(make(offload_sdxl=Offload.PARTS)) == (Offload.NONE, ())


def test_one_model_stays_on_the_card_if_others_are_to_wait_in_memory(make: Callable[..., Models]) -> None:
    models = make()
    models.one_on_device = True
    with models.borrow("a") as a, models.borrow("b") as b:  # both are lent: none can leave
        assert {one.offloading.mode for one in (a, b) if one.offloading} == {Offload.NONE}
    with models.borrow("c"):
        pass
    assert a.offloading is not None
    assert a.offloading.mode != Offload.NONE
    assert a.offloading.present == 0
    assert len(models.held()) == 3
    models.one_on_device = False
    with models.borrow("a", work=WORK):
        assert a.offloading.mode == Offload.NONE


def test_as_many_are_kept_as_fit(make: Callable[..., Models], machine: Machine) -> None:
    models = make()
    for name in ("a", "b", "c"):
        with models.borrow(name):
            pass
    assert [info.model_name for info in models.held()] == ["a", "b", "c"]
    with models.borrow("a"):
        pass
    models.unload("c")
    machine.card = machine.ram = 0
    with models.borrow("c"):
        pass
    assert [info.model_name for info in models.held()] == ["c"]


def test_a_full_card_sends_the_least_recent_home_before_anything_is_dropped(
    make: Callable[..., Models], machine: Machine
) -> None:
    models = make()
    with models.borrow("a") as a, models.borrow("b"):
        pass
    machine.card = 0
    with models.borrow("c"):
        pass
    assert len(models.held()) == 3
    assert a.offloading is not None
    assert a.offloading.present == 0


def test_the_limit_counts_only_if_it_is_asked_to(make: Callable[..., Models]) -> None:
    models = make()
    settings = {"sd_checkpoints_limit": 2, "models_kept": "By number"}
    models.follow(Settings().with_flat(settings))
    for name in ("a", "b", "c"):
        with models.borrow(name):
            pass
    assert [info.model_name for info in models.held()] == ["b", "c"]


def test_eight_bits_are_a_quarter_and_draw_nearly_the_same(make: Callable[..., Models]) -> None:
    models = make()
    x, time, cross = torch.randn(1, 4, 8, 8), torch.tensor([5.0]), torch.randn(1, 7, 32)
    sizes, outputs = [], []
    for fp8 in ("Disable", "Enable for SDXL", "Enable", "Disable"):
        with models.borrow("a", fp8=fp8) as bundle, torch.inference_mode():
            need = need_of(bundle, WORK)
            sizes.append(need.denoiser)
            outputs.append(bundle.predict(x, time, cross))
            packed = [module for module in bundle.unet.modules() if isinstance(module, Stored)]
            assert bundle.eight_bit == bool(packed) == (fp8 == "Enable")
            assert not any(isinstance(module, Stored) for module in bundle.vae.modules())
        models.fp8 = fp8
        assert models.needed("a") == pytest.approx(need.weights, rel=0.01)
    assert sizes[0] == sizes[1] == sizes[3]
    assert 0.25 < sizes[2] / sizes[0] < 0.3
    assert torch.equal(outputs[0], outputs[1])
    assert torch.equal(outputs[0], outputs[3])
    distance = (outputs[2] - outputs[0]).std() / outputs[0].std()
    assert 0 < distance < 0.3


# --- the list of what is kept ---


def test_whoever_was_not_used_for_longest_gives_way(machine: Machine) -> None:
    residents = Residents(machine, apart=lambda device: device == CARD)
    dropped: list[str] = []

    def kept(name: str, device: torch.device = HOME) -> None:
        def drop() -> bool:
            dropped.append(name)
            machine.ram += 100
            return True

        residents.used(name, Resident(100, device, drop))

    for name in ("captioner", "upscaler", "checkpoint"):
        kept(name)
    kept("on the card", CARD)
    kept("captioner")  # again
    machine.ram = (1 << 41) // 8
    assert residents.make_room(150, HOME)
    assert dropped == ["upscaler", "checkpoint"]
    assert list(residents.sizes()) == ["on the card", "captioner"]


def test_what_is_in_use_stays(machine: Machine) -> None:
    residents = Residents(machine, apart=lambda device: device == CARD)
    residents.used("lent", Resident(100, CARD, lambda: False))
    machine.card = KEPT_FREE
    assert not residents.make_room(1, CARD)
    assert list(residents.sizes()) == ["lent"]
    assert residents.make_room(0, CARD)
