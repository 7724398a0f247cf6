"""What extensions use of A1111's API code. The routes themselves are the studio's."""

from __future__ import annotations

import base64
import binascii
import io

from fastapi import HTTPException
from PIL import Image

from modules import images, scripts, sd_samplers, shared
from modules.a1111.bound import bound
from modules.a1111.missing import refusing


def script_name_to_index(name, scripts):
    """Where a script of that title stands. Raises: HTTPException 422."""
    titles = [script.title().lower() for script in scripts]
    if name.lower() not in titles:
        raise HTTPException(status_code=422, detail=f"Script '{name}' not found")
    return titles.index(name.lower())


def validate_sampler_name(name):
    """`name`. Raises: HTTPException 400 if there is no such sampler."""
    if sd_samplers.all_samplers_map.get(name) is None:
        raise HTTPException(status_code=400, detail="Sampler not found")
    return name


def decode_base64_to_image(encoding):
    """The picture in base64, with or without `data:…;base64,` before it. Raises: HTTPException 500."""
    if encoding.startswith(("http://", "https://")):
        from modules.sdapi.images import read_image  # the settings say whether addresses may be asked

        return images.fix_image(read_image(encoding, bound().settings))
    if encoding.startswith("data:image/"):
        encoding = encoding.split(";")[1].split(",")[1]
    try:
        return images.read(io.BytesIO(base64.b64decode(encoding)))
    except (OSError, binascii.Error, ValueError) as error:
        raise HTTPException(status_code=500, detail="Invalid encoded image") from error


def encode_pil_to_base64(image):
    """Base64 (bytes) of the picture in the format of the setting for samples, its text inside."""
    from modules.imaging.files import encode, format_of

    if isinstance(image, str):
        return image
    settings = bound().settings
    text = image.info.get("parameters")
    return base64.b64encode(encode(image, format_of(f"x.{settings['samples_format']}"), text))


def encode_file_to_base64(path):
    with open(path, "rb") as file:
        return base64.b64encode(file.read())


class Api:
    """What extensions call on the object that A1111's API is."""

    def __init__(self, app, queue_lock=None):
        self.app, self.queue_lock = app, queue_lock

    def add_api_route(self, path, endpoint, **kwargs):
        self.app.add_api_route(path, endpoint, **kwargs)

    def get_selectable_script(self, script_name, script_runner):
        if not script_name:
            return None, None
        index = script_name_to_index(script_name, script_runner.selectable_scripts)
        return script_runner.selectable_scripts[index], index

    def get_script(self, script_name, script_runner):
        if not script_name:
            return None
        return script_runner.scripts[script_name_to_index(script_name, script_runner.scripts)]

    def init_default_script_args(self, script_runner):
        return script_runner.default_args()

    def init_script_args(
        self, request, default_script_args, selectable_scripts, selectable_idx, script_runner, *, input_script_args=None
    ):
        args = list(default_script_args)
        if selectable_scripts:
            args[selectable_scripts.args_from : selectable_scripts.args_to] = request.script_args
            args[0] = selectable_idx + 1
        for name, given in (getattr(request, "alwayson_scripts", None) or {}).items():
            script = self.get_script(name, script_runner)
            values = (given.get("args") or [])[: script.args_to - script.args_from]
            args[script.args_from : script.args_from + len(values)] = values
        return args


def decode(data):
    return Image.open(io.BytesIO(base64.b64decode(data)))


__all__ = ["scripts", "shared"]
__getattr__ = refusing("modules.api.api")
