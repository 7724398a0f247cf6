"""Prompt editing, gallery and canvas."""

from __future__ import annotations

from modules.settings.setting import INTERFACE, Section, section, setting
from modules.terms.declare import Choice, Slider

SETTINGS = (
    *section(
        Section("ui_prompt_editing", "Prompt editing", INTERFACE),
        setting(
            "keyedit_precision_attention",
            "Precision for (attention:1.1) when editing the prompt with Ctrl+up/down",
            0.1,
            "How much one key press changes a weight.",
            Slider(0.01, 0.2, 0.001),
        ),
        setting(
            "keyedit_precision_extra",
            "Precision for <extra networks:0.9> when editing the prompt with Ctrl+up/down",
            0.05,
            "How much one key press changes a weight.",
            Slider(0.01, 0.2, 0.001),
        ),
        setting(
            "keyedit_delimiters",
            "Word delimiters when editing the prompt with Ctrl+up/down",
            ".,\\/!?%^*;:{}=`~() ",
            "Characters at which a word ends.",
        ),
        setting(
            "keyedit_delimiters_whitespace",
            "Ctrl+up/down whitespace delimiters",
            ("Tab", "Carriage Return", "Line Feed"),
            "White space at which a word ends.",
            Choice(("Tab", "Carriage Return", "Line Feed"), many=True, radio=True),
        ),
        setting(
            "keyedit_move",
            "Alt+left/right moves prompt elements",
            True,
            "Moves the part between commas that the cursor is in.",
        ),
        setting(
            "prompt_completion",
            "Suggest words in prompts",
            True,
            "While typing: tags of the lists in the folder tags, networks after '<', wildcards after '__', styles.",
        ),
        setting(
            "prompt_completion_spaces",
            "Suggested tags with blanks instead of underscores",
            True,
            "As most models know them.",
        ),
        setting(
            "prompt_completion_escape",
            "Suggested tags with escaped brackets",
            True,
            "Otherwise brackets in a tag's name would be weights.",
        ),
        setting("prompt_completion_comma", "A comma after a suggested tag", True, "Unless one stands there already."),
        setting(
            "disable_token_counters", "Disable prompt token counters", False, "Hide the numbers above the prompts."
        ),
        setting(
            "include_styles_into_token_counters",
            "Count tokens of enabled styles",
            True,
            "What the chosen styles add is counted, too.",
        ),
    ),
    *section(
        Section("ui_gallery", "Gallery", INTERFACE),
        setting("return_grid", "Show grid in gallery", True, "It comes first."),
        setting("do_not_show_images", "Do not show any images in gallery", False, "They are saved all the same."),
        setting("js_modal_lightbox", "Full page image viewer: enable", True, "A click on the picture opens it."),
        setting(
            "js_modal_lightbox_initially_zoomed",
            "Full page image viewer: show images zoomed in by default",
            True,
            "Fill the window.",
        ),
        setting(
            "js_modal_lightbox_gamepad",
            "Full page image viewer: navigate with gamepad",
            False,
            "Left and right move through the pictures.",
        ),
        setting(
            "js_modal_lightbox_gamepad_repeat", "Full page image viewer: gamepad repeat period", 250, "In milliseconds."
        ),
        setting(
            "sd_webui_modal_lightbox_icon_opacity",
            "Full page image viewer: control icon unfocused opacity",
            1,
            "0 hides the icons until the pointer is over them.",
            Slider(0, 1, 0.01),
            reload=True,
        ),
        setting(
            "sd_webui_modal_lightbox_toolbar_opacity",
            "Full page image viewer: tool bar opacity",
            0.9,
            "0 hides the bar.",
            Slider(0, 1, 0.01),
            reload=True,
        ),
        setting(
            "gallery_height", "Gallery height", "", "A CSS length such as 768px or 80vh. Empty: automatic.", reload=True
        ),
        setting(
            "open_dir_button_choice",
            "What directory the [📂] button opens",
            "Subdirectory",
            "The root, or the subdirectory of the last picture.",
            Choice(("Output Root", "Subdirectory", "Subdirectory (even temp dir)"), radio=True),
        ),
    ),
    *section(
        Section("canvas_hotkey", "Canvas Hotkeys", None),
        setting(
            "canvas_hotkey_zoom",
            "Zoom canvas",
            "Alt",
            "Held while turning the wheel.",
            Choice(("Shift", "Ctrl", "Alt"), radio=True),
        ),
        setting(
            "canvas_hotkey_adjust",
            "Adjust brush size",
            "Ctrl",
            "Held while turning the wheel.",
            Choice(("Shift", "Ctrl", "Alt"), radio=True),
        ),
        setting("canvas_hotkey_shrink_brush", "Shrink the brush size", "Q", "A letter."),
        setting("canvas_hotkey_grow_brush", "Enlarge the brush size", "W", "A letter."),
        setting("canvas_hotkey_move", "Moving the canvas", "F", "A letter, held while moving the pointer."),
        setting(
            "canvas_hotkey_fullscreen",
            "Fullscreen Mode, maximizes the picture so that it fits into the screen and stretches it to its full width",
            "S",
            "A letter.",
        ),
        setting("canvas_hotkey_reset", "Reset zoom and canvas position", "R", "A letter."),
        setting("canvas_hotkey_overlap", "Toggle overlap", "O", "A letter; brings the canvas in front of the page."),
        setting("canvas_show_tooltip", "Enable tooltip on the canvas", True, "Lists the keys."),
        setting(
            "canvas_auto_expand",
            "Automatically expands an image that does not fit completely in the canvas area, similar to manually "
            "pressing the S and R buttons",
            True,
            "When a picture is loaded.",
        ),
        setting(
            "canvas_blur_prompt",
            "Take the focus off the prompt when working with a canvas",
            False,
            "So that the keys above are not typed into the prompt.",
        ),
        setting(
            "canvas_disabled_functions",
            "Disable function that you don't use",
            ("Overlap",),
            "These keys do nothing.",
            Choice(
                (
                    "Zoom",
                    "Adjust brush size",
                    "Hotkey enlarge brush",
                    "Hotkey shrink brush",
                    "Moving canvas",
                    "Fullscreen",
                    "Reset Zoom",
                    "Overlap",
                ),
                many=True,
                radio=True,
            ),
        ),
    ),
)
