"""Pictures: saved, resized, cut into tiles, laid out in grids, and their texts read, under A1111's names."""

from __future__ import annotations

import io
import math
import os
from collections import namedtuple

from PIL import Image, ImageDraw, ImageFont, ImageOps

from modules import paths_internal, script_callbacks, shared
from modules.a1111 import saving
from modules.a1111.bound import bound
from modules.a1111.missing import refusing
from modules.imaging import grids, metadata, names, resize
from modules.imaging.files import save_image as write_picture
from modules.studio.outputs import Place

LANCZOS = Image.Resampling.LANCZOS
NEAREST = Image.Resampling.NEAREST
max_filename_part_length = names.PART_LENGTH
invalid_filename_chars = names.FORBIDDEN
Grid = namedtuple("Grid", ["tiles", "tile_w", "tile_h", "image_w", "image_h", "overlap"])


# -- saving ----------------------------------------------------------------------------------------------------------


def save_image(
    image,
    path,
    basename,
    seed=None,
    prompt=None,
    extension="png",
    info=None,
    short_filename=False,
    no_prompt=False,
    grid=False,
    pnginfo_section_name="parameters",
    p=None,
    existing_info=None,
    forced_filename=None,
    suffix="",
    save_to_dirs=None,
):
    """The file that `image` was written to, and that of its text or None.

    Named by the settings' pattern behind a number, or `forced_filename`. Raises: WebuiError if it cannot be written.
    """
    settings = bound().settings
    if save_to_dirs is None:
        save_to_dirs = settings["grid_save_to_dirs"] if grid else settings["save_to_dirs"] and not no_prompt
    pattern = ""
    if not (short_filename or seed is None):
        pattern = settings["samples_filename_pattern"] or ("[seed]" if save_to_dirs else "[seed]-[prompt_spaces]")
    place = Place(
        folder=bound().studio.flags.data_dir / path,
        suffix=f".{extension.lstrip('.')}",
        pattern=pattern,
        basename=basename or "",
        ending=suffix or "",
        in_subfolder=bool(save_to_dirs),
        name=forced_filename or "",
    )
    if forced_filename is not None:
        settings = settings.with_flat({"save_images_replace_action": "Replace"})
    others = dict(existing_info or {})
    if info is not None and pnginfo_section_name != metadata.PARAMETERS:
        others[pnginfo_section_name] = info
        info = None
    info = info if info is not None else others.pop(metadata.PARAMETERS, None)
    subject = saving.subject_for(p, seed, prompt, image, basename=basename or "")
    file, text_file = saving.save(image, place, subject, info, others, settings)
    return str(file), None if text_file is None else str(text_file)


def save_image_with_geninfo(
    image, geninfo, filename, extension=None, existing_pnginfo=None, pnginfo_section_name="parameters"
):
    """Writes `image` to `filename` with its text inside, in the format of `extension` or of the name."""
    from pathlib import Path

    others = dict(existing_pnginfo or {})
    if pnginfo_section_name != metadata.PARAMETERS and geninfo is not None:
        others[pnginfo_section_name], geninfo = geninfo, None
    target = Path(filename)
    write_picture(image, target if target.suffix else target.with_suffix(extension or ".png"), geninfo, others=others)


class FilenameGenerator:
    """`apply(pattern)` expands a pattern of file names for one picture."""

    def __init__(self, p, seed, prompt, image, zip=False, basename=""):
        self.p, self.seed, self.prompt, self.image = p, seed, prompt, image
        self.zip, self.basename = zip, basename
        self.replacements = names.TOKENS

    def apply(self, x):
        subject = saving.subject_for(
            self.p, self.seed, self.prompt, self.image, basename=self.basename, archive=bool(self.zip)
        )
        return names.expand(x, subject)


def sanitize_filename_part(text, replace_spaces=True):
    """`text` as a part of a file name; None for None."""
    return None if text is None else names.Spelling().part(text, underscores=replace_spaces)


def get_next_sequence_number(path, basename):
    """One more than the highest number in that folder."""
    return names.next_number(os.listdir(path), basename)


# -- reading ---------------------------------------------------------------------------------------------------------


def read_info_from_image(image):
    """The generation parameters in `image` (None without), and every other text in it by name."""
    found = metadata.read_metadata(image)
    others = {name: text for name, text in found.items.items() if name != metadata.PARAMETERS}
    return found.text, others


def image_data(data):
    """The text of a picture, or of a text file, given its bytes; and None."""
    try:
        image = read(io.BytesIO(data))
    except OSError:
        try:
            return data.decode("utf8"), None
        except UnicodeDecodeError:
            return "", None
    text, _ = read_info_from_image(image)
    return text or "", None


def read(fp, **kwargs):
    return fix_image(Image.open(fp, **kwargs))


def fix_image(image):
    """`image` upright, and a palette with transparency as RGBA."""
    if image is None:
        return None
    image = ImageOps.exif_transpose(image)
    return fix_png_transparency(image)


def fix_png_transparency(image):
    if image.mode not in ("RGB", "P") or not isinstance(image.info.get("transparency"), bytes):
        return image
    return image.convert("RGBA")


def flatten(img, bgcolor):
    """RGB; what is transparent shows `bgcolor`."""
    if img.mode == "RGBA":
        background = Image.new("RGBA", img.size, bgcolor)
        background.paste(img, mask=img)
        img = background
    return img.convert("RGB")


# -- resizing --------------------------------------------------------------------------------------------------------


def resize_image(resize_mode, im, width, height, upscaler_name=None, force_RGBA=False):
    """`im` at that size. resize_mode: 0 stretches, 1 crops, 2 fills. Enlarging goes through the upscaler, if named."""
    name = upscaler_name or bound().settings["upscaler_for_img2img"]
    enlarge = None
    work = bound().work
    if name and name != "None" and work is not None:
        enlarge = work.tools.enlarge(name)
    result = resize.resize(im, int(width), int(height), int(resize_mode), enlarge)
    return result.convert("RGBA") if force_RGBA else result


# -- grids -----------------------------------------------------------------------------------------------------------


def check_grid_size(imgs):
    """Whether a grid of these is small enough for the settings."""
    pixels = sum(img.width * img.height for img in imgs)
    return pixels / 1_000_000 <= bound().settings.get("img_max_size_mp", 200)


def get_grid_size(imgs, batch_size=1, rows=None):
    settings = bound().settings
    wanted = int(settings["n_rows"]) if rows is None else int(rows)
    count = grids.grid_rows(len(imgs), rows=wanted, batch_size=batch_size, no_gaps=settings["grid_prevent_empty_spots"])
    return count, math.ceil(len(imgs) / count)


def image_grid(imgs, batch_size=1, rows=None):
    """All pictures on one sheet, row by row. Callbacks may change the list and its rows and columns."""
    count, columns = get_grid_size(imgs, batch_size, rows)
    params = script_callbacks.ImageGridLoopParams(list(imgs), columns, count)
    script_callbacks.image_grid_callback(params)
    background = bound().settings["grid_background_color"]
    width, height = (max(img.size[axis] for img in imgs) for axis in (0, 1))
    sheet = Image.new("RGB", (params.cols * width, params.rows * height), background)
    for number, img in enumerate(params.imgs):
        sheet.paste(img, (number % params.cols * width, number // params.cols * height))
    return sheet


def split_grid(image, tile_w=512, tile_h=512, overlap=64):
    """`image` as overlapping tiles: Grid, whose `tiles` are rows [y, height, [[x, width, tile], …]]."""

    def starts(side, tile):
        step = max(1, tile - overlap)
        count = max(1, math.ceil((side - overlap) / step))
        space = (side - tile) / (count - 1) if count > 1 else 0
        return [max(0, min(int(number * space), side - tile)) for number in range(count)]

    rows = []
    for y in starts(image.height, tile_h):
        row = [[x, tile_w, image.crop((x, y, x + tile_w, y + tile_h))] for x in starts(image.width, tile_w)]
        rows.append([y, tile_h, row])
    return Grid(rows, tile_w, tile_h, image.width, image.height, overlap)


def combine_grid(grid):
    """The picture of a Grid; where tiles overlap, one fades into the next."""

    def fade(size, axis):
        ramp = Image.linear_gradient("L")
        return (ramp.rotate(90) if axis == 0 else ramp).resize(size)

    whole = Image.new("RGB", (grid.image_w, grid.image_h))
    lower_end = 0
    for y, height, row in grid.tiles:
        strip = Image.new("RGB", (grid.image_w, height))
        end = 0
        for x, width, tile in row:
            shared_width = max(0, min(end - x, grid.overlap)) if x else 0
            if shared_width:
                strip.paste(tile.crop((0, 0, shared_width, height)), (x, 0), fade((shared_width, height), 0))
            strip.paste(tile.crop((shared_width, 0, width, height)), (x + shared_width, 0))
            end = x + width
        shared_height = max(0, min(lower_end - y, grid.overlap)) if y else 0
        if shared_height:
            size = (grid.image_w, shared_height)
            whole.paste(strip.crop((0, 0, *size)), (0, y), fade(size, 1))
        whole.paste(strip.crop((0, shared_height, grid.image_w, height)), (0, y + shared_height))
        lower_end = y + height
    return whole


def get_font(fontsize):
    try:
        return ImageFont.truetype(shared.opts.font or paths_internal.roboto_ttf_file, int(fontsize))
    except (OSError, AttributeError):
        return ImageFont.load_default(int(fontsize))


class GridAnnotation:
    """A text beside a row or above a column; one that is not active is struck out."""

    def __init__(self, text="", is_active=True):
        self.text = text
        self.is_active = is_active
        self.size = None


def _wrapped(draw, text, font, width):
    lines = [""]
    for word in text.split():
        longer = f"{lines[-1]} {word}".strip()
        if draw.textlength(longer, font=font) <= width or not lines[-1]:
            lines[-1] = longer
        else:
            lines.append(word)
    return lines


def draw_grid_annotations(im, width, height, hor_texts, ver_texts, margin=0):
    """The grid `im` of cells width x height with texts above its columns and left of its rows.

    hor_texts, ver_texts: a list of GridAnnotation for every column and row.
    """
    settings = bound().settings
    active = settings.get("grid_text_active_color", "#000000")
    inactive = settings.get("grid_text_inactive_color", "#999999")
    background = settings["grid_background_color"]
    fontsize = (width + height) // 25
    line_spacing = fontsize // 2
    font = get_font(fontsize)
    measure = ImageDraw.Draw(Image.new("RGB", (1, 1)))
    left = 0 if not any(text.text for texts in ver_texts for text in texts) else width * 3 // 4

    def laid_out(texts, room):
        placed, at = [], 0
        for annotation in texts:
            for line in _wrapped(measure, annotation.text, font, room):
                size = fontsize
                while size > 6 and measure.textlength(line, font=get_font(size)) > room:
                    size -= 1
                used = get_font(size)
                box = measure.textbbox((0, 0), line or " ", font=used)
                placed.append((line, used, at, box[3] - box[1], annotation.is_active))
                at += box[3] - box[1] + line_spacing
        return placed, max(0, at - line_spacing)

    columns, rows = len(hor_texts), len(ver_texts)
    above = [laid_out(texts, width) for texts in hor_texts]
    beside = [laid_out(texts, max(1, left)) for texts in ver_texts]
    top = max((length for _, length in above), default=0)
    top = top + line_spacing * 2 if top else 0
    sheet = Image.new(
        "RGB", (im.width + left + margin * (columns - 1), im.height + top + margin * (rows - 1)), background
    )
    for row in range(rows):
        for column in range(columns):
            cell = im.crop((width * column, height * row, width * (column + 1), height * (row + 1)))
            sheet.paste(cell, (left + (width + margin) * column, top + (height + margin) * row))
    draw = ImageDraw.Draw(sheet)

    def write(placed, middle_x, start_y):
        for line, used, at, length, is_active in placed:
            colour = active if is_active else inactive
            draw.text((middle_x, start_y + at), line, font=used, fill=colour, anchor="ma")
            if not is_active:
                half, y = draw.textlength(line, font=used) / 2, start_y + at + length // 2
                draw.line((middle_x - half, y, middle_x + half, y), fill=colour, width=4)

    for column, (placed, length) in enumerate(above):
        write(placed, left + (width + margin) * column + width / 2, top / 2 - length / 2)
    for row, (placed, length) in enumerate(beside):
        write(placed, left / 2, top + (height + margin) * row + height / 2 - length / 2)
    return sheet


def draw_prompt_matrix(im, width, height, all_prompts, margin=0):
    """The grid of a prompt matrix with the words that each row and column has."""
    prompts = all_prompts[1:]
    half = math.ceil(len(prompts) / 2)

    def texts(some):
        return [
            [GridAnnotation(word, is_active=bool(number & (1 << place))) for place, word in enumerate(some)]
            for number in range(1 << len(some))
        ]

    return draw_grid_annotations(im, width, height, texts(prompts[:half]), texts(prompts[half:]), margin)


__getattr__ = refusing("modules.images")
