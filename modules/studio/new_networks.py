"""New embeddings and hypernetworks: files to be trained, in the folders where the studio looks for them."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from modules.studio.placing import safe_name
from modules.terms.atomic import creating, replacing
from modules.terms.errors import BadRequest

if TYPE_CHECKING:
    from modules.networks.new_hypernetwork import Shape
    from modules.studio.studio import Studio

# What A1111 keeps of a name.
FIT_MARKS = "._- "


def create_embedding(studio: Studio, name: str, vectors: int, words: str, *, overwrite: bool = False) -> Path:
    """Makes an embedding for the chosen checkpoint that begins as `words`. Returns: its file.

    Raises: BadRequest for a name or number that cannot be, and where a file of that name is; as `Models.borrow`.
    """
    from modules.conditioning.clip import ClipEncoder
    from modules.conditioning.new_embedding import new_embedding, write_embedding

    name = fit_name(name)
    tools = studio.engine.tools(studio.settings)
    info, _ = tools.models.library.find_or_first(studio.chosen_checkpoint)
    with tools.models.borrow(info.title) as bundle:
        clips = [clip for clip in bundle.clips if isinstance(clip, ClipEncoder)]
        made = new_embedding(clips, vectors, words)
    ending = ".pt" if len(made) == 1 else ".safetensors"
    path = studio.flags.embedding_folders[0] / safe_name(f"{name}{ending}")
    with new_file(path, overwrite=overwrite) as draft:
        write_embedding(made, name, draft)
    studio.refresh("embeddings")
    return path


def create_hypernetwork(studio: Studio, name: str, shape: Shape, *, overwrite: bool = False) -> Path:
    """Makes a hypernetwork of this shape. Returns: its file. Raises: BadRequest as `create_embedding`."""
    import torch

    from modules.networks.new_hypernetwork import write_hypernetwork

    name = fit_name(name)
    shape.check()
    path = studio.flags.hypernetwork_folders[0] / safe_name(f"{name}.pt")
    noise = torch.Generator()
    noise.seed()
    with new_file(path, overwrite=overwrite) as draft:
        write_hypernetwork(shape, name, draft, noise)
    studio.refresh("hypernetworks")
    return path


def fit_name(name: str) -> str:
    """What of `name` may name a network. Raises: BadRequest if that is nothing."""
    kept = "".join(mark for mark in name if mark.isalnum() or mark in FIT_MARKS).strip(" .")
    if not kept:
        raise BadRequest(f"{name!r} is no name: use letters, digits, blanks, dots, dashes and underscores.")
    return kept


@contextlib.contextmanager
def new_file(path: Path, *, overwrite: bool) -> Iterator[Path]:
    """A path to write to, which then becomes `path`. Raises: BadRequest if that is taken, unless `overwrite`."""
    try:
        with replacing(path) if overwrite else creating(path) as draft:
            yield draft
    except FileExistsError as error:
        raise BadRequest(f"There is a file {path.name} already. Choose another name, or overwrite it.") from error


def numbers_of(given: str | Sequence[Any], field: str) -> list[float]:
    """ "1, 2, 1" or a list of numbers -> numbers. Raises: BadRequest naming the field."""
    words = re.split(r"[,\s]+", given.strip()) if isinstance(given, str) else given
    try:
        return [float(word) for word in words]
    except ValueError as error:
        raise BadRequest(f"{field} must be numbers parted by commas, such as 1, 2, 1.") from error


def dropout_of(given: str | Sequence[Any] | None, layers: Sequence[float]) -> list[float]:
    """The share dropped behind each layer; nothing given: what A1111 fills in, 0.3 behind each but first and last."""
    return numbers_of(given, "dropout_structure") if given else [0.0, *(0.3 for _ in layers[1:-1]), 0.0]
