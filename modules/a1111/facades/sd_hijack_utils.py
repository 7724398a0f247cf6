"""Functions replaced where a condition holds."""

from __future__ import annotations

import importlib

from modules.a1111.missing import refusing


def always_true_func(*args, **kwargs):
    return True


class CondFunc:
    """Puts `sub_func(original, *args)` at a dotted path (or a function), called where `cond_func(original, *args)`."""

    def __new__(cls, orig_func, sub_func, cond_func=always_true_func):
        if isinstance(orig_func, str):
            parts = orig_func.split(".")
            for cut in range(len(parts) - 1, 0, -1):
                try:
                    holder = importlib.import_module(".".join(parts[:cut]))
                except ImportError:
                    continue
                break
            else:
                return None
            for name in parts[cut:-1]:
                holder = getattr(holder, name)
            original = getattr(holder, parts[-1])

            def chosen(*args, **kwargs):
                if not cond_func or cond_func(original, *args, **kwargs):
                    return sub_func(original, *args, **kwargs)
                return original(*args, **kwargs)

            setattr(holder, parts[-1], chosen)
            return chosen

        def wrapped(*args, **kwargs):
            if not cond_func or cond_func(orig_func, *args, **kwargs):
                return sub_func(orig_func, *args, **kwargs)
            return orig_func(*args, **kwargs)

        return wrapped


__getattr__ = refusing("modules.sd_hijack_utils")
