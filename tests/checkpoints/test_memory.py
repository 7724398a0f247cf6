from __future__ import annotations

import gc
import threading
import weakref
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from modules.checkpoints.devices import DeviceWishes, pick_device, placement_for
from modules.checkpoints.library import Library
from modules.checkpoints.load import Placement, load_checkpoint
from modules.checkpoints.memory import Models
from modules.checkpoints.residents import Residents
from modules.terms.errors import BadRequest, Cancelled, NotFound, OutOfMemory, UnknownFile
from tests.checkpoints.original_layout import tiny_sd1, vae_tensors, write_sd1


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three checkpoints, the last without a VAE, and a VAE in a folder of its own."""
    folder = tmp_path_factory.mktemp("models")
    tiny = tiny_sd1()
    write_sd1(folder / "a.safetensors", tiny)
    write_sd1(folder / "b.safetensors", tiny, torch.float16)
    tensors = load_file(folder / "a.safetensors")
    bare = {key: value for key, value in tensors.items() if not key.startswith("first_stage_model.")}
    save_file(bare, folder / "c.safetensors")
    (folder / "vae").mkdir()
    other = {key: (value * 1.5).contiguous() for key, value in vae_tensors(tiny.vae).items()}
    save_file(other, folder / "vae" / "other.pt.safetensors")
    return folder


@pytest.fixture
def library(folder: Path) -> Library:
    return Library([folder], [folder / "vae"])


@pytest.fixture
def models(library: Library) -> Models:
    return Models(library, DeviceWishes(device="cpu"))


def test_a_borrowed_model_draws(models: Models) -> None:
    with models.borrow("a") as bundle, torch.inference_mode():
        output = bundle.predict(torch.randn(2, 4, 8, 8), torch.tensor([1.0, 2.0]), torch.randn(2, 77, 32))
        assert bundle.decode(output).shape == (2, 3, 16, 16)


def test_a_model_is_loaded_once(models: Models) -> None:
    with models.borrow("a") as first:
        pass
    with models.borrow("a.safetensors") as again:
        assert again.unet is first.unet


def test_without_a_name_the_last_one_is_lent(models: Models) -> None:
    with models.borrow() as bundle:
        assert bundle.info.name == "a.safetensors"
    with models.borrow("b"):
        pass
    with models.borrow() as bundle:
        assert bundle.info.name == "b.safetensors"


def test_the_least_recently_used_is_dropped(library: Library) -> None:
    dropped: list[str] = []
    models = Models(library, DeviceWishes("cpu"), limit=1, on_dropped=lambda info: dropped.append(info.name))
    with models.borrow("a") as bundle:
        gone = weakref.ref(bundle.unet)
    del bundle
    with models.borrow("b"):
        gc.collect()
        assert gone() is None
    assert dropped == ["a.safetensors"]
    assert [info.name for info in models.held()] == ["b.safetensors"]


def test_two_are_kept_where_two_may_be(library: Library) -> None:
    models = Models(library, DeviceWishes("cpu"), limit=2)
    with models.borrow("a") as a:
        pass
    with models.borrow("b"):
        pass
    with models.borrow("a") as again:
        assert again.unet is a.unet


def test_short_memory_keeps_fewer_than_the_limit(library: Library) -> None:
    free = [1 << 50]
    models = Models(library, DeviceWishes("cpu"), limit=5, residents=Residents(lambda device: (free[0], 1 << 40)))
    with models.borrow("a"):
        pass
    free[0] = models.needed("b") // 2
    with models.borrow("b"):
        assert [info.name for info in models.held()] == ["b.safetensors"]


def test_a_lent_model_is_never_dropped(models: Models) -> None:
    with models.borrow("a") as a, models.borrow("b") as b:
        assert {info.name for info in models.held()} == {"a.safetensors", "b.safetensors"}
        assert models.unload() == 0
        assert a.unet is not b.unet
    assert models.unload() == 2
    assert models.current() is None


def test_a_second_thread_waits_its_turn(models: Models) -> None:
    order: list[str] = []
    lent, may_end = threading.Event(), threading.Event()

    def first() -> None:
        with models.borrow("a"):
            lent.set()
            may_end.wait(10)
            order.append("first gives back")

    def second() -> None:
        lent.wait(10)
        with models.borrow("a"):
            order.append("second has it")

    threads = [threading.Thread(target=work) for work in (first, second)]
    for thread in threads:
        thread.start()
    lent.wait(10)
    assert models.current() is not None  # asking does not wait
    may_end.set()
    for thread in threads:
        thread.join()
    assert order == ["first gives back", "second has it"]


def test_a_replaced_file_is_loaded_again(tmp_path: Path) -> None:
    write_sd1(tmp_path / "m.safetensors", tiny_sd1())
    models = Models(Library([tmp_path]), DeviceWishes("cpu"))
    with models.borrow("m") as before:
        pass
    write_sd1(tmp_path / "new", tiny_sd1(unet={"cross_attention_dim": 48})).replace(tmp_path / "m.safetensors")
    with models.borrow("m") as after:
        assert (before.context_width, after.context_width) == (32, 48)


def test_progress_rises_to_one_and_may_stop_the_load(models: Models) -> None:
    shares: list[float] = []
    with models.borrow("a", on_progress=shares.append):
        assert shares == sorted(shares)
        assert shares[-1] == 1.0

    def stop(share: float) -> None:
        raise Cancelled

    with pytest.raises(Cancelled), models.borrow("b", on_progress=stop):
        pass
    with models.borrow("b") as bundle:
        assert bundle.info.name == "b.safetensors"


def test_an_unreadable_file_leaves_the_held_model_alone(tmp_path: Path) -> None:
    write_sd1(tmp_path / "good.safetensors", tiny_sd1())
    (tmp_path / "page.safetensors").write_text("<html>login</html>")
    models = Models(Library([tmp_path]), DeviceWishes("cpu"))
    with models.borrow("good") as good:
        pass
    with pytest.raises(UnknownFile), models.borrow("page"):
        pass
    with models.borrow("good") as again:
        assert again.unet is good.unet


def test_an_external_vae_replaces_the_models_own(models: Models) -> None:
    latents = torch.randn(1, 4, 8, 8)
    with models.borrow("a") as bundle:
        own = bundle.decode(latents)
        assert bundle.vae_info is None
    with models.borrow("a", vae="other.pt.safetensors") as bundle:
        assert bundle.vae_info is not None
        assert not torch.allclose(bundle.decode(latents), own)
    models.vae_setting = "other.pt.safetensors"
    with models.borrow("a", vae="None") as bundle:
        assert torch.equal(bundle.decode(latents), own)


def test_a_lost_vae_is_a_note(models: Models) -> None:
    with models.borrow("a", vae="lost.pt") as bundle:
        assert "lost.pt" in bundle.notes[0]


def test_a_checkpoint_without_a_vae_needs_one(models: Models) -> None:
    with pytest.raises(UnknownFile, match="no VAE inside"), models.borrow("c"):
        pass
    with models.borrow("c", vae="other.pt.safetensors") as bundle:
        assert bundle.decode(torch.randn(1, 4, 4, 4)).shape == (1, 3, 8, 8)


def test_a_vae_of_other_latents_is_refused(tmp_path: Path) -> None:
    write_sd1(tmp_path / "m.safetensors", tiny_sd1())
    wide = vae_tensors(tiny_sd1(vae={"latent_channels": 16}).vae)
    save_file({key: value.contiguous() for key, value in wide.items()}, tmp_path / "wide.vae.safetensors")
    models = Models(Library([tmp_path]), DeviceWishes("cpu"))
    with pytest.raises(UnknownFile, match="16 channels"), models.borrow("m", vae="wide.vae.safetensors"):
        pass


@pytest.mark.parametrize(
    "error", [torch.OutOfMemoryError("CUDA"), MemoryError(), RuntimeError("DefaultCPUAllocator: can't allocate memory")]
)
def test_running_out_of_memory_is_a_sentence(models: Models, error: Exception) -> None:
    with pytest.raises(OutOfMemory, match=r"a\.safetensors.*smaller"), models.borrow("a"):
        raise error


def test_other_errors_pass(models: Models) -> None:
    with pytest.raises(RuntimeError, match="shapes"), models.borrow("a"):
        raise RuntimeError("shapes differ")


def test_the_need_is_known_before_loading(models: Models) -> None:
    with models.borrow("b") as bundle:
        held = sum(weight.numel() * weight.element_size() for one in bundle.networks for weight in one.parameters())
        assert models.needed("b") == held == models.use().held


def test_switching_leaves_the_numbers_alone(library: Library) -> None:
    models = Models(library, DeviceWishes("cpu"))
    x, timestep, cross = torch.randn(1, 4, 8, 8), torch.tensor([5.0]), torch.randn(1, 7, 32)
    outputs = []
    for name in ("a", "b", "a"):
        with models.borrow(name) as bundle, torch.inference_mode():
            outputs.append(bundle.predict(x, timestep, cross))
    assert torch.equal(outputs[0], outputs[2])
    assert not torch.equal(outputs[0], outputs[1])


# --- placement ---


def test_the_cpu_computes_in_full_precision(folder: Path) -> None:
    placement = placement_for(DeviceWishes("cpu"))
    assert {placement.unet, placement.text, placement.vae} == {torch.float32}
    bundle = load_checkpoint(folder / "b.safetensors", placement)
    weights = [weight for one in bundle.networks for weight in one.parameters()]
    assert {weight.dtype for weight in weights} == {torch.float32}
    convolution = bundle.vae.decoder.conv_in.weight
    assert convolution.is_contiguous(memory_format=torch.channels_last)
    assert not any(weight.requires_grad for weight in weights)


def test_weights_of_the_same_type_are_not_copied(folder: Path) -> None:
    bundle = load_checkpoint(folder / "b.safetensors", Placement(unet=torch.float16))
    weight = bundle.unet.conv_in.weight
    assert weight.dtype == torch.float16
    before = (folder / "b.safetensors").read_bytes()
    with torch.no_grad():
        weight += 1  # a merge in place, as networks do: the file must not change
    assert (folder / "b.safetensors").read_bytes() == before
    other = load_checkpoint(folder / "b.safetensors", Placement(unet=torch.float16))
    assert torch.allclose(other.unet.conv_in.weight + 1, weight, atol=1e-2)


def test_an_unknown_device_is_named() -> None:
    with pytest.raises(BadRequest, match="quantum"):
        pick_device("quantum")
    if not torch.cuda.is_available():
        with pytest.raises(BadRequest, match="cuda"):
            pick_device("cuda")
    assert pick_device("cpu").type == "cpu"


def test_an_unknown_model_is_not_found(models: Models) -> None:
    with pytest.raises(NotFound), models.borrow("zzz"):
        pass
