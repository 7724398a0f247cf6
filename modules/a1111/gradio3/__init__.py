"""What code written for Gradio 3.41 expects, on Gradio 6: `apply()` once, before the first extension is imported.

Our own page is built by the same patched Gradio and must not notice: an argument that Gradio 6 knows goes through as it
is; what has another meaning today (`visible=False`) is translated for code of extensions alone.
"""
