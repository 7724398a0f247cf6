"""Textual inversions: a few vectors with a name, which in a prompt stand for a thing or a style.

embedding_files.py reads them; here is what they are, which of them fit a model, and where they lie.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from modules.networks.files import Stamp
from modules.networks.folders import ModelFile, ModelFiles
from modules.prompt.chunks import Tokenize, VectorNames

if TYPE_CHECKING:
    from torch import Tensor

SUFFIXES = frozenset({".pt", ".bin", ".safetensors", ".png", ".webp", ".jxl", ".avif"})


@dataclass(frozen=True, eq=False)
class Embedding:
    """One inversion. `tensors`: (n, width) float32 by the name of the encoder they are for; "" fits any encoder of
    that width. `checkpoint_hash` and `checkpoint_name` tell what it was trained on, `step` for how long."""

    name: str
    tensors: Mapping[str, Tensor]
    path: Path | None = None
    sha256: str = ""
    step: int | None = None
    checkpoint_hash: str | None = None
    checkpoint_name: str | None = None

    @property
    def vectors(self) -> int:
        """How many tokens it stands for."""
        return max(tensor.shape[0] for tensor in self.tensors.values())

    @property
    def width(self) -> int:
        """Numbers per vector, over all encoders: 768 (SD 1), 1024 (SD 2), 2048 (SDXL)."""
        return sum(tensor.shape[1] for tensor in self.tensors.values())

    @property
    def shorthash(self) -> str:
        """As infotext writes it."""
        return self.sha256[:12]

    @cached_property
    def identity(self) -> str:
        """The same only for the same name and numbers."""
        digest = hashlib.sha256(self.name.encode("utf-8", errors="replace"))
        for encoder, tensor in sorted(self.tensors.items()):
            digest.update(f"\0{encoder}{tuple(tensor.shape)}".encode())
            digest.update(tensor.contiguous().numpy().tobytes())
        return digest.hexdigest()

    @cached_property
    def checksum(self) -> str:
        """Four hexadecimal digits of the vectors, as A1111 showed before it had hashes."""
        rest = 0
        for value in (number for tensor in self.tensors.values() for number in tensor.flatten().tolist()):
            rest = ((rest * 281) ^ (int(value * 100) * 997)) & 0xFFFFFFFF
        return f"{rest & 0xFFFF:04x}"

    def fits(self, widths: Mapping[str, int]) -> bool:
        """Whether a model whose encoders are that wide can use it."""
        if set(self.tensors) == {""}:
            return [self.tensors[""].shape[1]] == list(widths.values())
        return {name: tensor.shape[1] for name, tensor in self.tensors.items()} == dict(widths)

    def tensor(self, encoder: str) -> Tensor:
        """(n, width) for the encoder of that name."""
        return self.tensors[encoder] if encoder in self.tensors else self.tensors[""]


class EmbeddingSet:
    """The inversions that a model can use, found by their names in prompts; and those it cannot."""

    def __init__(self, loaded: Iterable[Embedding] = (), skipped: Iterable[Embedding] = ()) -> None:
        self.loaded = tuple(loaded)
        self.skipped = tuple(skipped)
        self._names: dict[Tokenize, VectorNames] = {}

    def names(self, tokenize: Tokenize) -> VectorNames:
        """The names as tokens, made once per tokenizer."""
        if tokenize not in self._names:
            self._names[tokenize] = VectorNames(self.loaded, tokenize)
        return self._names[tokenize]

    def with_(self, more: Sequence[Embedding], widths: Mapping[str, int]) -> EmbeddingSet:
        """A set with `more` beside these, such as those bundled in a LoRA; the later of one name counts."""
        if not more:
            return self
        fitting = [embedding for embedding in more if embedding.fits(widths)]
        return EmbeddingSet([*self.loaded, *fitting], [*self.skipped, *(e for e in more if e not in fitting)])


NO_EMBEDDINGS = EmbeddingSet()


@dataclass
class EmbeddingLibrary:
    """The inversions in some folders and all folders below. `failed`: path -> why it could not be read.

    `added`: name -> those that are in no file, for as long as they stand there.
    """

    folders: Sequence[Path]
    failed: dict[Path, str] = field(default_factory=dict)
    added: dict[str, Embedding] = field(default_factory=dict)
    _known: dict[Path, tuple[Stamp, Embedding | None]] = field(default_factory=dict)
    _sets: dict[tuple[tuple[str, int], ...], EmbeddingSet] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._files = ModelFiles(self.folders, tuple(SUFFIXES))

    def refresh(self) -> None:
        """Read what is new or changed on disk, forget what is gone."""
        from modules.conditioning.embedding_files import read_embedding
        from modules.terms.errors import WebuiError

        known: dict[Path, tuple[Stamp, Embedding | None]] = {}
        failed: dict[Path, str] = {}
        self._files.look(afresh=True)
        for file in self.listed():
            path, stamp = file.path, file.stamp
            if path in self._known and self._known[path][0] == stamp:
                known[path] = self._known[path]
                if path in self.failed:
                    failed[path] = self.failed[path]
                continue
            try:
                known[path] = (stamp, read_embedding(path))
            except WebuiError as error:
                known[path] = (stamp, None)
                failed[path] = str(error)
        if known != self._known:
            self._sets.clear()
        self._known, self.failed = known, failed

    @property
    def embeddings(self) -> tuple[Embedding, ...]:
        """All that could be read, by name; of two of one name the one found last."""
        by_name = {embedding.name: embedding for _, embedding in self._known.values() if embedding} | self.added
        return tuple(sorted(by_name.values(), key=lambda embedding: embedding.name.lower()))

    def fitting(self, widths: Mapping[str, int]) -> EmbeddingSet:
        """Those for a model whose encoders are that wide, and the rest as skipped. The same object until a refresh
        finds a change, or one is added or taken away."""
        key = tuple(widths.items())
        if key not in self._sets:
            loaded = [embedding for embedding in self.embeddings if embedding.fits(widths)]
            skipped = [embedding for embedding in self.embeddings if not embedding.fits(widths)]
            self._sets[key] = EmbeddingSet(loaded, skipped)
        return self._sets[key]

    def add(self, embedding: Embedding) -> None:
        """Has `embedding` count from now on, before one of its name in a file."""
        self.added[embedding.name] = embedding
        self._sets.clear()

    def take_away(self, name: str) -> None:
        """Forgets one that was added; a file of that name counts again."""
        if self.added.pop(name, None) is not None:
            self._sets.clear()

    def files(self) -> Iterator[Path]:
        """Every file that may hold one, whether it can be read or not."""
        return (file.path for file in self.listed())

    def listed(self) -> tuple[ModelFile, ...]:
        """As `files`, with their stamps."""
        # A1111 leaves empty files as placeholders.
        return tuple(
            file for file in self._files.look() if file.stamp[1] > 0 and not file.path.stem.lower().endswith(".preview")
        )
