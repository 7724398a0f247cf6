from __future__ import annotations

import pytest
import torch

from modules.conditioning.cache import AnswerCache
from modules.conditioning.clip import ClipEncoder
from modules.conditioning.embeddings import Embedding
from modules.prompt.attention import parse_attention
from modules.prompt.chunks import Chunk, Fix, VectorNames, chunk


def chunk_of(text: str, tokenizer) -> Chunk:
    (found,) = chunk(parse_attention(text), tokenizer.encode, tokenizer.special).chunks
    return found


def say(clip: ClipEncoder, *chunks: Chunk, clip_skip: int = 1):
    return clip.answers(chunks, clip_skip, (), AnswerCache())


@torch.no_grad()
def run(model, chunk: Chunk):
    return model(input_ids=torch.tensor([chunk.tokens]), output_hidden_states=True)


def test_the_last_layer_comes_with_its_norm(clip, model, tokenizer):
    asked = chunk_of("a red circle", tokenizer)
    (answer,) = say(clip, asked)
    assert torch.allclose(answer.z, run(model, asked).last_hidden_state[0], atol=1e-6)
    assert answer.z.shape == (77, clip.width)
    assert answer.z.dtype == torch.float32
    assert not answer.z.requires_grad
    assert answer.pooled is None


@pytest.mark.parametrize("skip", [2, 3])
def test_clip_skip_stops_early_and_norms(clip, model, tokenizer, skip):
    asked = chunk_of("a red circle", tokenizer)
    stopped = model.final_layer_norm(run(model, asked).hidden_states[-skip])[0]
    assert torch.allclose(say(clip, asked, clip_skip=skip)[0].z, stopped, atol=1e-6)


def test_clip_skip_beyond_the_layers_is_the_first(clip, tokenizer):
    asked = chunk_of("a red circle", tokenizer)
    assert torch.equal(say(clip, asked, clip_skip=12)[0].z, say(clip, asked, clip_skip=4)[0].z)


def test_a_family_may_fix_the_layer_and_leave_out_the_norm(model, tokenizer):
    penultimate = ClipEncoder(model, tokenizer, layer=2, skippable=False, final_norm=False)
    asked = chunk_of("a red circle", tokenizer)
    for skip in (1, 3):
        assert torch.allclose(say(penultimate, asked, clip_skip=skip)[0].z, run(model, asked).hidden_states[-2][0])


def test_pooled_vectors(model, projecting_model, tokenizer):
    asked = chunk_of("a red circle", tokenizer)
    end = asked.tokens.index(tokenizer.special.end)
    hidden = ClipEncoder(model, tokenizer, pooled="hidden")
    assert torch.allclose(say(hidden, asked)[0].pooled, run(model, asked).last_hidden_state[0, end], atol=1e-6)
    projected = ClipEncoder(projecting_model, tokenizer, name="clip_g", layer=2, pooled="projected")
    assert torch.allclose(say(projected, asked)[0].pooled, run(projecting_model, asked).text_embeds[0], atol=1e-6)
    assert say(projected, asked)[0].pooled.shape == (24,)


def test_clip_skip_with_another_nesting_of_the_model(projecting_model, tokenizer):
    """The projecting model keeps its layers one level deeper, as all models of transformers 4 do."""
    clip = ClipEncoder(projecting_model, tokenizer)
    asked = chunk_of("a red circle", tokenizer)
    stopped = projecting_model.text_model.final_layer_norm(run(projecting_model, asked).hidden_states[-2])[0]
    assert torch.allclose(say(clip, asked, clip_skip=2)[0].z, stopped, atol=1e-6)


def test_company_does_not_change_an_answer(clip, tokenizer):
    chunks = [chunk_of(text, tokenizer) for text in ("a red circle", "a blue square on a table", "")]
    for alone, together in zip(chunks, say(clip, *chunks), strict=True):
        assert torch.equal(say(clip, alone)[0].z, together.z)


def test_each_distinct_chunk_is_asked_once(clip, tokenizer, asked):
    cache = AnswerCache()
    a, b = chunk_of("a", tokenizer), chunk_of("b", tokenizer)
    clip.answers([a, b, a, a], 1, (), cache)
    assert asked() == 2
    clip.answers([chunk_of("(a:1.3)", tokenizer), b], 1, (), cache)
    assert asked() == 2, "weights are no part of the question"
    clip.answers([a], 2, (), cache)
    clip.answers([a], 1, ("lora", 0.5), cache)
    assert asked() == 4


def test_other_weights_are_another_encoder(model, tokenizer, asked):
    cache = AnswerCache()
    chunks = [chunk_of("a", tokenizer)]
    for clip in (ClipEncoder(model, tokenizer), ClipEncoder(model, tokenizer)):
        clip.answers(chunks, 1, (), cache)
    assert asked() == 2
    for _ in range(2):
        ClipEncoder(model, tokenizer, identity="sha256 of the file").answers(chunks, 1, (), cache)
    assert asked() == 3


def test_vectors_stand_in_for_tokens(clip, model, tokenizer):
    """An inversion whose vectors are those of words gives what the words give."""
    words = tokenizer.encode("red circle")
    vectors = model.get_input_embeddings().weight.detach()[words]
    names = VectorNames([Embedding("thing", {"": vectors})], tokenizer.encode)
    (with_name,) = chunk(parse_attention("a thing, x"), tokenizer.encode, tokenizer.special, names=names).chunks
    plain = chunk_of("a red circle, x", tokenizer)
    with_words, with_vectors, unused = say(clip, plain, with_name, with_name._replace(fixes=()))
    assert torch.allclose(with_words.z, with_vectors.z, atol=1e-6)
    assert not torch.allclose(with_vectors.z, unused.z, atol=1e-3)
    assert not model.get_input_embeddings()._forward_hooks, "the model is as it was"


def test_vectors_are_cut_at_the_end_of_the_chunk(clip, tokenizer):
    embedding = Embedding("long", {"": torch.ones(10, clip.width)})
    asked = chunk_of("a", tokenizer)._replace(fixes=(Fix(70, embedding),))
    assert say(clip, asked)[0].z.shape == (77, clip.width)


def test_changed_vectors_are_another_question(clip, tokenizer):
    cache = AnswerCache()
    asked = chunk_of("a", tokenizer)
    answers = [
        clip.answers([asked._replace(fixes=(Fix(0, Embedding("e", {"": vectors})),))], 1, (), cache)[0].z
        for vectors in (torch.ones(1, clip.width), torch.zeros(1, clip.width))
    ]
    assert not torch.allclose(*answers)
