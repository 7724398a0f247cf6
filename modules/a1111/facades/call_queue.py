"""Functions behind buttons of extensions: they take their turn in the studio's queue. Source: spec/extensions.md §5."""

from __future__ import annotations

import html
import time
from contextlib import ExitStack
from functools import wraps

from modules import errors, shared
from modules.a1111.bound import bound
from modules.a1111.missing import refusing


class QueueLock:
    """`with queue_lock:` waits for the turn and keeps it until the end of the block."""

    def __init__(self):
        self._held = []

    def __enter__(self):
        stack = ExitStack()
        stack.enter_context(bound().studio.host.turns.taken("A function of an extension"))
        self._held.append(stack)
        return self

    def __exit__(self, *failure):
        return self._held.pop().__exit__(*failure)

    def acquire(self):
        return self.__enter__()

    def release(self):
        self.__exit__(None, None, None)


queue_lock = QueueLock()


def wrap_queued_call(func):
    @wraps(func)
    def f(*args, **kwargs):
        with bound().studio.host.turns.taken(getattr(func, "__name__", "A function of an extension")):
            return func(*args, **kwargs)

    return f


def wrap_gradio_gpu_call(func, extra_outputs=None):
    """`func` in its turn, its progress known by the "task(…)" that the page sends first."""

    @wraps(func)
    def f(*args, **kwargs):
        first = args[0] if args else None
        task_id = first if isinstance(first, str) and first.startswith("task(") else None
        with bound().studio.host.turns.taken(getattr(func, "__name__", "A function of an extension"), task_id):
            shared.state.begin(job=task_id or "")
            try:
                return func(*args, **kwargs)
            finally:
                shared.state.end()

    return wrap_gradio_call(f, extra_outputs=extra_outputs, add_stats=True)


def wrap_gradio_call(func, extra_outputs=None, add_stats=False):
    """`func` whose exception becomes a line below what it would have shown: the last output is HTML.

    `.filling(outputs)` is the same function for an event with that many outputs: what it shows stays when it fails.
    """

    def filling(outputs):
        import gradio as gr

        if extra_outputs is not None:
            return f
        return wrap_gradio_call(func, [gr.skip() for _ in range(outputs - 1)], add_stats)

    @wraps(func)
    def f(*args, extra_outputs_array=extra_outputs, **kwargs):
        began = time.perf_counter()
        try:
            res = list(func(*args, **kwargs))
        except Exception as e:
            errors.report("Error completing request", exc_info=True)
            shared.state.job, shared.state.job_count = "", 0
            if extra_outputs_array is None:
                extra_outputs_array = [None, ""]
            res = [*extra_outputs_array, f"<div class='error'>{html.escape(f'{type(e).__name__}: {e}')}</div>"]
        shared.state.skipped, shared.state.job_count = False, 0
        if add_stats and res and isinstance(res[-1], str):
            took = time.perf_counter() - began
            res[-1] += (
                "<div class='performance'><p class='time'>Time taken: <wbr>"
                f"<span class='measurement'>{took:.1f} sec.</span></p></div>"
            )
        return tuple(res)

    f.filling = filling
    return f


wrap_gradio_call_no_job = wrap_gradio_call
__getattr__ = refusing("modules.call_queue")
