from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from modules.conditioning.tokenizer import ClipTokenizer, clip_tokenizer, count_tokens
from modules.prompt.attention import parse_attention
from modules.prompt.chunks import VectorNames, chunk
from tests.prompt.strategies import ENDLESS, prompts


@pytest.mark.parametrize(
    ("text", "tokens"),
    [
        ("a red circle on a blue background", [320, 736, 7117, 525, 320, 1746, 5994]),
        ("A  RED\nCircle", [320, 736, 7117]),
        (",", [267]),
        ("a photo of a cat.", [320, 1125, 539, 320, 2368, 269]),
        ("", []),
        ("<|endoftext|>", [49407]),
    ],
)
def test_known_tokens(tokenizer, text, tokens):
    assert tokenizer.encode(text) == tokens


def test_what_looks_alike_reads_alike(tokenizer):
    assert tokenizer.encode("don’t “quote” ﬁre Ｗｉｄｅ") == tokenizer.encode('don\'t "quote" fire wide')


def test_only_open_clip_reads_entities_twice(tokenizer):
    once = tokenizer.encode("<b> &amp;amp;")
    assert clip_tokenizer(open_clip=True).encode("<b> &amp;amp;") == tokenizer.encode("<b> &")
    assert once != tokenizer.encode("<b> &")


def test_it_reads_as_the_reference_does(tokenizer):
    """Against the `tokenizers` library with the same vocabulary, over words of many scripts."""
    from transformers import CLIPTokenizer

    reference = CLIPTokenizer(vocab=tokenizer.vocabulary, merges=tokenizer.merges)
    for text in (
        "masterpiece, best quality, 1girl, (solo), looking_at_viewer",
        "it's the cat's 2nd-best photograph!!! we'll've 1234 $5.00",
        "日本語 中文 русский ελληνικά עברית हिन्दी ไทย",
        "🔴🟢 naïve café Ærøskøbing Straße",
        "supercalifragilisticexpialidocious antidisestablishmentarianism aaaaaaaaaaaaaaaa",
    ):
        assert tokenizer.encode(text) == reference(text, add_special_tokens=False)["input_ids"], text


@given(st.text(max_size=60))
def test_every_text_has_tokens(text):
    assert all(0 <= token < 49408 for token in clip_tokenizer().encode(text))


@given(st.lists(st.text("abcxyz", min_size=1, max_size=12), max_size=8).map(" ".join))
def test_decoding_gives_the_text_back(text):
    tokenizer = clip_tokenizer()
    assert tokenizer.decode(tokenizer.encode(text)) == text


def test_decoding_puts_spaces_after_words(tokenizer):
    assert tokenizer.decode(tokenizer.encode("A Red Ćircle, 日本 🔴!")) == "a red ćircle , 日本 🔴!"


def test_a_word_as_long_as_a_prompt(tokenizer):
    assert len(tokenizer.encode("ab" * 50_000)) > 1000


def test_bracket_tokens(tokenizer):
    assert tokenizer.bracket_factor(tokenizer.encode("(")[0]) == pytest.approx(1.1)
    assert tokenizer.bracket_factor(tokenizer.encode("red")[0]) is None


class Named:
    def __init__(self, name: str, vectors: int) -> None:
        self.name = name
        self.vectors = vectors


def test_chunks_of_the_reference(tokenizer: ClipTokenizer, parity: Path):
    """Tokens, weights, places of inversions and counts that A1111 made of 33 prompts, recorded."""
    names = VectorNames([Named("parity-ti", 2), Named("parity-ti-neg", 2)], tokenizer.encode)
    for case in json.loads((parity / "texts" / "tokens.json").read_text()):
        found = chunk(parse_attention(case["prompt"]), tokenizer.encode, tokenizer.special, names=names)
        chunks = [
            {
                "tokens": list(one.tokens),
                "multipliers": list(one.weights),
                "fixes": [[fix.offset, fix.inversion.name] for fix in one.fixes],
            }
            for one in found.chunks
        ]
        assert chunks == case["chunks"], case["prompt"]
        assert (found.count, found.limit) == (case["token_count"], case["max_length"])


@pytest.mark.parametrize(
    ("text", "count"),
    [
        ("", (0, 75)),
        ("a red circle", (3, 75)),
        ("a red circle AND a", (3, 75)),
        ("[a|a red circle|b]", (3, 75)),
        ("a red # circle", (2, 75)),
        ("a <lora:x:1> red", (2, 75)),
        ("((red:1.3))", (1, 75)),
        ("red BREAK red", (76, 150)),
        ("red " * 76, (76, 150)),
    ],
)
def test_counts_are_of_the_longest_text(text, count):
    assert count_tokens(text) == count


def test_what_counts_depends_on_the_settings():
    assert count_tokens("a AND b", positive=False).tokens == 3
    assert count_tokens("(red)", emphasis=False).tokens == 3
    assert count_tokens("a # b", comments=False).tokens == 3
    assert count_tokens("(red:1.2)", old_emphasis=True).tokens == len(["red", ":", "1", ".", "2"])
    assert count_tokens("x y", names=VectorNames([Named("y", 8)], clip_tokenizer().encode)).tokens == 9


@given(prompts)
def test_every_prompt_can_be_counted(text):
    found = count_tokens(text, steps=5)
    assert 0 <= found.tokens <= found.limit


@pytest.mark.parametrize("text", ENDLESS, ids=lambda text: text[:8])
def test_long_nonsense_can_be_counted(text):
    assert count_tokens(text, steps=2).limit >= 75


def test_counting_needs_no_torch(root: Path):
    code = (
        "import sys; from modules.conditioning.tokenizer import count_tokens; "
        "assert count_tokens('a “red” circle').tokens == 5; "
        "assert not {'torch', 'transformers', 'tokenizers', 'open_clip'} & set(sys.modules), 'too much imported'"
    )
    subprocess.run([sys.executable, "-c", code], cwd=root, check=True)
