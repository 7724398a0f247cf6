"""Training."""

from __future__ import annotations

from modules.settings.setting import TRAINING, Section, section, setting
from modules.terms.declare import Number

SETTINGS = (
    *section(
        Section("training", "Training", TRAINING),
        setting(
            "unload_models_when_training",
            "Move VAE and CLIP to RAM when training if possible. Saves VRAM.",
            False,
            "Keep what training does not need out of video memory.",
        ),
        setting(
            "pin_memory",
            "Turn on pin_memory for DataLoader. Makes training slightly faster but can increase memory usage.",
            False,
            "Keep batches in page-locked memory.",
        ),
        setting(
            "save_optimizer_state",
            "Saves Optimizer state as separate *.optim file. Training of embedding or HN can be resumed with the "
            "matching optim file.",
            False,
            "Needed to resume training exactly where it stopped.",
        ),
        setting(
            "save_training_settings_to_txt",
            "Save textual inversion and hypernet settings to a text file whenever training starts.",
            True,
            "So that it can be seen later how something was trained.",
        ),
        setting(
            "dataset_filename_word_regex",
            "Filename word regex",
            "",
            "Finds the words of a caption in a picture's file name. Empty: the name as it is.",
        ),
        setting("dataset_filename_join_string", "Filename join string", " ", "Put between the words that were found."),
        setting(
            "training_image_repeats_per_epoch",
            "Number of repeats for a single input image per epoch; used only for displaying epoch number",
            1,
            "Changes only which epoch is shown.",
            Number(integer=True),
        ),
        setting(
            "training_write_csv_every",
            "Save an csv containing the loss to log directory every N steps, 0 to disable",
            500,
            "Steps between lines of the loss table.",
        ),
        setting(
            "training_xattention_optimizations",
            "Use cross attention optimizations while training",
            False,
            "Use the attention method chosen for generation.",
        ),
        setting("training_enable_tensorboard", "Enable tensorboard logging.", False, "Needs the tensorboard package."),
        setting(
            "training_tensorboard_save_images",
            "Save generated images within tensorboard.",
            False,
            "Previews go into the log, too.",
        ),
        setting(
            "training_tensorboard_flush_every",
            "How often, in seconds, to flush the pending tensorboard events and summaries to disk.",
            120,
            "Seconds between writes.",
        ),
    ),
)
