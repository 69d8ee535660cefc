"""What our parameters are called in a Hugging Face checkpoint of DiffusionGemma.

There the network stands twice, as encoder and decoder with tied weights; here once.
"""

from __future__ import annotations

from collections.abc import Collection

_DECODER = "model.decoder."
_ENCODER = "model.encoder.language_model."
_VISION = ("model.encoder.vision_tower.", "model.encoder.embed_vision.")


def stored_names(name: str) -> tuple[str, ...]:
    """Where a parameter or buffer of ours may be stored: the name to write first, then its ties."""
    if name.endswith(".encoder_layer_scalar"):
        return (_ENCODER + name.replace("encoder_layer_scalar", "layer_scalar"),)
    if name.endswith(".layer_scalar") or name.startswith("self_conditioning."):
        return (_DECODER + name,)
    names = (_DECODER + name, _ENCODER + name)
    return (*names, "lm_head.weight") if name == "embed_tokens.weight" else names


def is_skipped(stored: str) -> bool:
    """Whether the engine has no use for a stored tensor: the vision tower's."""
    return stored.startswith(_VISION)


def skipped_summary(skipped: Collection[str]) -> str:
    """What was skipped and why, in words for people."""
    return f"vision tower: {len(skipped)} tensors, not served"
