"""Preprocessors that clients may name and this studio cannot run yet: each says so, and what does instead."""

from __future__ import annotations

from modules.control.preprocessor import Preprocessor
from modules.control.preprocessors.plain import as_it_is

# Name as clients send it, label, control type, what does something like it here.
TABLE: tuple[tuple[str, str, str, str], ...] = (
    ("openpose", "", "OpenPose", ""),
    ("openpose_face", "", "OpenPose", ""),
    ("openpose_faceonly", "", "OpenPose", ""),
    ("openpose_full", "", "OpenPose", ""),
    ("openpose_hand", "", "OpenPose", ""),
    ("dw_openpose_full", "", "OpenPose", ""),
    ("animal_openpose", "", "OpenPose", ""),
    ("densepose", "densepose (pruple bg & purple torso)", "OpenPose", ""),
    ("densepose_parula", "densepose_parula (black bg & blue torso)", "OpenPose", ""),
    ("mediapipe_face", "", "OpenPose", ""),
    ("depth_leres", "", "Depth", "depth_midas"),
    ("depth_leres++", "", "Depth", "depth_midas"),
    ("depth_hand_refiner", "", "Depth", "depth_midas"),
    ("normal_bae", "", "NormalMap", ""),
    ("normal_map", "normal_midas", "NormalMap", ""),
    ("normal_dsine", "", "NormalMap", ""),
    ("hed", "softedge_hed", "SoftEdge", "softedge_sobel"),
    ("hed_safe", "softedge_hedsafe", "SoftEdge", "softedge_sobel"),
    ("pidinet", "softedge_pidinet", "SoftEdge", "softedge_sobel"),
    ("pidinet_safe", "softedge_pidisafe", "SoftEdge", "softedge_sobel"),
    ("te_hed", "softedge_teed", "SoftEdge", "softedge_sobel"),
    ("scribble_hed", "", "Scribble", "scribble_xdog"),
    ("pidinet_scribble", "scribble_pidinet", "Scribble", "scribble_xdog"),
    ("pidinet_sketch", "t2ia_sketch_pidi", "T2I-Adapter", "canny"),
    ("lineart", "lineart_realistic", "Lineart", "lineart_standard"),
    ("lineart_coarse", "", "Lineart", "lineart_standard"),
    ("lineart_anime", "", "Lineart", "lineart_standard"),
    ("lineart_anime_denoise", "", "Lineart", "lineart_standard"),
    ("mlsd", "", "MLSD", "canny"),
    ("segmentation", "seg_ufade20k", "Segmentation", ""),
    ("oneformer_ade20k", "seg_ofade20k", "Segmentation", ""),
    ("oneformer_coco", "seg_ofcoco", "Segmentation", ""),
    ("anime_face_segment", "seg_anime_face", "Segmentation", ""),
    ("inpaint_only+lama", "", "Inpaint", "inpaint_only"),
    ("revision_clipvision", "", "Revision", "reference_only"),
    ("revision_ignore_prompt", "", "Revision", "reference_only"),
    ("ip-adapter-auto", "", "IP-Adapter", "reference_only"),
    ("ip-adapter_clip_sd15", "ip-adapter_clip_h", "IP-Adapter", "reference_only"),
    ("ip-adapter_clip_sdxl", "ip-adapter_clip_g", "IP-Adapter", "reference_only"),
    ("ip-adapter_clip_sdxl_plus_vith", "", "IP-Adapter", "reference_only"),
    ("ip-adapter_face_id", "", "IP-Adapter", "reference_only"),
    ("ip-adapter_face_id_plus", "", "IP-Adapter", "reference_only"),
    ("instant_id_face_embedding", "", "Instant-ID", "reference_only"),
    ("instant_id_face_keypoints", "", "Instant-ID", ""),
    ("clip_vision", "t2ia_style_clipvision", "T2I-Adapter", ""),
)


def absent(name: str, label: str, tag: str, instead: str) -> Preprocessor:
    """The entry of a preprocessor that is not here."""
    way_out = f"Use {instead}, or make" if instead else "Make"
    sentence = (
        f"The preprocessor {label or name} runs a network that this studio does not have yet. "
        f"{way_out} the map with another program and send it with the module 'none'."
    )
    return Preprocessor(name, as_it_is, (tag,), label, missing=sentence)


ABSENT = tuple(absent(*row) for row in TABLE)
