"""LoRA, embeddings and hypernetworks: how they are shown and added."""

from __future__ import annotations

from modules.settings.setting import DIFFUSION, Section, section, setting
from modules.terms.declare import Choice, Number, Slider

SETTINGS = (
    *section(
        Section("extra_networks", "Extra Networks", DIFFUSION),
        setting(
            "extra_networks_show_hidden_directories",
            "Show hidden directories",
            True,
            "Folders whose name begins with a dot get a button, too.",
        ),
        setting(
            "extra_networks_dir_button_function",
            "Add a '/' to the beginning of directory buttons",
            False,
            "The button then matches from the top folder only.",
        ),
        setting(
            "extra_networks_hidden_models",
            "Show cards for models in hidden directories",
            "When searched",
            "Hidden means in a folder whose name begins with a dot.",
            Choice(("Always", "When searched", "Never"), radio=True),
        ),
        setting(
            "extra_networks_default_multiplier",
            "Default multiplier for extra networks",
            1.0,
            "The weight in the tag that a click on a card inserts.",
            Slider(0, 2, 0.01),
        ),
        setting("extra_networks_card_width", "Card width for Extra Networks", 0, "In pixels; 0 is the default."),
        setting("extra_networks_card_height", "Card height for Extra Networks", 0, "In pixels; 0 is the default."),
        setting("extra_networks_card_text_scale", "Card text scale", 1.0, "1 is the normal size.", Slider(0, 2, 0.01)),
        setting(
            "extra_networks_card_show_desc", "Show description on card", True, "Taken from the file beside the network."
        ),
        setting(
            "extra_networks_card_description_is_html",
            "Treat card description as HTML",
            False,
            "Only for descriptions that you trust.",
        ),
        setting(
            "extra_networks_card_order_field",
            "Default order field for Extra Networks cards",
            "Path",
            "How cards are sorted at first.",
            Choice(("Path", "Name", "Date Created", "Date Modified")),
            reload=True,
        ),
        setting(
            "extra_networks_card_order",
            "Default order for Extra Networks cards",
            "Ascending",
            "In which direction cards are sorted at first.",
            Choice(("Ascending", "Descending")),
            reload=True,
        ),
        setting(
            "extra_networks_tree_view_style",
            "Extra Networks directory view style",
            "Dirs",
            "A tree of folders, or a row of buttons.",
            Choice(("Tree", "Dirs"), radio=True),
            reload=True,
        ),
        setting(
            "extra_networks_tree_view_default_enabled",
            "Show the Extra Networks directory view by default",
            True,
            "Whether folders are shown at first.",
            reload=True,
        ),
        setting(
            "extra_networks_tree_view_default_width",
            "Default width for the Extra Networks directory tree view",
            180,
            "In pixels.",
            Number(),
            reload=True,
        ),
        setting(
            "extra_networks_add_text_separator",
            "Extra networks separator",
            " ",
            "Put before what a click on a card inserts.",
        ),
        setting(
            "ui_extra_networks_tab_reorder",
            "Extra networks tab order",
            "",
            "Names separated by commas; the others follow.",
            reload=True,
        ),
        setting(
            "textual_inversion_print_at_load",
            "Print a list of Textual Inversion embeddings when loading model",
            False,
            "Which were loaded, and which were skipped because they do not fit.",
        ),
        setting(
            "textual_inversion_add_hashes_to_infotext",
            "Add Textual Inversion hashes to infotext",
            True,
            "So that a picture tells which embeddings it was made with.",
        ),
        setting(
            "sd_hypernetwork",
            "Add hypernetwork to prompt",
            "None",
            "Always added, as if written at the end of the prompt.",
            Choice(listing="hypernetworks"),
        ),
        setting(
            "sd_lora",
            "Add network to prompt",
            "None",
            "Always added, as if written at the end of the prompt.",
            Choice(listing="loras"),
        ),
        setting(
            "lora_preferred_name",
            "When adding to prompt, refer to Lora by",
            "Alias from file",
            "The name that a file carries inside, or its file name.",
            Choice(("Alias from file", "Filename"), radio=True),
        ),
        setting(
            "lora_add_hashes_to_infotext",
            "Add Lora hashes to infotext",
            True,
            "So that a picture tells which networks it was made with.",
        ),
        setting(
            "lora_bundled_ti_to_infotext",
            "Add Lora name as TI hashes for bundled Textual Inversion",
            True,
            "For embeddings that come inside a LoRA file.",
        ),
        setting(
            "lora_show_all",
            "Always show all networks on the Lora page",
            False,
            "Also those made for other kinds of model than the one loaded.",
        ),
        setting(
            "lora_hide_unknown_for_versions",
            "Hide networks of unknown versions for model versions",
            (),
            "Networks that do not tell what they were made for are hidden while such a model is loaded.",
            Choice(("SD1", "SD2", "SDXL"), many=True, radio=True),
        ),
        setting(
            "lora_in_memory_limit",
            "Number of Lora networks to keep cached in memory",
            0,
            "Saves reading the file when switching back and forth.",
            Number(integer=True),
        ),
        setting(
            "lora_not_found_warning_console",
            "Lora not found warning in console",
            False,
            "Name the networks of a prompt that do not exist here.",
        ),
        setting(
            "lora_not_found_gradio_warning",
            "Lora not found warning popup in webui",
            False,
            "Name the networks of a prompt that do not exist here.",
        ),
    ),
)
