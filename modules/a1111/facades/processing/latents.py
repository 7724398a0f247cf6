"""Noise, latents and what goes with them."""

from __future__ import annotations

from modules import shared

opt_C = 4
opt_f = 8


def create_random_tensors(
    shape, seeds, subseeds=None, subseed_strength=0.0, seed_resize_from_h=0, seed_resize_from_w=0, p=None
):
    """The noise that these seeds begin with: (len(seeds), *shape)."""
    from modules.diffusion.noise import ImageNoise, Variation

    variation = Variation(tuple(subseeds or ()), subseed_strength) if subseed_strength else None
    resize = (seed_resize_from_h // opt_f, seed_resize_from_w // opt_f)
    return ImageNoise(
        tuple(shape),
        [int(seed) for seed in seeds],
        source=shared.opts.randn_source,
        device=shared.device,
        variation=variation,
        resize_from=resize if min(seed_resize_from_h, seed_resize_from_w) > 0 else None,
    ).first()


def slerp(val, low, high):
    from modules.diffusion.noise import slerp as turned

    return turned(val, low, high)


def txt2img_image_conditioning(sd_model, x, width, height):
    """(B, 5, 1, 1) of nothing: what inpainting models are told beside the text is put together by the studio."""
    return x.new_zeros((x.shape[0], 5, 1, 1))


def decode_latent_batch(model, batch, target_device=None, check_for_nans=False):
    """Decoded pictures, one (3, H, W) in [-1, 1] for each latent."""
    return [model.decode_first_stage(latent[None])[0] for latent in batch]


def images_tensor_to_samples(image, approximation=None, model=None):
    from modules.sd_samplers_common import images_tensor_to_samples as encoded

    return encoded(image, approximation, model)


def decode_first_stage(model, x):
    return model.decode_first_stage(x)
