"""Functions replaced by others, and put back."""

from __future__ import annotations

from collections import defaultdict

from modules.a1111.missing import refusing

originals: dict = defaultdict(dict)


def patch(key, obj, field, replacement):
    """Puts `replacement` at `obj.field` and returns what stood there. Raises: RuntimeError if `key` has done so."""
    if (obj, field) in originals[key]:
        raise RuntimeError(f"patch for {field} is already applied")
    before = getattr(obj, field)
    originals[key][obj, field] = before
    setattr(obj, field, replacement)
    return before


def undo(key, obj, field):
    """Puts back what `patch` replaced. Raises: RuntimeError if it has not."""
    if (obj, field) not in originals[key]:
        raise RuntimeError(f"there is no patch for {field} to undo")
    setattr(obj, field, originals[key].pop((obj, field)))


def original(key, obj, field):
    """What stood there before; None without a patch."""
    return originals[key].get((obj, field), None)


__getattr__ = refusing("modules.patches")
