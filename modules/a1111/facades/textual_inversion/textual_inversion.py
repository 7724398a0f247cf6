"""Textual inversions in the studio's folders, under A1111's names."""

from __future__ import annotations

import os

from modules.a1111.bound import bound
from modules.a1111.missing import refusing


class Embedding:
    def __init__(self, vec, name, step=None):
        self.vec = vec
        self.name = name
        self.step = step
        self.shape = self.vectors = None
        self.sd_checkpoint = self.sd_checkpoint_name = self.hash = self.shorthash = self.filename = None


def _of(own):
    tensor = next(iter(own.tensors.values())) if hasattr(own, "tensors") else None
    made = Embedding(tensor, own.name, getattr(own, "step", None))
    made.vectors, made.shape, made.shorthash = own.vectors, own.width, own.shorthash
    made.filename = str(getattr(own, "path", "") or "")
    return made


class DirWithTextualInversionEmbeddings:
    def __init__(self, path):
        self.path = path

    def has_changed(self):
        return True

    def update(self):
        """Folders are looked at when a prompt is read."""


class EmbeddingDatabase:
    """`word_embeddings` are those that fit the loaded model, by name; `skipped_embeddings` the others."""

    def __init__(self):
        self.embedding_dirs = {
            str(folder): DirWithTextualInversionEmbeddings(str(folder))
            for folder in bound().studio.flags.embedding_folders
        }

    def _all(self):
        from modules import shared

        tools = bound().studio.engine.when_started(lambda tools: tools)
        bundle = shared.sd_model.bundle
        if tools is None or bundle is None:
            return {}, {}
        tools.embeddings.refresh()
        widths = tools.encoder(bundle).widths
        known = {one.name: one for one in tools.embeddings.embeddings}
        fitting = {name: _of(one) for name, one in known.items() if one.fits(widths)}
        return fitting, {name: _of(one) for name, one in known.items() if name not in fitting}

    @property
    def word_embeddings(self):
        return self._all()[0]

    @property
    def skipped_embeddings(self):
        return self._all()[1]

    @property
    def ids_lookup(self):
        return {}

    def add_embedding_dir(self, path):
        self.embedding_dirs[path] = DirWithTextualInversionEmbeddings(path)

    def clear_embedding_dirs(self):
        self.embedding_dirs.clear()

    def load_textual_inversion_embeddings(self, force_reload=False):
        """Folders are looked at when a prompt is read."""

    def get_expected_shape(self):
        from modules import shared

        return shared.sd_model.bundle.context_width

    def find_embedding_at_position(self, tokens, offset):
        return None, None


def create_embedding(name, num_vectors_per_token, overwrite_old, init_text="*"):
    from modules.a1111.missing import not_offered

    raise not_offered("modules.textual_inversion.textual_inversion", "create_embedding")


def create_embedding_from_data(data, name, filename="unknown embedding file", filepath=None):
    """An Embedding of the tensors that a file holds."""
    import torch

    if isinstance(data, dict) and "string_to_param" in data:
        vec = next(iter(data["string_to_param"].values()))
    elif isinstance(data, dict) and "clip_g" in data:
        vec = {key: data[key] for key in ("clip_g", "clip_l")}
    else:
        vec = next(value for value in data.values() if isinstance(value, torch.Tensor))
    embedding = Embedding(vec, name)
    rows = next(iter(vec.values())) if isinstance(vec, dict) else vec
    rows = rows if rows.dim() > 1 else rows[None]
    embedding.vectors, embedding.shape = rows.shape[0], rows.shape[-1]
    embedding.filename = filepath or (os.path.abspath(filename) if os.path.exists(filename) else filename)
    return embedding


__getattr__ = refusing("modules.textual_inversion.textual_inversion")
