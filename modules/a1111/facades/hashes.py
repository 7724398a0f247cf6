"""SHA-256 of model files, remembered by the studio."""

from __future__ import annotations

from pathlib import Path

from modules.cache import cache, dump_cache  # noqa: F401

from modules.a1111.bound import bound
from modules.a1111.missing import refusing

blksize = 1024 * 1024


def calculate_sha256(filename):
    from modules.checkpoints.hashes import sha256_of

    return sha256_of(Path(filename))


def sha256(filename, title, use_addnet_hash=False):
    """The file's hash, worked out if it is not known; None with --no-hashing."""
    if bound().studio.flags.no_hashing:
        return sha256_from_cache(filename, title, use_addnet_hash)
    return bound().studio.hashes.compute(Path(filename), title, "content" if use_addnet_hash else "file")


def sha256_from_cache(filename, title, use_addnet_hash=False):
    return bound().studio.hashes.known(Path(filename), title, "content" if use_addnet_hash else "file")


def addnet_hash_safetensors(b):
    """The hash of a LoRA file without its header."""
    import hashlib

    header = int.from_bytes(b.read(8), "little")
    b.seek(8 + header)
    digest = hashlib.sha256()
    for block in iter(lambda: b.read(blksize), b""):
        digest.update(block)
    return digest.hexdigest()


__getattr__ = refusing("modules.hashes")
