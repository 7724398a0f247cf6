"""What a person reads about an error that nobody foresaw."""

from __future__ import annotations

import sqlite3


def unforeseen(error: Exception) -> tuple[str, int]:
    """(sentence, HTTP status)."""
    # torch's class is known by its name: a job may fail before torch is imported.
    if isinstance(error, MemoryError) or type(error).__name__ == "OutOfMemoryError":
        return "There was not enough memory. Try a smaller size or batch, or close other programs that use memory.", 507
    if isinstance(error, (OSError, sqlite3.Error)):
        return f"A file could not be read or written: {error}.", 500
    return f"Something went wrong that should not have ({type(error).__name__}: {error}). The log tells where.", 500
