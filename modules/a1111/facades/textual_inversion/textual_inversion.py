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
        self.cached_checksum = None


def _of(own):
    tensor = next(iter(own.tensors.values())) if hasattr(own, "tensors") else None
    made = Embedding(tensor, own.name, getattr(own, "step", None))
    made.vectors, made.shape, made.shorthash = own.vectors, own.width, own.shorthash
    made.filename = str(getattr(own, "path", "") or "")
    return made


def _own(embedding, name):
    """The studio's, for one that an extension made; None for one that stands for nothing yet."""
    import torch

    from modules.conditioning.embeddings import Embedding as Own

    vec = embedding.vec if isinstance(embedding.vec, dict) else {"": embedding.vec}
    tensors = {key: torch.atleast_2d(value.detach()).float().cpu() for key, value in vec.items()}
    return Own(name, tensors) if all(tensor.numel() for tensor in tensors.values()) else None


class Words(dict):
    """Name -> Embedding. What is written into it counts in prompts until it is deleted."""

    def __init__(self, database, known):
        super().__init__(known)
        self.database = database

    def __setitem__(self, name, embedding):
        super().__setitem__(name, embedding)
        self.database.add(name, embedding)

    def __delitem__(self, name):
        super().__delitem__(name)
        self.database.take_away(name)


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
        # First token of a name -> (tokens, Embedding) of those that extensions have registered.
        self.ids_lookup = {}
        self._added = {}

    def _all(self):
        from modules import shared

        tools = bound().studio.engine.when_started(lambda tools: tools)
        bundle = shared.sd_model.bundle
        if tools is None or bundle is None:
            return {}, {}
        tools.embeddings.refresh()
        widths = tools.encoder(bundle).widths
        known = {one.name: one for one in tools.embeddings.embeddings}
        facades = {name: self._added.get(name) or _of(one) for name, one in known.items()}
        fitting = {name: facades[name] for name, one in known.items() if one.fits(widths)}
        return Words(self, fitting), {name: one for name, one in facades.items() if name not in fitting}

    @property
    def word_embeddings(self):
        return self._all()[0]

    @property
    def skipped_embeddings(self):
        return self._all()[1]

    def register_embedding(self, embedding, model):
        """Has `embedding` count in prompts under its own name. Returns it."""
        return self.register_embedding_by_name(embedding, model, embedding.name)

    def register_embedding_by_name(self, embedding, model, name):
        """Has `embedding` count in prompts under that name; None takes away what was registered. Returns it."""
        ids = model.cond_stage_model.tokenize([name])[0]
        others = [one for one in self.ids_lookup.pop(ids[0], []) if one[1].name != name]
        registered = others if embedding is None else [*others, (ids, embedding)]
        if registered:
            self.ids_lookup[ids[0]] = sorted(registered, key=lambda one: len(one[0]), reverse=True)
        if embedding is None:
            self.take_away(name)
        else:
            self.add(name, embedding)
        return embedding

    def add(self, name, embedding):
        """What `word_embeddings[name] = embedding` does."""
        self._added[name] = embedding
        own = _own(embedding, name)
        bound().studio.engine.when_started(lambda tools: tools and own and tools.embeddings.add(own))

    def take_away(self, name):
        """What `del word_embeddings[name]` does; one in a file stays."""
        self._added.pop(name, None)
        bound().studio.engine.when_started(lambda tools: tools and tools.embeddings.take_away(name))

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
        """(Embedding, how many tokens its name takes) of a registered one that begins there; (None, None)."""
        for ids, embedding in self.ids_lookup.get(tokens[offset], ()):
            if tokens[offset : offset + len(ids)] == ids:
                return embedding, len(ids)
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
