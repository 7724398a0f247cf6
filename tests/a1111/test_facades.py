"""The names that extensions use are there, give what A1111's give, and what is not offered says so."""

from __future__ import annotations

import importlib
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
# Module -> names that the extensions of the index use. Source: spec/extension_ecosystem.md, section 3(a).
NAMES = {
    "shared": "opts cmd_opts OptionInfo state sd_model device sd_upscalers total_tqdm options_section listfiles "
    "prompt_styles options_templates face_restorers hide_dirs walk_files interrogator models_path mem_mon "
    "list_checkpoint_tiles script_path data_path",
    "scripts": "Script AlwaysVisible basedir scripts_data scripts_txt2img scripts_img2img ScriptRunner "
    "PostprocessImageArgs list_scripts PostprocessBatchListArgs scripts_current OnComponent",
    "processing": "process_images Processed StableDiffusionProcessingImg2Img StableDiffusionProcessing fix_seed "
    "StableDiffusionProcessingTxt2Img create_infotext get_fixed_seed create_random_tensors setup_color_correction "
    "opt_f process_images_inner create_binary_mask decode_latent_batch images images_tensor_to_samples opt_C "
    "sd_models apply_color_correction apply_overlay slerp",
    "images": "save_image resize_image get_next_sequence_number read_info_from_image flatten image_grid "
    "FilenameGenerator sanitize_filename_part GridAnnotation draw_grid_annotations get_font LANCZOS",
    "devices": "device torch_gc cpu autocast dtype_vae dtype dtype_unet get_device_for cond_cast_unet "
    "get_optimal_device fp8 test_for_nans device_interrogate get_optimal_device_name NansException has_mps "
    "without_autocast",
    "sd_models": "reload_model_weights get_closet_checkpoint_match checkpoint_tiles checkpoints_list list_models "
    "model_data load_model model_path read_state_dict CheckpointInfo unload_model_weights select_checkpoint "
    "read_metadata_from_safetensors model_hash checkpoint_aliases checkpoints_loaded SkipWritingToConfig",
    "sd_samplers": "samplers_for_img2img samplers create_sampler all_samplers all_samplers_map set_samplers "
    "samplers_map sample_to_image visible_sampler_names",
    "sd_samplers_common": "InterruptedException SamplerData approximation_indexes images_tensor_to_samples "
    "apply_refiner setup_img2img_steps store_latent Sampler decode_first_stage single_sample_to_image",
    "sd_samplers_kdiffusion": "KDiffusionSampler CFGDenoiser CFGDenoiserKDiffusion samplers_data_k_diffusion",
    "sd_samplers_cfg_denoiser": "CFGDenoiser catenate_conds pad_cond subscript_cond",
    "sd_samplers_compvis": "VanillaStableDiffusionSampler samplers_data_compvis",
    "sd_schedulers": "schedulers schedulers_map",
    "sd_hijack": "model_hijack apply_optimizations undo_optimizations StableDiffusionModelHijack",
    "sd_vae": "vae_dict refresh_vae_list reload_vae_weights load_vae_dict loaded_vae_file clear_loaded_vae vae_path",
    "prompt_parser": "get_learned_conditioning_prompt_schedules parse_prompt_attention get_multicond_prompt_list "
    "ScheduledPromptConditioning reconstruct_cond_batch get_learned_conditioning SdConditioning "
    "MulticondLearnedConditioning reconstruct_multicond_batch DictWithShape stack_conds",
    "extra_networks": "parse_prompts parse_prompt register_extra_network extra_network_registry ExtraNetworkParams "
    "ExtraNetwork activate re_extra_net",
    "masking": "get_crop_region expand_crop_region fill get_crop_region_v2",
    "cache": "cached_data_for_file cache dump_cache",
    "hashes": "sha256 sha256_from_cache calculate_sha256",
    "patches": "patch undo original",
    "safe": "unsafe_torch_load load Extra",
    "rng": "ImageRNG randn_like",
    "upscaler": "Upscaler UpscalerData",
    "modelloader": "load_file_from_url load_upscalers cleanup_models",
    "face_restoration": "FaceRestoration restore_faces",
    "lowvram": "send_everything_to_cpu setup_for_low_vram module_in_gpu",
    "timer": "Timer",
    "api.api": "decode_base64_to_image encode_pil_to_base64 validate_sampler_name Api",
    "api.models": "StableDiffusionTxt2ImgProcessingAPI StableDiffusionImg2ImgProcessingAPI TextToImageResponse",
    "textual_inversion.textual_inversion": "EmbeddingDatabase create_embedding_from_data Embedding",
    "shared_items": "sd_vae_items list_checkpoint_tiles",
    "txt2img": "txt2img txt2img_create_processing",
    "img2img": "process_batch",
}


@pytest.fixture(scope="module")
def studio(hosted_once: Callable):
    return hosted_once()


@pytest.mark.parametrize("module", NAMES)
def test_names_are_there(studio, module: str) -> None:
    found = importlib.import_module(f"modules.{module}")
    assert [name for name in NAMES[module].split() if not hasattr(found, name)] == []


def test_what_is_not_offered_says_so(studio) -> None:
    from modules import images, shared

    for sentence in (
        pytest.raises(AttributeError, getattr, images, "no_such_name").value,
        pytest.raises(AttributeError, getattr, shared.sd_model, "no_such_name").value,
        pytest.raises(ImportError, exec, "from modules.images import no_such_name").value,
        pytest.raises(ModuleNotFoundError, exec, "from ldm.models.autoencoder import AutoencoderKL").value,
        pytest.raises(ImportError, exec, "from ldm.modules.attention import LinearAttention").value,
        pytest.raises(ModuleNotFoundError, exec, "import backend.memory_management").value,
    ):
        assert "docs/extensions.md" in str(sentence)
    assert not hasattr(images, "no_such_name")
    assert importlib.util.find_spec("backend") is None


def test_prompts_are_read_as_the_parser_reads_them(studio) -> None:
    from modules import prompt_parser

    assert prompt_parser.get_learned_conditioning_prompt_schedules(["a [b:c:0.5]"], 10) == [[[5, "a b"], [10, "a c"]]]
    assert prompt_parser.parse_prompt_attention("(a:1.5) b") == [["a", 1.5], [" b", 1.0]]
    indexes, flat, _ = prompt_parser.get_multicond_prompt_list(["a AND b :2"])
    assert [text.strip() for text in flat] == ["a", "b"]
    assert [weight for _, weight in indexes[0]] == [1.0, 2.0]


def test_pictures_are_saved_and_read_with_their_text(studio, tmp_path: Path) -> None:
    from PIL import Image

    from modules import images

    file, text = images.save_image(Image.new("RGB", (8, 8)), str(tmp_path), "", 5, "a cat", info="a cat\nSteps: 2")
    assert Path(file).name.startswith("00000-5")
    assert text is None
    assert images.read_info_from_image(Image.open(file))[0] == "a cat\nSteps: 2"
    again, _ = images.save_image(
        Image.new("RGB", (8, 8)), str(tmp_path), "x", forced_filename="chosen", extension="jpg"
    )
    assert Path(again).name == "chosen.jpg"


def test_grids_split_and_join_to_the_same(studio) -> None:
    import numpy as np
    from PIL import Image

    from modules import images

    picture = Image.fromarray(np.arange(96 * 80 * 3, dtype=np.uint8).reshape(80, 96, 3))
    grid = images.split_grid(picture, 48, 48, 16)
    np.testing.assert_array_equal(np.asarray(images.combine_grid(grid)), np.asarray(picture))


def test_the_lists_come_without_torch() -> None:
    code = (
        "import sys; from modules.studio.flags import parse_flags; from modules.studio.studio import Studio;"
        "from modules.a1111.host import install; import tempfile;"
        "install(Studio(parse_flags(['--data-dir', tempfile.mkdtemp()])));"
        "from modules import sd_samplers, sd_models, images, processing, prompt_parser, shared_items;"
        "assert sd_samplers.all_samplers_map['Euler'].name == 'Euler'; print('torch' in sys.modules)"
    )
    said = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert said.stdout.strip() == "False"
