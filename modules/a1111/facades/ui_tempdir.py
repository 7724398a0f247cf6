"""Pictures on their way to the browser."""

from __future__ import annotations

from modules.a1111.missing import refusing

__getattr__ = refusing("modules.ui_tempdir")


def register_tmp_file(gradio, filename):
    """Files in the folders of pictures are served as they are."""


def check_tmp_file(gradio, filename):
    return False


def save_pil_to_file(pil_image, cache_dir=None, format="png"):
    from gradio.processing_utils import save_pil_to_cache

    return save_pil_to_cache(pil_image, cache_dir, format=format)


def on_tmpdir_changed():
    """The studio has no folder of its own for them."""


def cleanup_tmpdr():
    """Gradio cleans up."""
