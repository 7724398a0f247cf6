from __future__ import annotations

import pytest
import torch
from hypothesis import HealthCheck, given, settings

from modules.conditioning.clip import ClipEncoder
from modules.conditioning.embeddings import Embedding, EmbeddingSet
from modules.conditioning.encode import PromptEncoder, Reading, Timing
from tests.prompt.strategies import prompts

TEN = Timing(10)


@pytest.fixture
def encoder(clip) -> PromptEncoder:
    return PromptEncoder([clip])


def same(a, b) -> bool:
    return torch.allclose(a.cross, b.cross, atol=1e-5)


def test_a_plain_prompt_is_one_chunk(encoder, clip):
    composed = encoder.positive("a red circle", TEN)
    ((scheduled, weight),) = composed.parts
    ((until, conditioning),) = scheduled.entries
    assert (until, weight) == (10, 1.0)
    assert conditioning.cross.shape == (77, clip.width)
    assert conditioning.vector is None


def test_chunks_follow_each_other(encoder):
    both = encoder.negative("red circle BREAK blue square", TEN).at(0).cross
    first, second = (encoder.negative(text, TEN).at(0).cross for text in ("red circle", "blue square"))
    assert torch.allclose(both, torch.cat([first, second]), atol=1e-5)


def test_each_step_has_its_text(encoder):
    scheduled = encoder.negative("a [red:blue:4] circle", TEN)
    assert [until for until, _ in scheduled.entries] == [4, 10]
    red, blue = (encoder.negative(f"a {colour} circle", TEN).at(0) for colour in ("red", "blue"))
    assert [same(scheduled.at(call), red) for call in range(10)] == [True] * 5 + [False] * 5
    assert same(scheduled.at(9), blue)


def test_past_its_end_a_schedule_begins_again(encoder):
    scheduled = encoder.negative("[a:b:4]", TEN)
    assert scheduled.at(10) is scheduled.entries[1][1]
    assert scheduled.at(11) is scheduled.entries[0][1]


def test_shorter_variants_are_filled_with_empty_chunks(encoder):
    scheduled = encoder.negative("a [red:blue BREAK circle:4]", TEN)
    first, last = scheduled.at(0).cross, scheduled.at(9).cross
    assert first.shape == last.shape == (154, encoder.clips[0].width)
    assert torch.allclose(first[77:], encoder.empty().cross, atol=1e-5)


def test_variants_of_a_prompt_share_one_norm(encoder):
    """A1111 norms all variants of a prompt together, alternation counting each step."""
    alone = encoder.negative("(red:1.8) circle", Timing(3)).at(0)
    together = encoder.negative("[(red:1.8) circle|blue square]", Timing(3)).at(0)
    ratio = (together.cross / alone.cross).flatten()
    assert float(ratio.std()) < 1e-2
    assert abs(float(ratio.median()) - 1) > 1e-4


def test_and_joins_prompts_with_their_weights(encoder):
    composed = encoder.positive("a cat AND a dog :0.5 AND a cat", TEN)
    assert [weight for _, weight in composed.parts] == [1.0, 0.5, 1.0]
    assert same(composed.parts[1][0].at(0), encoder.negative(" a dog", TEN).at(0))
    assert len(encoder.negative("a cat AND a dog", TEN).entries) == 1


@pytest.mark.parametrize(
    ("emphasis", "expected"), [("None", "(red:1.3) circle"), ("Ignore", "red circle"), ("Original", "red circle")]
)
def test_emphasis_decides_whether_brackets_are_read(encoder, emphasis, expected):
    plain = encoder.negative(expected, TEN, Reading("None")).at(0)
    assert same(encoder.negative("(red:1.3) circle", TEN, Reading(emphasis)).at(0), plain) == (emphasis != "Original")


def test_old_emphasis_reads_brackets_as_tokens(encoder):
    old, new = Reading("No norm", old_emphasis=True), Reading("No norm")
    assert same(encoder.negative("(red) circle", TEN, old).at(0), encoder.negative("(red) circle", TEN, new).at(0))
    assert not same(encoder.negative("(red:1.5)", TEN, old).at(0), encoder.negative("(red:1.5)", TEN, new).at(0))
    assert encoder.negative("red " * 80, TEN, old).at(0).cross.shape[0] == 77


def test_the_encoder_is_asked_once_for_each_text(encoder, asked):
    for _ in range(3):
        encoder.positive("a (red:1.3) circle AND [a|b]", TEN)
        encoder.negative("", TEN)
    assert asked() == 4
    encoder.positive("a (red:0.7) circle", Timing(25), Reading("No norm"))
    assert asked() == 4
    encoder.negative("", TEN, Reading(clip_skip=2))
    assert asked() == 5
    encoder.negative("", TEN, Reading(networks=("lora", 1.0)))
    assert asked() == 6


def test_two_encoders_are_joined_on_channels(model, projecting_model, tokenizer):
    first = ClipEncoder(model, tokenizer, layer=2, skippable=False, final_norm=False)
    second = ClipEncoder(projecting_model, tokenizer, name="clip_g", layer=2, skippable=False, pooled="projected")
    joined = PromptEncoder([first, second])
    conditioning = joined.negative("a (red:1.2) circle BREAK x", TEN).at(0)
    assert conditioning.cross.shape == (154, 32)
    assert torch.allclose(
        conditioning.cross[:, :16], PromptEncoder([first]).negative("a (red:1.2) circle BREAK x", TEN).at(0).cross
    )
    assert torch.allclose(conditioning.vector, PromptEncoder([second]).negative("a red circle", TEN).at(0).vector)
    assert joined.widths == {"clip_l": 16, "clip_g": 16}


def test_inversions_that_were_used_are_told(clip, encoder):
    embeddings = [Embedding(name, {"": torch.randn(2, clip.width)}) for name in ("thing", "other")]
    encoder = PromptEncoder([clip], EmbeddingSet(embeddings))
    composed = encoder.positive("a THING and [thing:x:3] AND y", TEN)
    assert [embedding.name for embedding in composed.embeddings] == ["thing"]
    assert encoder.negative("nothing", TEN).embeddings == ()


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(text=prompts)
def test_every_prompt_has_a_conditioning(text, clip):
    composed = PromptEncoder([clip]).positive(text, Timing(3))
    for scheduled, _ in composed.parts:
        assert all(torch.isfinite(scheduled.at(call).cross).all() for call in range(4))
