"""Where models are found, and where they are fetched from."""

from __future__ import annotations

from modules.settings.setting import SYSTEM, Section, section, setting
from modules.terms.declare import Text

SETTINGS = section(
    Section("model_sources", "Model folders and downloads", SYSTEM),
    setting(
        "other_model_folders",
        "Folders of other programs whose models are used, too",
        "",
        "One in a line: the folder of an A1111, Forge or ComfyUI, or its models folder. Nothing is copied. "
        "Takes effect at the next start.",
        Text(lines=3),
        location=True,
    ),
    setting(
        "civitai_address",
        "Address of Civitai",
        "https://civitai.com",
        "A mirror may stand here.",
        location=True,
    ),
    setting(
        "hugging_face_address",
        "Address of Hugging Face",
        "",
        "A mirror may stand here. Empty: what the variable HF_ENDPOINT says, else https://huggingface.co.",
        location=True,
    ),
    setting(
        "download_previews",
        "Save a preview picture and notes beside downloaded models",
        True,
        "Under the names that A1111 and its extensions use.",
    ),
)
