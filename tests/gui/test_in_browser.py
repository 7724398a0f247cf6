"""The page as a person uses it, in Chromium, on the real jobs and API of a stand-in studio."""

from __future__ import annotations

import dataclasses
import re
from pathlib import Path

import pytest
from PIL import Image

from modules.settings.store import Locks
from tests.gui.conftest import ready
from tests.gui.stand_in import StandIn, gradient, png

pytestmark = pytest.mark.browser

PROMPT = "#txt2img_prompt textarea"
NEGATIVE = "#txt2img_neg_prompt textarea"
GENERATE = "#txt2img_generate"
CIVITAI = (
    "a boat on the sea\nNegative prompt: fog\n"
    "Steps: 7, Sampler: Euler a, Schedule type: Karras, CFG scale: 5.5, Seed: 4242, Size: 320x256, Clip skip: 2"
)


def generate(page, prompt: str = "a red house", steps: int = 3) -> None:
    page.fill(PROMPT, prompt)
    set_number(page, "txt2img_steps", steps)
    page.click(GENERATE)


def set_number(page, elem_id: str, value: float) -> None:
    box = page.locator(f"#{elem_id} input[type=number]")
    box.fill(str(value))
    box.blur()


def number(page, elem_id: str) -> float:
    return float(page.input_value(f"#{elem_id} input[type=number]"))


def infotext(page):
    return page.locator("#html_info_txt2img")


def shows(page, prompt: str) -> None:
    page.wait_for_function(
        "prompt => document.querySelector('#html_info_txt2img .said')?.textContent === prompt", arg=prompt
    )


def running(page) -> None:
    page.wait_for_function("document.body.dataset.job === 'running'")


def idle(page) -> None:
    page.wait_for_function("!document.body.dataset.job")


def test_a_prompt_becomes_a_picture_with_its_text(page, studio: StandIn) -> None:
    generate(page, "a red house, (night:1.2)")
    shows(page, "a red house, (night:1.2)")
    assert "Steps: 3, Sampler: DPM++ 2M" in infotext(page).inner_text()
    source = page.locator("#txt2img_gallery .media-button img").get_attribute("src")
    downloaded = page.request.get(source).body()
    path = max(studio.outputs.root.iterdir(), key=lambda one: one.stat().st_mtime)
    assert downloaded == path.read_bytes()
    assert Image.open(path).info["parameters"].startswith("a red house, (night:1.2)\n")
    assert page.title() == "Atelier"


def test_the_picture_is_seen_while_it_forms(page, studio: StandIn) -> None:
    studio.step_seconds = 0.15
    generate(page, steps=150)
    page.wait_for_selector("#txt2img_live .live-picture:not([hidden])")
    page.wait_for_function("document.querySelector('#txt2img_live .live-time').textContent.includes('left')")
    assert re.fullmatch(r"Step \d+ of 150", page.inner_text("#txt2img_live .live-text"))
    assert re.match(r"\[\d+% \d+:\d\d ETA: \d+:\d\d\] Atelier", page.title())
    page.wait_for_function(
        """() => {
            const [picture, frame] = ["#txt2img_live .live-picture", "#txt2img_gallery_container"].map(
                (one) => document.querySelector(one).getBoundingClientRect().width);
            return picture > 0.9 * frame;
        }"""
    )


def test_interrupt_acts_after_the_step_and_keeps_the_picture(page, studio: StandIn) -> None:
    studio.step_seconds = 0.1
    generate(page, "given up", steps=150)
    running(page)
    page.click("#txt2img_interrupt")
    shows(page, "given up")
    assert "Interrupted" in page.inner_text("#html_log_txt2img")
    idle(page)


def test_a_second_press_queues_and_can_be_taken_back(page, studio: StandIn) -> None:
    studio.gate.clear()
    generate(page, "first")
    running(page)
    for prompt in ("second", "third"):
        page.fill(PROMPT, prompt)
        assert page.is_enabled(GENERATE)
        page.click(GENERATE)
    page.wait_for_function("document.querySelector('#txt2img_queue').textContent.includes('queued 2')")
    page.click("#txt2img_queue button")
    page.wait_for_function("!document.querySelector('#txt2img_queue').textContent")
    studio.gate.set()
    shows(page, "first")
    idle(page)
    assert [job.state for job in studio.jobs.history(3)] == ["cancelled", "cancelled", "done"]


@pytest.mark.slow
def test_queued_pictures_come_one_after_the_other(page, studio: StandIn) -> None:
    studio.gate.clear()
    generate(page, "first")
    page.fill(PROMPT, "second")
    page.click(GENERATE)
    page.wait_for_function("document.querySelector('#txt2img_queue').textContent.includes('queued 1')")
    studio.gate.set()
    shows(page, "second")
    idle(page)


def test_a_reload_finds_the_running_job_again(visit, studio: StandIn) -> None:
    page = visit().open()
    studio.gate.clear()
    generate(page, "survives")
    running(page)
    page.reload()
    ready(page)
    running(page)
    page.wait_for_function("document.querySelector('#txt2img_prompt textarea').value === 'survives'")
    studio.gate.set()
    shows(page, "survives")


def test_another_device_sees_the_job_and_then_the_picture(visit, studio: StandIn) -> None:
    first = visit().open()
    studio.gate.clear()
    generate(first, "seen from afar")
    running(first)
    other = visit(viewport={"width": 390, "height": 844}).open()
    running(other)
    studio.gate.set()
    shows(other, "seen from afar")
    shows(first, "seen from afar")


@pytest.mark.slow
def test_a_job_that_ended_while_the_page_was_closed_is_shown(visit, studio: StandIn) -> None:
    visitor = visit()
    page = visitor.open()
    studio.gate.clear()
    generate(page, "finished in the dark")
    running(page)
    page.close()
    studio.gate.set()
    studio.jobs.wait(studio.jobs.history(1)[0].id, 10)
    page = visitor.open()
    shows(page, "finished in the dark")


@pytest.mark.slow
def test_the_last_picture_is_there_after_a_reload(page) -> None:
    generate(page, "still here")
    shows(page, "still here")
    page.reload()
    ready(page)
    shows(page, "still here")


@pytest.mark.slow
def test_many_tabs_stay_alive(visit, studio: StandIn) -> None:
    """Browsers make six connections to a host; a page that held one of them would starve the seventh."""
    visitor = visit()
    pages = [visitor.open() for _ in range(8)]
    generate(pages[-1], "eighth tab")
    shows(pages[-1], "eighth tab")


def test_an_error_is_told_and_nothing_typed_is_lost(page, studio: StandIn) -> None:
    studio.refused = "The sampler 'Oiler' is not known. Did you mean <Euler>?"
    generate(page, "precious words")
    message = page.locator(".toast.error p")
    message.wait_for()
    assert message.inner_text() == "That did not work\n" + studio.refused
    assert page.input_value(PROMPT) == "precious words"
    studio.refused = ""
    page.click(GENERATE)
    shows(page, "precious words")


def test_a_job_that_fails_says_why_and_the_next_one_runs(page) -> None:
    generate(page, "explode")
    message = page.locator(".toast.error")
    message.wait_for()
    assert message.inner_text().startswith("The prompt asked for <b>trouble</b>.")
    idle(page)
    generate(page, "calm again")
    shows(page, "calm again")


def test_a_server_that_is_gone_is_told(page) -> None:
    page.route("**/gradio_api/run/**", lambda route: route.abort())
    page.fill(PROMPT, "into the void")
    page.click(GENERATE)
    assert "does not answer" in page.locator(".toast.error").first.inner_text()
    assert page.input_value(PROMPT) == "into the void"


def test_a_script_that_fails_is_told(page) -> None:
    page.evaluate("try { window.atelier.handle('noSuchHandler', []) } catch {}")
    assert "noSuchHandler" in page.locator(".toast.error").inner_text()


def test_keys(page, studio: StandIn) -> None:
    studio.step_seconds = 0.1
    page.fill(PROMPT, "by hand")
    set_number(page, "txt2img_steps", 150)
    page.press(PROMPT, "Control+Enter")
    running(page)
    page.press(PROMPT, "Escape")
    shows(page, "by hand")
    assert page.input_value(PROMPT) == "by hand"


@pytest.mark.slow
def test_skip_goes_on_with_the_next_batch(page, studio: StandIn) -> None:
    studio.step_seconds = 0.1
    generate(page, "skipped", steps=150)
    running(page)
    page.press(PROMPT, "Alt+Enter")
    shows(page, "skipped")


def test_typing_goes_on_while_a_picture_arrives(page, studio: StandIn) -> None:
    studio.gate.clear()
    generate(page, "one")
    running(page)
    page.focus(PROMPT)
    top = page.evaluate("scrollY")
    studio.gate.set()
    shows(page, "one")
    page.wait_for_timeout(300)
    page.keyboard.type(" and two")
    assert page.input_value(PROMPT) == "one and two"
    assert page.evaluate("scrollY") == top


def test_copied_generation_data_fills_every_field(page) -> None:
    page.fill(PROMPT, CIVITAI)
    page.click("#paste")
    page.wait_for_function("document.querySelector('#txt2img_prompt textarea').value === 'a boat on the sea'")
    assert page.input_value(NEGATIVE) == "fog"
    found = {name: number(page, f"txt2img_{name}") for name in ("steps", "cfg_scale", "width", "height")}
    assert found == {"steps": 7, "cfg_scale": 5.5, "width": 320, "height": 256}
    assert page.input_value("#txt2img_seed input") == "4242"
    assert page.input_value("#txt2img_sampling input") == "Euler a"
    assert page.input_value("#txt2img_scheduler input") == "Karras"
    assert "Clip skip: 2" in page.inner_text("#txt2img_override_settings")


def test_pasted_overrides_reach_the_request(page, studio: StandIn) -> None:
    page.fill(PROMPT, CIVITAI)
    page.click("#paste")
    page.wait_for_selector("#txt2img_override_settings .token")
    page.click(GENERATE)
    shows(page, "a boat on the sea")
    request = studio.drawn[-1]
    assert (request.settings["CLIP_stop_at_last_layers"], request.seed, request.width) == (2, 4242, 320)
    assert request.hires is None


def test_an_open_part_is_on(page, studio: StandIn) -> None:
    page.click("#txt2img_hr > button")
    page.wait_for_selector("#txt2img_hr_scale input[type=number]")
    page.wait_for_function(
        "document.querySelector('#txt2img_hires_size')?.textContent.trim() === 'from 512 × 512 to 1024 × 1024'"
    )
    set_number(page, "txt2img_hr_scale", 1.5)
    page.wait_for_function("document.querySelector('#txt2img_hires_size').textContent.includes('768 × 768')")
    generate(page, "large")
    shows(page, "large")
    assert studio.drawn[-1].hires.scale == 1.5
    page.click("#txt2img_hr > button")
    generate(page, "small")
    shows(page, "small")
    assert studio.drawn[-1].hires is None


def test_sizes_swap_and_presets(page) -> None:
    set_number(page, "txt2img_width", 640)
    page.click("#txt2img_res_switch_btn")
    page.wait_for_function("document.querySelector('#txt2img_height input[type=number]').value === '640'")
    assert number(page, "txt2img_width") == 512
    page.click("#txt2img_size_presets input")
    page.get_by_role("option", name="832 × 1216").click()
    page.wait_for_function("document.querySelector('#txt2img_width input[type=number]').value === '832'")
    assert number(page, "txt2img_height") == 1216


def test_the_seed_of_a_picture_comes_back(page) -> None:
    set_number(page, "txt2img_batch_count", 2)
    generate(page, "twins")
    shows(page, "twins")
    second = page.locator("#txt2img_gallery .thumbnail-small").nth(1)
    second.click()
    seed = re.compile(r"Seed: (\d+)")
    page.wait_for_function("document.querySelectorAll('#txt2img_gallery .thumbnail-small')[1].matches('.selected')")
    page.wait_for_timeout(100)
    shown = seed.search(infotext(page).inner_text()).group(1)
    page.click("#txt2img_reuse_seed")
    page.wait_for_function("seed => document.querySelector('#txt2img_seed input').value === seed", arg=shown)
    page.click("#txt2img_random_seed")
    page.wait_for_function("document.querySelector('#txt2img_seed input').value === '-1'")


def test_styles_are_written_into_the_prompts(page) -> None:
    page.fill(PROMPT, "a cat")
    page.click("#txt2img_styles input")
    page.get_by_role("option", name="Woodcut").click()
    page.keyboard.press("Escape")
    page.click("#txt2img_style_apply")
    page.wait_for_function("document.querySelector('#txt2img_prompt textarea').value === 'woodcut of a cat'")
    assert page.input_value(NEGATIVE) == "photo"
    page.click("#txt2img_clear_prompt")
    page.wait_for_function("document.querySelector('#txt2img_prompt textarea').value === ''")


def test_tokens_are_counted_while_typing(page) -> None:
    page.fill(PROMPT, "a red house under a (moon")
    page.wait_for_selector("#txt2img_token_counter .unbalanced")
    page.fill(PROMPT, "a red house")
    page.wait_for_function("document.querySelector('#txt2img_token_counter').textContent.trim() === '3/75'")


def test_a_new_checkpoint_is_found_and_chosen(page, studio: StandIn) -> None:
    studio.lists["checkpoints"].append("orange.safetensors [fedcba9876]")
    page.click("#refresh_sd_model_checkpoint")
    page.wait_for_timeout(300)
    page.click("#setting_sd_model_checkpoint input")
    page.get_by_role("option", name="orange").click()
    page.wait_for_function("document.querySelector('#setting_sd_model_checkpoint input').value.startsWith('orange')")
    for _ in range(50):
        if studio.settings["sd_model_checkpoint"].startswith("orange"):
            break
        page.wait_for_timeout(50)
    assert studio.settings["sd_model_checkpoint"] == "orange.safetensors [fedcba9876]"


def test_settings_are_searched_marked_applied_and_reset(visit, studio: StandIn) -> None:
    page = visit().open()
    page.click("#tab_settings-button")
    page.fill("#settings_search", "quality jpeg")
    row = page.locator("#setting_jpeg_quality")
    row.wait_for()
    assert page.locator(".setting:visible").count() == 1
    page.fill("#setting_jpeg_quality input[type=number]", "93")
    page.locator("#setting_jpeg_quality input[type=number]").blur()
    assert page.inner_text("#settings_submit") == "Apply 1"
    page.click("#settings_submit")
    page.wait_for_selector(".toast")
    assert studio.settings["jpeg_quality"] == 93
    assert "changed" in row.get_attribute("class")
    assert page.is_disabled("#settings_submit")
    page.fill("#settings_search", "")
    page.check("#settings_only_changed")
    assert page.locator("#setting_jpeg_quality:visible").count() == 1
    row.get_by_role("button").click()
    with page.expect_response("**/internal/gui/settings"):
        page.click("#settings_submit")
    assert "changed" not in row.get_attribute("class").split()
    assert studio.settings["jpeg_quality"] == 80


def test_a_refused_setting_is_told_and_kept_on_the_page(page, studio: StandIn) -> None:
    studio.settings = dataclasses.replace(studio.settings, locks=Locks(keys=frozenset({"outdir_save"})))
    page.click("#tab_settings-button")
    page.fill("#settings_search", "save button outdir_save")
    page.fill("#setting_outdir_save input", "elsewhere")
    page.click("#settings_submit")
    assert "--freeze-specific-settings" in page.locator(".toast.error").inner_text()
    assert page.input_value("#setting_outdir_save input") == "elsewhere"
    assert page.is_enabled("#settings_submit")
    assert studio.settings["outdir_save"] == "log/images"


def test_the_browser_chooses_the_language(visit) -> None:
    page = visit(locale="zh-CN").open()
    assert page.inner_text(GENERATE) == "生成"
    assert page.evaluate("document.documentElement.lang") == "zh-CN"
    page.get_by_role("tab", name="设置").click()
    page.get_by_role("button", name="保存图片和网格图").click()
    assert page.locator("#setting_samples_save label").first.inner_text() == "始终保存所有生成的图片"


@pytest.mark.slow
def test_the_setting_chooses_the_language(visit, studio: StandIn) -> None:
    studio.set_options({"language": "zh-CN"})
    assert visit().open().inner_text(GENERATE) == "生成"


@pytest.mark.parametrize("language", ["en-US", "zh-CN"])
def test_nothing_is_wider_than_the_screen(visit, language: str) -> None:
    page = visit(locale=language).open()
    for tab in ("txt2img", "img2img", "pnginfo", "settings"):
        page.click(f"#tab_{tab}-button")
        for width in (1400, 820, 390):
            page.set_viewport_size({"width": width, "height": 844})
            page.wait_for_timeout(100)
            assert page.evaluate("document.documentElement.scrollWidth") <= width, (tab, width)
        page.set_viewport_size({"width": 1400, "height": 900})
    assert page.locator("text=⟨").count() == 0
    assert page.locator("text=__i18n__").count() == 0


def test_generate_stays_in_reach_of_the_thumb(visit) -> None:
    page = visit(viewport={"width": 390, "height": 844}, has_touch=True).open()
    page.evaluate("scrollTo(0, document.body.scrollHeight)")
    box = page.locator(GENERATE).bounding_box()
    assert 0 < box["y"] < 844 - box["height"] + 1

    def above() -> bool:
        found = (page.locator(f"#txt2img_{name}").bounding_box() for name in ("gallery_container", "sampling"))
        gallery, sampler = (box["y"] for box in found)
        return gallery < sampler

    assert not above()
    generate(page)
    page.wait_for_selector("#txt2img_results[data-filled=yes]")
    assert above()


def test_the_page_says_that_the_engine_is_loading_until_it_is_ready(visit, studio: StandIn) -> None:
    studio.engine_state = "starting"
    page = visit().open()
    page.get_by_text("The engine is loading").wait_for()
    studio.engine_state = "ready"
    page.wait_for_selector(".notice.busy", state="detached")
    page.get_by_text("Only the small built-in model is here").wait_for()


@pytest.mark.slow
def test_trouble_of_the_engine_is_a_sentence_on_top(visit, studio: StandIn) -> None:
    studio.engine_state = "The checkpoint x.safetensors is broken."
    page = visit().open()
    assert page.inner_text(".notice.trouble") == "The checkpoint x.safetensors is broken."


def test_a_dropped_picture_tells_how_it_was_made_and_fills_the_form(page, tmp_path: Path) -> None:
    path = tmp_path / "dropped.png"
    path.write_bytes(png(gradient(64, 64, 3, 1.0), CIVITAI))
    page.click("#tab_pnginfo-button")
    page.set_input_files("#pnginfo_image input[type=file]", path)
    page.wait_for_function(
        "document.querySelector('#pnginfo_infotext textarea')?.value.startsWith('a boat on the sea')"
    )
    page.click("#pnginfo_send_to_txt2img")
    page.wait_for_function("document.querySelector('#txt2img_seed input').value === '4242'")
    assert page.locator(PROMPT).is_visible()
    assert page.input_value(PROMPT) == "a boat on the sea"
    page.click("#tab_pnginfo-button")
    page.click("#pnginfo_send_to_inpaint")
    page.wait_for_selector("#img2maskimg .canvas.filled")
    page.wait_for_function("document.querySelector('#img2img_seed input').value === '4242'")


def test_drafts_survive_a_reload_in_closed_parts_too(page) -> None:
    page.fill(PROMPT, "half a thought")
    page.fill(NEGATIVE, "noise")
    page.click("#txt2img_hr > button")
    page.wait_for_selector("#txt2img_hr_scale input[type=number]")
    set_number(page, "txt2img_hr_scale", 3)
    page.wait_for_function("window.atelier.draft('txt2img')['hires.scale'] === 3")
    page.reload()
    ready(page)
    page.wait_for_function("document.querySelector('#txt2img_prompt textarea').value === 'half a thought'")
    page.wait_for_selector("#txt2img_hr_scale input[type=number]")
    assert number(page, "txt2img_hr_scale") == 3


@pytest.mark.slow
def test_no_other_host_is_asked(visit, address: str) -> None:
    visitor = visit()
    page = visitor.open()
    for tab in ("pnginfo", "settings", "txt2img"):
        page.click(f"#tab_{tab}-button")
    generate(page, "at home")
    shows(page, "at home")
    own = address.split("://")[1]
    assert [url for url in visitor.requests if not url.startswith(("data:", "blob:")) and own not in url] == []
