"""Atelier: a text-to-image studio. This page is the map of the house; imports only go down.

webui.py          flags -> Studio -> faces -> serve                       (top level, the one place where all meet)
a1111/            the extension API that A1111 extensions expect
gui/   sdapi/     the Gradio page · the HTTP API                          (do not know each other)
studio/           the one long-lived object: jobs, outputs, flags, settings on disk
merging/          checkpoints and LoRAs out of checkpoints
generation/       request -> pictures      training/  recipe -> network   (do not know each other)
control/ enhance/ what steers a picture and what betters one
checkpoints/      files -> ModelBundle
conditioning/     text -> tensors
diffusion/  networks/  imaging/  prompt/  settings/                       (do not know each other)
terms/            what is asked, what comes back, how things are declared

Everything below studio/ is a library: importable without gradio or fastapi, no globals, no work at import.
"""
