"""Where models that put pictures into words lie: folders as transformers writes them. No torch here."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from modules.terms.errors import NotFound

CONFIG = "config.json"
# Weights that run no code when they are read.
WEIGHTS = "*.safetensors"


@dataclass(frozen=True)
class CaptionKind:
    """A way to describe pictures. `folder`: below models/, where its models are looked for. `example`: one to get."""

    name: str
    folder: str
    example: str
    does: str

    def found_in(self, models: Iterable[Path]) -> Path | None:
        """The folder of its model in one of the `models` folders; of several the first by name. None without one."""
        for root in models:
            folder = root / self.folder
            for config in sorted(folder.rglob(CONFIG)) if folder.is_dir() else ():
                if any(config.parent.glob(WEIGHTS)) and is_model(config):
                    return config.parent
        return None

    def folder_in(self, models: Iterable[Path]) -> Path:
        """As `found_in`. Raises: NotFound saying what is missing, where it comes from and where it goes."""
        found = self.found_in(models)
        if found is None:
            raise NotFound(
                f"Pictures cannot be {self.does} yet: there is no model for it. Put the files of "
                f"https://huggingface.co/{self.example} (config.json, the .safetensors file and those of its "
                f"processor) into the folder models/{self.folder}/{self.example.rpartition('/')[2]}. Nothing is "
                "downloaded by itself."
            )
        return found


SENTENCES = CaptionKind("BLIP", "BLIP", "Salesforce/blip-image-captioning-large", "described in sentences")
TAGS = CaptionKind("Deepbooru", "deepbooru", "SmilingWolf/wd-vit-tagger-v3", "tagged")


def is_model(config: Path) -> bool:
    """Whether the file is the description of a model, not of another part."""
    try:
        said = json.loads(config.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return False
    return isinstance(said, dict) and ("model_type" in said or "architecture" in said)
