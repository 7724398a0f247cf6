"""LoRA, hypernetworks and embeddings as the studio lists them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from modules.checkpoints.hashes import HashCache
from modules.conditioning.embeddings import Embedding, EmbeddingLibrary
from modules.generation.resources import LocalResources
from modules.networks.index import MetadataIndex
from modules.networks.library import NetworkLibrary
from modules.studio.flag_table import Flags

if TYPE_CHECKING:
    from modules.generation.tools import Tools
    from modules.studio.studio import Studio


def loras_of(
    flags: Flags,
    hashes: HashCache,
    index: MetadataIndex | None = None,
    list_hidden: Callable[[], bool] = lambda: True,
) -> NetworkLibrary:
    """The LoRA files in the folders that the command line names."""

    def hash_of(path: Path) -> str | None:
        if flags.no_hashing:
            return None
        return hashes.compute(path, f"lora/{path.stem}", "content" if path.suffix == ".safetensors" else "file")

    return NetworkLibrary(flags.lora_folders, hash_of=hash_of, index=index, list_hidden=list_hidden)


def hypernetworks_of(flags: Flags, list_hidden: Callable[[], bool] = lambda: True) -> NetworkLibrary:
    """The hypernetworks in the folder that the command line names."""
    return NetworkLibrary(flags.hypernetwork_folders, endings=(".pt",), list_hidden=list_hidden)


def resources_of(studio: Studio, hashes: HashCache) -> LocalResources:
    """What of a picture's models is here. Hashes that an earlier run computed are known."""

    def lora_hash(path: Path) -> str | None:
        return hashes.known(path, f"lora/{path.stem}", "content" if path.suffix == ".safetensors" else "file")

    return LocalResources(
        studio.library,
        studio.loras,
        studio.hypernetworks,
        EmbeddingLibrary(studio.flags.embedding_folders).files,
        lora_hash,
    )


def embedding_names(flags: Flags) -> list[str]:
    """The embeddings by the names of their files, before anything is read."""
    return sorted({path.stem for path in EmbeddingLibrary(flags.embedding_folders).files()}, key=str.lower)


def embedding_rows(studio: Studio) -> list[dict[str, Any]]:
    """Every embedding as `/sdapi/v1/embeddings` shows it; `skipped` tells that it does not fit the loaded model."""
    tools = studio.engine.tools(studio.settings)
    tools.embeddings.refresh()
    widths = _widths(tools)
    return [_row(embedding, widths) for embedding in tools.embeddings.embeddings]


def _row(embedding: Embedding, widths: Mapping[str, int] | None) -> dict[str, Any]:
    return {
        "name": embedding.name,
        "step": embedding.step,
        "sd_checkpoint": embedding.checkpoint_hash,
        "sd_checkpoint_name": embedding.checkpoint_name,
        "shape": embedding.width,
        "vectors": embedding.vectors,
        "skipped": widths is not None and not embedding.fits(widths),
    }


def _widths(tools: Tools) -> Mapping[str, int] | None:
    """Numbers per token of each text encoder of the model in memory; None if there is none."""
    from modules.checkpoints.files import read_header
    from modules.checkpoints.load import draw_blueprint

    current = tools.models.current()
    if current is None:
        return None
    parts = draw_blueprint(read_header(current.path)).text
    return {part.name: int(part.component.config["hidden_size"]) for part in parts}
