"""Detectors of the user's: folders as transformers writes them (RT-DETR, YOLOS, DETR …), read offline."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from PIL import Image

from modules.enhance.caption_models import MISFITS
from modules.enhance.detection.found import Detection, inside
from modules.terms.errors import UnknownFile


def load_detector(folder: Path) -> Callable[[Image.Image, float], list[Detection]]:
    """What finds things by the model in `folder`, the surest first. Raises: UnknownFile if it is no such model."""
    import torch
    from transformers import AutoImageProcessor, AutoModelForObjectDetection

    try:
        processor = AutoImageProcessor.from_pretrained(folder, local_files_only=True)
        model = AutoModelForObjectDetection.from_pretrained(
            folder, local_files_only=True, use_safetensors=True, trust_remote_code=False
        ).eval()
    except MISFITS as error:
        raise UnknownFile(
            f"The detector {folder.name} cannot be used: {str(error).splitlines()[0][:200]}. It must be a folder with "
            "config.json, preprocessor_config.json and a .safetensors file, as transformers writes them."
        ) from error

    def find(picture: Image.Image, confidence: float) -> list[Detection]:
        seen = processor(images=picture.convert("RGB"), return_tensors="pt")
        with torch.inference_mode():
            answer = model(**seen)
        size = torch.tensor([(picture.height, picture.width)])
        (found,) = processor.post_process_object_detection(answer, threshold=confidence, target_sizes=size)
        things = [
            Detection(inside(box, picture.size), float(score), label=str(model.config.id2label[int(kind)]))
            for box, score, kind in zip(
                found["boxes"].tolist(), found["scores"].tolist(), found["labels"].tolist(), strict=True
            )
        ]
        return sorted((one for one in things if one.area > 0), key=lambda one: -one.confidence)

    return find
