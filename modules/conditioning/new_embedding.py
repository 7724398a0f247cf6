"""A textual inversion that nobody has trained yet: it begins as the words that it shall stand for.

Source: spec/training.md §1.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from modules.terms.errors import BadRequest

if TYPE_CHECKING:
    from torch import Tensor

    from modules.conditioning.clip import ClipEncoder

MOST_VECTORS = 75
# The token that A1111 files every inversion under: an asterisk.
ASTERISK = 265


def new_embedding(encoders: Sequence[ClipEncoder], count: int, words: str) -> dict[str, Tensor]:
    """Vectors to begin with, by the name of the encoder: (count, width) float32, those of the tokens of `words` spread
    evenly over `count`; zeros without words.

    Raises: BadRequest if the model has no encoder that inversions are made for, or `count` cannot be.
    """
    if not 1 <= count <= MOST_VECTORS:
        raise BadRequest(f"num_vectors_per_token is {count}; an embedding has 1 to {MOST_VECTORS} vectors.")
    if not encoders:
        raise BadRequest("The loaded model reads prompts with another encoder than CLIP; it takes no embeddings.")
    return {encoder.name: _vectors(encoder, count, words) for encoder in encoders}


def _vectors(encoder: ClipEncoder, count: int, words: str) -> Tensor:
    import torch

    tokens = encoder.tokenizer.encode(words)[:count]
    if not tokens:
        return torch.zeros(count, encoder.width)
    known = _looked_up(encoder, tokens)
    return known[[place * len(tokens) // count for place in range(count)]]


def _looked_up(encoder: ClipEncoder, tokens: Sequence[int]) -> Tensor:
    """(n, width) float32, what the encoder's table has for `tokens`.

    Overheard while the whole encoder runs: one that waits elsewhere for its turn comes to the device only then.
    """
    import torch

    heard: list[Tensor] = []
    table = encoder.model.get_input_embeddings()
    handle = table.register_forward_hook(lambda module, given, found: heard.append(found[0].float().cpu()))
    try:
        with torch.no_grad():
            encoder.model(input_ids=torch.tensor([list(tokens)], device=encoder.model.device))
    finally:
        handle.remove()
    return heard[0]


def write_embedding(vectors: Mapping[str, Tensor], name: str, path: Path) -> None:
    """The file at `path`: A1111's pickle of plain tensors for one encoder (.pt), named tensors for several."""
    import torch
    from safetensors.torch import save_file

    if path.suffix == ".safetensors":
        save_file({encoder: tensor.contiguous() for encoder, tensor in vectors.items()}, path)
        return
    (alone,) = vectors.values()
    torch.save(
        {
            "string_to_token": {"*": ASTERISK},
            "string_to_param": {"*": alone},
            "name": name,
            "step": 0,
            "sd_checkpoint": None,
            "sd_checkpoint_name": None,
        },
        path,
    )
