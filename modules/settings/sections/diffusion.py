"""The models, what they are told, and img2img."""

from __future__ import annotations

from modules.settings.setting import DIFFUSION, Section, section, setting
from modules.terms.declare import Choice, Colour, Number, Slider

SETTINGS = (
    *section(
        Section("sd", "Stable Diffusion", DIFFUSION),
        setting(
            "sd_model_checkpoint",
            "Stable Diffusion checkpoint",
            None,
            "The model that draws. Changing it loads the new one after the jobs that are waiting.",
            Choice(listing="checkpoints"),
            infotext="Model hash",
        ),
        setting(
            "sd_checkpoints_limit",
            "Maximum number of checkpoints loaded at the same time",
            1,
            "Models kept ready, in video memory and in memory together, if the next setting keeps them by number.",
            Slider(1, 10),
        ),
        setting(
            "models_kept",
            "Models to keep in memory",
            "As many as fit",
            "Those not used for longest go first: into memory while that has room, then altogether. ControlNets, "
            "upscalers and captioners share the room.",
            Choice(("As many as fit", "By number"), radio=True),
        ),
        setting(
            "model_offload",
            "Keep weights out of video memory",
            "Automatic",
            "Automatic: as far as a picture needs it. Network by network: text encoder, model and VAE take turns. "
            "Block by block: the model comes in pieces, which is slow and needs least. --medvram and --lowvram ask "
            "for the same.",
            Choice(("Automatic", "Never", "Network by network", "Block by block"), radio=True),
        ),
        setting(
            "sd_checkpoints_keep_in_cpu",
            "Only keep one model on device",
            True,
            "The other ready models wait in memory.",
        ),
        setting(
            "sd_checkpoint_cache",
            "Checkpoints to cache in RAM",
            0,
            "Kept for old configuration files; see the limit above.",
            Slider(0, 10),
        ),
        setting(
            "sd_unet",
            "SD Unet",
            "Automatic",
            "Another implementation of the UNet, offered by an extension. Automatic: the one named like the "
            "checkpoint, if any.",
            Choice(listing="unets"),
        ),
        setting(
            "enable_quantization",
            "Enable quantization in K samplers for sharper and cleaner results. This may change existing seeds",
            False,
            "Noise levels are rounded to the ones that the model was trained on.",
            reload=True,
        ),
        setting(
            "emphasis",
            "Emphasis mode",
            "Original",
            "What (word:1.2) does. Original restores the mean after weighting, No norm does not, Ignore drops "
            "the weights, None reads brackets as text.",
            Choice(("None", "Ignore", "Original", "No norm"), radio=True),
            infotext="Emphasis",
        ),
        setting(
            "enable_batch_seeds",
            "Make K-diffusion samplers produce same images in a batch as when making a single image",
            True,
            "Kept for old configuration files; a picture never depends on its batch.",
        ),
        setting(
            "comma_padding_backtrack",
            "Prompt word wrap length limit",
            20,
            "If a comma lies at most this many tokens before the end of a 75-token chunk, what follows it moves "
            "to the next chunk. 0: never.",
            Slider(0, 74),
        ),
        setting(
            "sdxl_clip_l_skip", "Clip skip SDXL", False, "Clip skip also applies to the first text encoder of SDXL."
        ),
        setting(
            "CLIP_stop_at_last_layers",
            "Clip skip",
            1,
            "Take the text encoder's output this many layers before its end (1: the end itself).",
            Slider(1, 12),
            infotext="Clip skip",
        ),
        setting(
            "upcast_attn",
            "Upcast cross attention layer to float32",
            False,
            "Compute attention in 32 bit; helps against black pictures, slower.",
        ),
        setting(
            "randn_source",
            "Random number generator source.",
            "GPU",
            "Where noise comes from: the video card, the processor (the same on all machines), or NV (the "
            "processor, imitating an NVIDIA card).",
            Choice(("GPU", "CPU", "NV"), radio=True),
            infotext="RNG",
        ),
        setting(
            "tiling",
            "Tiling",
            False,
            "Pictures that can be laid side by side; used when a request does not say.",
            infotext="Tiling",
        ),
        setting(
            "hires_fix_refiner_pass",
            "Hires fix: which pass to enable refiner for",
            "second pass",
            "In which pass the refiner may take over.",
            Choice(("first pass", "second pass", "both passes"), radio=True),
            infotext="Hires refiner",
        ),
        setting(
            "enable_prompt_comments",
            "Enable comments",
            True,
            "What stands between # and the end of the line is not part of the prompt.",
        ),
    ),
    *section(
        Section("sdxl", "Stable Diffusion XL", DIFFUSION),
        setting(
            "sdxl_crop_top",
            "crop top coordinate",
            0,
            "Tells SDXL how far its picture was cropped from the top; above 0 it cuts off heads.",
        ),
        setting(
            "sdxl_crop_left", "crop left coordinate", 0, "Tells SDXL how far its picture was cropped from the left."
        ),
        setting(
            "sdxl_refiner_low_aesthetic_score",
            "SDXL low aesthetic score",
            2.5,
            "What the refiner is told about the negative prompt.",
            Number(),
        ),
        setting(
            "sdxl_refiner_high_aesthetic_score",
            "SDXL high aesthetic score",
            6.0,
            "What the refiner is told about the prompt.",
            Number(),
        ),
    ),
    *section(
        Section("sd3", "Stable Diffusion 3", DIFFUSION),
        setting("sd3_enable_t5", "Enable T5", False, "Use the large third text encoder; needs much memory."),
    ),
    *section(
        Section("vae", "VAE", DIFFUSION),
        setting(
            "sd_vae_checkpoint_cache",
            "VAE Checkpoints to cache in RAM",
            0,
            "Decoders kept in memory beside the one in use.",
            Slider(0, 10),
        ),
        setting(
            "sd_vae",
            "SD VAE",
            "Automatic",
            "Turns latents into pictures. Automatic: what lies beside the checkpoint; None: the one inside it.",
            Choice(listing="vaes"),
            infotext="VAE",
        ),
        setting(
            "sd_vae_overrides_per_model_preferences",
            "Selected VAE overrides per-model preferences",
            True,
            "The choice above, unless Automatic, beats what is set for a single checkpoint.",
        ),
        setting(
            "auto_vae_precision_bfloat16",
            "Automatically convert VAE to bfloat16",
            False,
            "When a picture comes out black (NaN), decode again in bfloat16. Goes before the next option.",
        ),
        setting(
            "auto_vae_precision",
            "Automatically revert VAE to 32-bit floats",
            True,
            "When a picture comes out black (NaN), decode again in 32 bit.",
        ),
        setting(
            "sd_vae_encode_method",
            "VAE type for encode",
            "Full",
            "TAESD is a small approximation: fast, less exact.",
            Choice(("Full", "TAESD"), radio=True),
            infotext="VAE Encoder",
        ),
        setting(
            "sd_vae_decode_method",
            "VAE type for decode",
            "Full",
            "TAESD is a small approximation: fast, less exact.",
            Choice(("Full", "TAESD"), radio=True),
            infotext="VAE Decoder",
        ),
    ),
    *section(
        Section("img2img", "img2img", DIFFUSION),
        setting(
            "inpainting_mask_weight",
            "Inpainting conditioning mask strength",
            1.0,
            "For inpainting models: 1 hides what lies under the mask, 0 shows it.",
            Slider(0, 1, 0.01),
            infotext="Conditional mask weight",
        ),
        setting(
            "initial_noise_multiplier",
            "Noise multiplier for img2img",
            1.0,
            "Less noise than 1 gives smoother pictures. Not used in hires fix.",
            Slider(0, 1.5, 0.001),
            infotext="Noise multiplier",
        ),
        setting(
            "img2img_extra_noise",
            "Extra noise multiplier for img2img and hires fix",
            0.0,
            "Noise added on top of what the strength asks for; brings out detail.",
            Slider(0, 1, 0.01),
            infotext="Extra noise",
        ),
        setting(
            "img2img_color_correction",
            "Apply color correction to img2img results to match original colors.",
            False,
            "Match the colours of the result to those of the input.",
        ),
        setting(
            "img2img_fix_steps",
            "With img2img, do exactly the amount of steps the slider specifies.",
            False,
            "Off: fewer steps at lower denoising strength.",
        ),
        setting(
            "img2img_background_color",
            "With img2img, fill transparent parts of the input image with this color.",
            "#ffffff",
            "Transparent parts of an input get this colour.",
            Colour(),
        ),
        setting(
            "img2img_editor_height",
            "Height of the image editor",
            720,
            "Pixels on the page.",
            Slider(80, 1600),
            reload=True,
        ),
        setting(
            "img2img_sketch_default_brush_color",
            "Sketch initial brush color",
            "#ffffff",
            "Where the Sketch brush starts.",
            Colour(),
            reload=True,
        ),
        setting(
            "img2img_inpaint_mask_brush_color",
            "Inpaint mask brush color",
            "#ffffff",
            "Changes only what the mask looks like.",
            Colour(),
            reload=True,
        ),
        setting(
            "img2img_inpaint_sketch_default_brush_color",
            "Inpaint sketch initial brush color",
            "#ffffff",
            "Where the Inpaint sketch brush starts.",
            Colour(),
            reload=True,
        ),
        setting(
            "return_mask",
            "For inpainting, include the greyscale mask in results for web",
            False,
            "The mask follows the result in the gallery.",
        ),
        setting(
            "return_mask_composite",
            "For inpainting, include masked composite in results for web",
            False,
            "The repainted part, cut out, follows the result in the gallery.",
        ),
        setting(
            "img2img_batch_show_results_limit",
            "Show the first N batch img2img results in UI",
            32,
            "-1 shows all, 0 none. All are saved.",
            Slider(-1, 1000),
        ),
        setting(
            "overlay_inpaint",
            "Overlay original for inpaint",
            True,
            "Outside the mask the original pixels stay as they were.",
        ),
    ),
)
