"""The canvas as a person uses it: what is painted in Chromium is, pixel by pixel, what the job gets."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from tests.gui.conftest import ready
from tests.gui.stand_in import StandIn, gradient, png

pytestmark = pytest.mark.browser

Point = tuple[float, float]
MASK = "#img2maskimg"
PROMPT = "#img2img_prompt textarea"


class Window:
    """Where a picture of `width` x `height` lies on the page when its canvas shows all of it."""

    def __init__(self, page, root: str, width: int, height: int) -> None:
        box = page.locator(f"{root} .canvas-screen").bounding_box()
        self.scale = min(box["width"] / width, box["height"] / height)
        self.left = box["x"] + (box["width"] - width * self.scale) / 2
        self.top = box["y"] + (box["height"] - height * self.scale) / 2

    def in_picture(self, x: float, y: float) -> Point:
        return (x - self.left) / self.scale, (y - self.top) / self.scale


def stroke(page, points: Sequence[Point], button: str = "left") -> None:
    page.mouse.move(*points[0])
    page.mouse.down(button=button)
    for point in points[1:]:
        page.mouse.move(*point)
    page.mouse.up(button=button)


def covered(size: tuple[int, int], points: Sequence[Point], radius: float) -> NDArray[np.bool_]:
    """(height, width): the pixels whose centre is at most `radius` from the way through `points`."""
    x, y = np.meshgrid(np.arange(size[0]) + 0.5, np.arange(size[1]) + 0.5)
    near = np.zeros(x.shape, bool)
    for (ax, ay), (bx, by) in zip([points[0], *points], points, strict=False):
        length = (bx - ax) ** 2 + (by - ay) ** 2
        along = np.clip(((x - ax) * (bx - ax) + (y - ay) * (by - ay)) / length, 0, 1) if length else np.zeros_like(x)
        near |= (x - ax - along * (bx - ax)) ** 2 + (y - ay - along * (by - ay)) ** 2 <= radius**2
    return near


def open_mode(page, mode: str) -> None:
    page.click("#tab_img2img-button")
    page.click(f"#img2img_{mode}_tab-button")


def put(page, root: str, path: Path) -> None:
    page.set_input_files(f"{root} input[type=file]", path)
    page.wait_for_selector(f"{root} .canvas.filled")


def set_range(page, root: str, name: str, value: float) -> None:
    page.locator(f"{root} .canvas-slider input[title='{name}']").fill(str(value))


def generate(page, studio: StandIn, prompt: str):
    page.fill(PROMPT, prompt)
    page.click("#img2img_generate")
    page.wait_for_function(
        "prompt => document.querySelector('#html_info_img2img .said')?.textContent === prompt", arg=prompt
    )
    return studio.drawn[-1]


def picture(tmp_path: Path, width: int, height: int) -> Path:
    path = tmp_path / "picture.png"
    path.write_bytes(png(gradient(width, height, 5, 1.0), "a boat\nSteps: 3, Seed: 5, Size: 64x64"))
    return path


def test_what_is_painted_is_what_the_job_gets(page, studio: StandIn, tmp_path: Path) -> None:
    path = picture(tmp_path, 512, 384)
    open_mode(page, "inpaint")
    put(page, MASK, path)
    set_range(page, MASK, "Brush size", 37)
    window = Window(page, MASK, 512, 384)
    painted = [
        (window.left + 100, window.top + 80),
        (window.left + 300, window.top + 210),
        (window.left + 310, window.top + 90),
    ]
    erased = [(window.left + 180, window.top + 60), (window.left + 200, window.top + 300)]
    stroke(page, painted)
    stroke(page, erased, button="right")
    stroke(page, [(window.left + 20, window.top + 300)])
    page.keyboard.press("Control+z")
    request = generate(page, studio, "painted")
    expected = covered((512, 384), [window.in_picture(*point) for point in painted], 18.5)
    expected &= ~covered((512, 384), [window.in_picture(*point) for point in erased], 18.5)
    mask = np.asarray(request.source.mask.image)
    assert set(np.unique(mask)) == {0, 255}
    assert np.array_equal(mask == 255, expected)
    assert np.array_equal(np.asarray(request.source.images[0]), np.asarray(Image.open(path)))


def test_picture_and_paint_survive_a_reload(page, studio: StandIn, tmp_path: Path) -> None:
    open_mode(page, "inpaint")
    put(page, MASK, picture(tmp_path, 300, 300))
    window = Window(page, MASK, 300, 300)
    stroke(page, [(window.left + 50, window.top + 50), (window.left + 90, window.top + 120)])
    first = generate(page, studio, "before")
    page.wait_for_timeout(500)
    page.reload()
    ready(page)
    page.click("#tab_img2img-button")
    page.wait_for_selector(f"{MASK} .canvas.filled")
    second = generate(page, studio, "after")
    assert second.source.mask.image.getbbox() is not None
    assert second.source.mask.image.tobytes() == first.source.mask.image.tobytes()


def test_a_pasted_picture_goes_to_the_empty_canvas(page) -> None:
    page.click("#tab_img2img-button")
    page.wait_for_selector("#img2img_image .canvas-empty")
    page.evaluate(
        """async () => {
            const sheet = Object.assign(document.createElement("canvas"), { width: 700, height: 30 });
            sheet.getContext("2d").fillRect(0, 0, 700, 30);
            const blob = await new Promise((done) => sheet.toBlob(done, "image/png"));
            const data = new DataTransfer();
            data.items.add(new File([blob], "pasted.png", { type: "image/png" }));
            document.body.dispatchEvent(new ClipboardEvent("paste", { clipboardData: data, bubbles: true }));
        }"""
    )
    page.wait_for_selector("#img2img_image .canvas.filled")
    page.click("#img2img_detect_image_size_btn")
    page.wait_for_function("document.querySelector('#img2img_width input[type=number]').value === '704'")
    assert page.input_value("#img2img_height input[type=number]") == "64"


def test_a_file_that_is_no_picture_is_told(page, tmp_path: Path) -> None:
    page.click("#tab_img2img-button")
    (tmp_path / "words.png").write_text("no picture")
    page.set_input_files("#img2img_image input[type=file]", tmp_path / "words.png")
    assert "words.png is not a picture" in page.locator(".toast.error").inner_text()


def test_generate_without_a_picture_says_what_to_do(page) -> None:
    page.click("#tab_img2img-button")
    page.click("#img2img_generate")
    assert "needs a picture" in page.locator(".toast.error").inner_text()


def test_a_drawn_picture_goes_to_inpainting_and_is_kept(page, studio: StandIn) -> None:
    page.fill("#txt2img_prompt textarea", "a hut")
    page.locator("#txt2img_steps input[type=number]").fill("4")
    page.click("#txt2img_generate")
    page.wait_for_function("document.querySelector('#html_info_txt2img .said')?.textContent === 'a hut'")
    drawn = Image.open(max(studio.outputs.root.iterdir(), key=lambda one: one.stat().st_mtime))
    page.click("#save_txt2img")
    page.locator(".toast", has_text="1 saved in").wait_for()
    assert len(list((studio.folder / "log" / "images").glob("*.png"))) == 1
    page.click("#txt2img_send_to_inpaint")
    page.wait_for_selector(f"{MASK} .canvas.filled")
    page.wait_for_function("document.querySelector('#img2img_prompt textarea').value === 'a hut'")
    page.wait_for_function("document.querySelector('#img2img_steps input[type=number]').value === '4'")
    window = Window(page, MASK, *drawn.size)
    stroke(page, [(window.left + 100, window.top + 100), (window.left + 150, window.top + 100)])
    request = generate(page, studio, "a hut in snow")
    assert np.array_equal(np.asarray(request.source.images[0]), np.asarray(drawn))
    assert request.source.mask.image.getbbox() is not None
    assert (request.steps, request.denoising_strength) == (4, 0.75)


@pytest.mark.slow
def test_a_large_picture_zoomed_and_moved_is_exact(page, studio: StandIn, tmp_path: Path) -> None:
    """2048x2048: strokes at several zooms, undo and redo; the transform is followed step by step here."""
    path = picture(tmp_path, 2048, 2048)
    open_mode(page, "inpaint")
    put(page, MASK, path)
    set_range(page, MASK, "Brush size", 151)
    window = Window(page, MASK, 2048, 2048)
    expected = np.zeros((2048, 2048), bool)

    def draw(points: Sequence[Point], radius: float, keep: bool = True) -> None:
        stroke(page, points)
        if keep:
            expected[covered((2048, 2048), [window.in_picture(*point) for point in points], radius)] = True

    draw([(window.left + 50.0, window.top + 60), (window.left + 400, window.top + 300)], 75.5)
    # Browsers say where the wheel was turned in whole pixels.
    x, y = round(window.left + 200), round(window.top + 200)
    page.mouse.move(x, y)
    page.keyboard.down("Alt")
    page.mouse.wheel(0, -400)
    page.keyboard.up("Alt")
    page.wait_for_timeout(100)
    change = float(np.exp(1))
    window.left, window.top = x - (x - window.left) * change, y - (y - window.top) * change
    window.scale *= change
    page.mouse.move(x, y)
    page.mouse.down(button="middle")
    page.mouse.move(x + 31, y - 17)
    page.mouse.up(button="middle")
    window.left, window.top = window.left + 31, window.top - 17
    set_range(page, MASK, "Brush size", 9)
    draw([(x - 60, y - 40), (x - 10, y + 90), (x + 77, y + 20)], 4.5)
    draw([(x - 90, y + 50), (x - 90, y + 51)], 4.5)
    draw([(x + 100, y + 50), (x + 10, y - 80)], 4.5, keep=False)
    page.keyboard.press("Control+z")
    page.keyboard.press("Control+z")
    page.keyboard.press("Control+y")
    request = generate(page, studio, "large")
    assert np.array_equal(np.asarray(request.source.mask.image) == 255, expected)
    assert np.array_equal(np.asarray(request.source.images[0]), np.asarray(Image.open(path)))


@pytest.mark.slow
def test_a_sketch_has_the_colour_that_was_chosen(page, studio: StandIn, tmp_path: Path) -> None:
    path = picture(tmp_path, 400, 300)
    open_mode(page, "img2img_sketch")
    put(page, "#img2img_sketch", path)
    page.locator("#img2img_sketch input[type=color]").fill("#1e90ff")
    set_range(page, "#img2img_sketch", "Brush size", 31)
    window = Window(page, "#img2img_sketch", 400, 300)
    points = [(window.left + 100, window.top + 100), (window.left + 220, window.top + 160)]
    stroke(page, points)
    request = generate(page, studio, "sketched")
    expected = np.asarray(Image.open(path)).copy()
    expected[covered((400, 300), [window.in_picture(*point) for point in points], 15.5)] = (0x1E, 0x90, 0xFF)
    assert np.array_equal(np.asarray(request.source.images[0]), expected)
    page.click("#img2img_copy_to_inpaint")
    page.wait_for_selector(f"{MASK} .canvas.filled")
    copied = generate(page, studio, "copied").source
    assert np.array_equal(np.asarray(copied.images[0].convert("RGB")), expected)
    assert copied.mask.image.getbbox() is None


def test_on_a_phone_a_mode_in_the_menu_opens_and_is_open_after_a_reload(visit, tmp_path: Path) -> None:
    page = visit(viewport={"width": 390, "height": 844}, has_touch=True).open()
    page.click("#tab_img2img-button")
    put(page, "#img2img_image", picture(tmp_path, 64, 64))
    page.click("#img2img_copy_to_inpaint_sketch")
    page.wait_for_selector("#inpaint_sketch .canvas.filled")
    page.reload()
    ready(page)
    page.click("#tab_img2img-button")
    page.wait_for_selector("#inpaint_sketch .canvas.filled")
    assert page.locator("#img2img_mask_alpha").is_visible()
