"""Upscaling, faces, captions: what comes after a picture."""

from __future__ import annotations

from modules.settings.setting import POSTPROCESSING, Section, section, setting
from modules.terms.declare import Choice, Slider
from modules.terms.detail import LEFT_TO_RIGHT, ORDERS

SETTINGS = (
    *section(
        Section("upscaling", "Upscaling", POSTPROCESSING),
        setting(
            "ESRGAN_tile",
            "Tile size for ESRGAN upscalers.",
            192,
            "Edge of a tile in pixels for ESRGAN, Real-ESRGAN and HAT models; 0 takes the whole picture at once.",
            Slider(0, 512, 16),
        ),
        setting(
            "ESRGAN_tile_overlap",
            "Tile overlap for ESRGAN upscalers.",
            8,
            "Pixels that neighbouring tiles share.",
            Slider(0, 48),
        ),
        setting(
            "realesrgan_enabled_models",
            "Select which Real-ESRGAN models to show in the web UI.",
            ("R-ESRGAN 4x+", "R-ESRGAN 4x+ Anime6B"),
            "Kept for A1111's config files. Every model that lies in the folders is offered.",
            Choice(
                (
                    "R-ESRGAN 4x+",
                    "R-ESRGAN 4x+ Anime6B",
                    "R-ESRGAN 2x+",
                    "R-ESRGAN General 4xV3",
                    "R-ESRGAN General WDN 4xV3",
                    "R-ESRGAN AnimeVideo",
                ),
                many=True,
                radio=True,
            ),
        ),
        setting(
            "dat_enabled_models",
            "Select which DAT models to show in the web UI.",
            ("DAT x2", "DAT x3", "DAT x4"),
            "Kept for A1111's config files. Every model that lies in the folders is offered.",
            Choice(("DAT x2", "DAT x3", "DAT x4"), many=True, radio=True),
        ),
        setting(
            "DAT_tile",
            "Tile size for DAT upscalers.",
            192,
            "Edge of a tile in pixels; 0 takes the whole picture at once.",
            Slider(0, 512, 16),
        ),
        setting(
            "DAT_tile_overlap",
            "Tile overlap for DAT upscalers.",
            8,
            "Pixels that neighbouring tiles share.",
            Slider(0, 48),
        ),
        setting(
            "upscaler_for_img2img",
            "Upscaler for img2img",
            None,
            "Enlarges inputs of img2img that are smaller than the asked size. None: Lanczos.",
            Choice(listing="upscalers"),
        ),
        setting(
            "set_scale_by_when_changing_upscaler",
            "Automatically set the Scale by factor based on the name of the selected Upscaler.",
            False,
            "In Extras, choosing an upscaler called 4x... sets the factor to 4.",
        ),
        setting("SWIN_tile", "Tile size for all SwinIR.", 192, "Edge of a tile in pixels.", Slider(16, 512, 16)),
        setting(
            "SWIN_tile_overlap",
            "Tile overlap, in pixels for SwinIR. Low values = visible seam.",
            8,
            "Pixels that neighbouring tiles share.",
            Slider(0, 48),
        ),
        setting(
            "SWIN_torch_compile",
            "Use torch.compile to accelerate SwinIR.",
            False,
            "The first picture takes longer, later ones are faster.",
        ),
        setting(
            "SCUNET_tile",
            "Tile size for SCUNET upscalers.",
            256,
            "Edge of a tile in pixels; 0 takes the whole picture at once.",
            Slider(0, 512, 16),
        ),
        setting(
            "SCUNET_tile_overlap",
            "Tile overlap for SCUNET upscalers.",
            8,
            "Pixels that neighbouring tiles share.",
            Slider(0, 64),
        ),
        setting(
            "ldsr_steps",
            "LDSR processing steps. Lower = faster",
            100,
            "More steps are slower and finer.",
            Slider(1, 200),
        ),
        setting("ldsr_cached", "Cache LDSR model in memory", False, "Do not load the model again for every picture."),
    ),
    *section(
        Section("face-restoration", "Face restoration", POSTPROCESSING),
        setting(
            "face_restoration", "Restore faces", False, "Used when a request does not say.", infotext="Face restoration"
        ),
        setting(
            "face_restoration_model",
            "Face restoration model",
            "CodeFormer",
            "What repairs faces after generation.",
            Choice(listing="face_restorers", radio=True),
        ),
        setting(
            "code_former_weight",
            "CodeFormer weight",
            0.5,
            "0 changes faces most, 1 least. The Extras tab has a slider of its own.",
            Slider(0, 1, 0.01),
        ),
        setting(
            "face_restoration_unload",
            "Move face restoration model from VRAM into RAM after processing",
            False,
            "Frees video memory between pictures at the price of loading time.",
        ),
        setting(
            "ad_bbox_sortby",
            "Order of faces in the detail pass",
            LEFT_TO_RIGHT,
            "Which face a prompt after [SEP] belongs to. None: as the detector found them.",
            Choice(ORDERS),
        ),
        setting(
            "ad_save_images_before",
            "Save a copy of the picture before its details are redrawn",
            False,
            "It is saved beside the finished one.",
        ),
    ),
    *section(
        Section("postprocessing", "Postprocessing", POSTPROCESSING),
        setting(
            "postprocessing_enable_in_main_ui",
            "Enable postprocessing operations in txt2img and img2img tabs",
            (),
            "They have a part of those tabs, and then work on every picture that is generated. Takes effect at the "
            "next start.",
            Choice(listing="postprocessing", many=True),
        ),
        setting(
            "postprocessing_disable_in_extras",
            "Disable postprocessing operations in extras tab",
            (),
            "They are not offered there.",
            Choice(listing="postprocessing", many=True),
        ),
        setting(
            "postprocessing_operation_order",
            "Postprocessing operation order",
            (),
            "Those not named follow in their own order.",
            Choice(listing="postprocessing", many=True),
        ),
        setting(
            "upscaling_max_images_in_cache",
            "Maximum number of images in upscaling cache",
            5,
            "Trying other settings on the same picture is then faster.",
            Slider(0, 10),
        ),
        setting(
            "postprocessing_existing_caption_action",
            "Action for existing captions",
            "Ignore",
            "What to do with captions that are there already.",
            Choice(("Ignore", "Keep", "Prepend", "Append"), radio=True),
        ),
    ),
    *section(
        Section("interrogate", "Interrogate", None),
        setting("interrogate_keep_models_in_memory", "Keep models in VRAM", False, "Captioning again starts at once."),
        setting(
            "interrogate_return_ranks", "Include ranks of model tags matches in results.", False, "Writes (tag:score)."
        ),
        setting(
            "interrogate_clip_num_beams", "BLIP: num_beams", 1, "More beams are slower and read better.", Slider(1, 16)
        ),
        setting("interrogate_clip_min_length", "BLIP: minimum description length", 24, "In tokens.", Slider(1, 128)),
        setting("interrogate_clip_max_length", "BLIP: maximum description length", 48, "In tokens.", Slider(1, 256)),
        setting(
            "interrogate_clip_dict_limit", "CLIP: maximum number of lines in text file", 1500, "0 reads all lines."
        ),
        setting(
            "interrogate_clip_skip_categories",
            "CLIP: skip inquire categories",
            (),
            "Word lists that are not used.",
            Choice(listing="interrogate_categories", many=True, radio=True),
        ),
        setting(
            "interrogate_deepbooru_score_threshold",
            "deepbooru: score threshold",
            0.5,
            "Tags that are less probable are left out.",
            Slider(0, 1, 0.01),
        ),
        setting("deepbooru_sort_alpha", "deepbooru: sort tags alphabetically", True, "Off: by probability."),
        setting("deepbooru_use_spaces", "deepbooru: use spaces in tags", True, "In place of underscores."),
        setting(
            "deepbooru_escape",
            "deepbooru: escape (\\) brackets",
            True,
            "So that brackets in tags are not read as emphasis.",
        ),
        setting("deepbooru_filter_tags", "deepbooru: filter out those tags", "", "Separated by commas."),
    ),
)
