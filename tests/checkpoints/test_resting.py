from __future__ import annotations

from pathlib import Path

import pytest
import torch

from modules.checkpoints.devices import DeviceWishes
from modules.checkpoints.library import Library
from modules.checkpoints.memory import Models
from modules.checkpoints.resting import rest_texts, wake_texts
from tests.checkpoints.original_layout import tiny_sd1, write_sd1

TOKENS = torch.arange(77)[None] % 32


@pytest.fixture
def models(tmp_path: Path) -> Models:
    write_sd1(tmp_path / "m.safetensors", tiny_sd1(), torch.float16)
    return Models(Library([tmp_path]), DeviceWishes("cpu"))


def bytes_held(network: torch.nn.Module) -> int:
    return sum(weight.nbytes for weight in network.parameters())


def test_a_text_encoder_at_rest_holds_nothing_and_answers_the_same(models: Models) -> None:
    with models.borrow() as bundle, torch.no_grad():
        encoder = bundle.clips[0].model
        before, held = encoder(input_ids=TOKENS).last_hidden_state, bytes_held(encoder)
        rest_texts(bundle)
        assert bytes_held(encoder) == 0
        assert torch.equal(encoder(input_ids=TOKENS).last_hidden_state, before)
        assert bytes_held(encoder) == held
        assert not encoder._forward_pre_hooks


def test_it_can_be_woken_and_put_to_rest_again(models: Models) -> None:
    with models.borrow() as bundle:
        encoder = bundle.clips[0].model
        weights = {name: weight.clone() for name, weight in encoder.state_dict().items()}
        for _ in range(2):
            rest_texts(bundle)
            rest_texts(bundle)
            wake_texts(bundle)
            assert all(torch.equal(weights[name], weight) for name, weight in encoder.state_dict().items())


def test_a_file_that_took_its_place_does_not_matter(models: Models) -> None:
    with models.borrow() as bundle, torch.no_grad():
        encoder = bundle.clips[0].model
        before = encoder(input_ids=TOKENS).last_hidden_state
        rest_texts(bundle)
        path = bundle.info.path
        write_sd1(path.with_name("other"), tiny_sd1(text={"hidden_size": 64})).replace(path)
        assert torch.equal(encoder(input_ids=TOKENS).last_hidden_state, before)
