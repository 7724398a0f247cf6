"""Network tags of prompts, in a real model of SD 1's layout and toy size."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor

from modules.checkpoints.bundle import ModelBundle
from modules.checkpoints.load import Placement, load_checkpoint
from modules.conditioning.conditioning import Composed, Scheduled
from modules.conditioning.embeddings import Embedding
from modules.conditioning.encode import PromptEncoder
from modules.generation.network_parts import FileSource, PartsOf
from modules.generation.network_request import read_tags, with_networks_of_settings
from modules.generation.network_shelf import NetworkShelf, open_shelf
from modules.generation.networks import AppliedNetworks, networks_applied
from modules.generation.plan import plan_batches
from modules.generation.texts import Texts
from modules.networks.files import content_hash
from modules.prompt.networks import extract_networks
from modules.prompt.styles import StyleBook
from modules.settings.store import Settings
from modules.terms.request import GenerationRequest
from tests.checkpoints.original_layout import Tiny, tiny_sd1, write_sd1

UNET_LAYER = "lora_unet_mid_block_attentions_0_transformer_blocks_0_attn1_to_q"
TEXT_LAYER = "lora_te_text_model_encoder_layers_0_mlp_fc1"
SETTINGS = Settings()


@pytest.fixture(scope="module")
def tiny() -> Tiny:
    return tiny_sd1()


@pytest.fixture(scope="module", params=[torch.float16, torch.float32], ids=["cast from the file", "views of the file"])
def bundle(request: pytest.FixtureRequest, tiny: Tiny, tmp_path_factory: pytest.TempPathFactory) -> ModelBundle:
    folder = tmp_path_factory.mktemp("models")
    return load_checkpoint(write_sd1(folder / "model.safetensors", tiny, request.param), Placement())


def lora(unet: float = 0.1, text: float = 0.1, width: int = 64) -> dict[str, Tensor]:
    """A LoRA of rank 1 whose deltas are the same number everywhere."""
    tensors = {}
    for layer, rows, columns, value in ((UNET_LAYER, width, width, unet), (TEXT_LAYER, 64, 32, text)):
        tensors[f"{layer}.lora_up.weight"] = torch.ones(rows, 1) * value
        tensors[f"{layer}.lora_down.weight"] = torch.ones(1, columns)
    return tensors


@pytest.fixture
def shelf(tmp_path: Path) -> NetworkShelf:
    (tmp_path / "Lora").mkdir()
    (tmp_path / "hypernetworks").mkdir()
    save_file(lora(), tmp_path / "Lora" / "pen.safetensors", {"ss_output_name": "ink"})
    return open_shelf([tmp_path / "Lora"], [tmp_path / "hypernetworks"])


Apply = Callable[..., "Iterator[AppliedNetworks]"]


@contextmanager
def applied(
    prompt: str, bundle: ModelBundle, shelf: NetworkShelf, steps: int = 10, **settings: object
) -> Iterator[AppliedNetworks]:
    _, tags = extract_networks(prompt)
    with networks_applied(tags, bundle, shelf, SETTINGS.with_flat(settings), steps) as networks:
        yield networks


def weights(bundle: ModelBundle) -> dict[str, Tensor]:
    return {
        f"{place}.{key}": value.clone()
        for place, network in enumerate((bundle.unet, *(clip.model for clip in bundle.clips)))
        for key, value in network.state_dict().items()
    }


def shares(bundle: ModelBundle, plain: dict[str, Tensor]) -> tuple[float, float]:
    """How much is added now to UNet and text encoder, in units of the LoRA's deltas."""
    change = {key: value - plain[key] for key, value in weights(bundle).items() if not torch.equal(value, plain[key])}
    unet = [value for key, value in change.items() if key.startswith("0.")]
    text = [value for key, value in change.items() if not key.startswith("0.")]
    assert len(unet) <= 1
    assert len(text) <= 1
    return tuple(round(float(one[0].mean()) / 0.1, 3) if one else 0.0 for one in (unet, text))  # type: ignore[return-value]


@pytest.mark.parametrize(
    ("prompt", "unet", "text"),
    [
        ("a house", 0, 0),
        ("a house <lora:pen>", 1, 1),
        ("a house <lyco:pen:0.5>", 0.5, 0.5),
        ("<lora:ink:-1>", -1, -1),
        ("<lora:pen:0:1>", 1, 0),
        ("<lora:pen:0.3:0.9>", 0.9, 0.3),
        ("<lora:pen:te=0.3:unet=0.9>", 0.9, 0.3),
        ("<lora:pen:0.5:te=0.25>", 0.25, 0.25),
        ("<lora:pen:1:1:4>", 1, 1),
        ("<lora:pen:0.4> <lora:pen:0.3>", 0.6, 0.6),  # spec/parity_facts.md 18
        ("<lora:pen:1:lbw=NONE>", 0, 0),
        ("<lora:pen:1:lbw=MIDD>", 1, 1),
        ("<lora:pen:1:lbw=OUTALL>", 0, 1),
        ("<lora:pen:1:lbw=0,0,0,0,0,0,0,0.5,0,0,0,0,0,0,0,0,0>", 0.5, 0),
    ],
)
def test_tags_say_how_much(bundle: ModelBundle, shelf: NetworkShelf, prompt: str, unet: float, text: float) -> None:
    plain = weights(bundle)
    with applied(prompt, bundle, shelf) as networks:
        assert shares(bundle, plain) == (unet, text)
        assert not networks.notes
    assert shares(bundle, plain) == (0, 0)


def test_added_while_running_nothing_is_in_the_weights(
    bundle: ModelBundle, shelf: NetworkShelf, tmp_path: Path
) -> None:
    # Not the same number everywhere: after a layer norm that would add nothing.
    uneven = {key: value * torch.linspace(-2, 2, value.shape[1]) for key, value in lora().items()}
    save_file(uneven, tmp_path / "Lora" / "pen.safetensors")
    plain = weights(bundle)
    x, t, cross = torch.randn(1, 4, 8, 8), torch.tensor([500]), torch.randn(1, 77, 32)
    with applied("<lora:pen>", bundle, shelf):
        merged = bundle.predict(x, t, cross)
    with applied("<lora:pen>", bundle, shelf, lora_functional=True):
        assert shares(bundle, plain) == (0, 0)
        beside = bundle.predict(x, t, cross)
    torch.testing.assert_close(beside, merged, rtol=1e-4, atol=1e-4)
    assert not torch.allclose(bundle.predict(x, t, cross), merged, rtol=1e-3, atol=1e-3)


def test_weights_are_read_from_the_file_again(bundle: ModelBundle, shelf: NetworkShelf) -> None:
    unet, text = PartsOf()(bundle)
    assert isinstance(unet.source, FileSource)
    for part in (unet, text):
        for key, value in part.module.state_dict().items():
            if key.endswith("weight"):
                stored = part.source.stored(key)
                assert stored is not None
                assert torch.equal(stored.to(value.dtype), value), key


def test_a_file_that_was_replaced_is_not_read(tiny: Tiny, tmp_path: Path) -> None:
    bundle = load_checkpoint(write_sd1(tmp_path / "model.safetensors", tiny), Placement())
    write_sd1(bundle.info.path, tiny, torch.bfloat16)
    assert all(part.source is None for part in PartsOf()(bundle))


def test_what_is_wrong_becomes_a_note_and_the_rest_goes_on(
    bundle: ModelBundle, shelf: NetworkShelf, tmp_path: Path
) -> None:
    (tmp_path / "Lora" / "broken.safetensors").write_bytes(b"\x10" * 50)
    plain = weights(bundle)
    wrong = "<lora:penn> <lora:broken> <lora:pen:much> <lora:ink:1:lbw=INAL> <lora:pen:1:whom=2> <hypernet:style> <a:b>"
    with applied(f"{wrong} <lora:pen:0.5>", bundle, shelf) as networks:
        assert shares(bundle, plain) == (0.5, 0.5)
        notes = networks.notes
    for told in (
        "Lora not found: penn is not there. Did you mean pen?",
        "broken was left out",
        "'much' is no number",
        "'whom'",
        "Hypernetwork not found: style",
        "Did you mean INALL?",
        "'a'",
    ):
        assert any(told in note for note in notes), (told, notes)


def test_keys_that_fit_nothing_are_told(bundle: ModelBundle, shelf: NetworkShelf, tmp_path: Path) -> None:
    nowhere = {f"lora_unet_somewhere.lora_{end}.weight": torch.ones(1, 1) for end in ("up", "down")}
    save_file({**lora(), **nowhere}, tmp_path / "Lora" / "half.safetensors")
    wide = {key: value for key, value in lora(width=48).items() if "unet" in key}
    save_file(wide, tmp_path / "Lora" / "xl.safetensors", {"ss_base_model_version": "sdxl_base_v1-0"})
    with applied("<lora:half> <lora:xl>", bundle, shelf) as networks:
        assert networks.recorded["Networks used in part"] == "half: 2 of 6 keys unused, xl: 2 of 2 keys unused"
        assert "used in part: 2 of its 6 keys" in networks.notes[0]
        assert "does nothing" in networks.notes[1]
        assert "sdxl_base_v1-0" in networks.notes[1]


def test_hashes_are_recorded_by_the_name_that_was_used(
    bundle: ModelBundle, shelf: NetworkShelf, tmp_path: Path
) -> None:
    hash = content_hash(tmp_path / "Lora" / "pen.safetensors")[:12]
    with applied("<lora:ink:0.2><lora:pen>", bundle, shelf) as networks:
        assert networks.recorded == {"Lora hashes": f"ink: {hash}, pen: {hash}", "Networks used in part": None}
    with applied("<lora:pen>", bundle, shelf, lora_add_hashes_to_infotext=False) as networks:
        assert "Lora hashes" not in networks.recorded


def test_what_shapes_the_text_encoder_is_part_of_its_question(bundle: ModelBundle, shelf: NetworkShelf) -> None:
    identities = []
    for prompt in ("", "<lora:pen:0:1>", "<lora:pen:0.5>", "<lora:pen:0.6>"):
        with applied(prompt, bundle, shelf) as networks:
            identities.append(networks.identity)
    assert identities[0] == identities[1] == ()
    assert len(set(identities)) == 3


def test_a_network_may_start_and_stop(bundle: ModelBundle, shelf: NetworkShelf) -> None:
    plain = weights(bundle)
    for prompt in ("<lora:pen:1:start=0.2:stop=0.5>", "<lora:pen:1:start=2:stop=5>"):
        with applied(prompt, bundle, shelf) as networks:
            seen = []
            for step in (0, *range(1, 10), 0):
                networks.at(step, 10)
                seen.append(shares(bundle, plain))
        assert [unet for unet, _ in seen] == [0, 0, 1, 1, 1, 0, 0, 0, 0, 0, 0]
        assert {text for _, text in seen} == {1}, "the text is encoded once, for the whole pass"
        assert shares(bundle, plain) == (0, 0)


def scheduled(*embeddings: Embedding) -> Scheduled:
    return Scheduled((), tuple(embeddings))


def test_inversions_are_hashed_in_the_order_of_the_reference(
    bundle: ModelBundle, shelf: NetworkShelf, tmp_path: Path
) -> None:
    save_file(
        {**lora(), "bundle_emb.inside.string_to_param.*": torch.ones(2, 32)}, tmp_path / "Lora" / "full.safetensors"
    )
    one, two = (Embedding(name, {"": torch.ones(1, 32)}, sha256=name[0] * 64) for name in ("a:b,c", "two"))
    negative, positive = scheduled(two), Composed(((scheduled(one), 1.0), (scheduled(two, one), 1.0)))
    with applied("<lora:full>", bundle, shelf) as networks:
        encoder = networks.encoder(PromptEncoder(bundle.clips))
        (inside,) = encoder.embeddings.loaded
        texts = Texts([positive, positive], [negative, scheduled(inside)])
        hashes = {one: "a" * 12, two: "t" * 12}
        assert networks.inversion_hashes(texts, SETTINGS) == (
            f"two: {hashes[two]}, abc: {hashes[one]}, abc: {hashes[one]}, inside: full, two: {hashes[two]}"
        )
        off = SETTINGS.with_flat({"textual_inversion_add_hashes_to_infotext": False})
        assert networks.inversion_hashes(texts, off) is None
        plain = SETTINGS.with_flat({"lora_bundled_ti_to_infotext": False})
        assert networks.inversion_hashes(Texts([], [scheduled(inside)]), plain) is None


def test_settings_add_networks_to_every_prompt(shelf: NetworkShelf) -> None:
    settings = SETTINGS.with_flat(
        {"sd_lora": "pen", "sd_hypernetwork": "gone", "extra_networks_default_multiplier": 0.7}
    )

    def planned(prompt: str, **more: object) -> tuple[str, str, list[str]]:
        request = GenerationRequest(prompt=prompt, batch_size=2, **more)  # type: ignore[arg-type]
        plan = plan_batches(request, settings, StyleBook(), lambda limit: 0)
        (batch,) = with_networks_of_settings(plan, settings, shelf.loras, shelf.hypernetworks).batches
        return batch.images[1].prompt, batch.prompts[1], [str(tag) for tag in batch.networks]

    assert planned("a house") == ("a house<lora:pen:0.7>", "a house", ["<lora:pen:0.7>"])
    assert planned("a <lora:pen:2>") == ("a <lora:pen:2>", "a ", ["<lora:pen:2>"])
    assert planned("a house", disable_extra_networks=True) == ("a house", "a house", [])


def test_a_tag_that_names_nothing_is_told() -> None:
    _, tags = extract_networks("<lora::1> <hypernet:h:x> <lora:n:1:1:1:1:1>")
    asked = read_tags(tags)
    assert [lora.name for lora in asked.loras] == ["n"]
    assert len(asked.notes) == 2
