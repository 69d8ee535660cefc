"""A checkpoint's ``generation_config.json``: how it is sampled where a request does not say."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from engine.canvas import SamplingParams
from engine.config import ModelConfig

_SAMPLER = "EntropyBoundSamplerConfig"
_COUNTS = ("max_new_tokens", "max_denoising_steps", "stability_threshold")


@dataclass(frozen=True, kw_only=True)
class GenerationParams:
    """How to generate; a checkpoint's defaults are its ``generation_config.json``.

    Attributes:
        sampling: of every canvas.
        max_new_tokens: of a text.
        eos_token_ids: each ends its text.
        pad_token_id: what transformers writes after an end token, where Inkfill writes nothing.
    """

    sampling: SamplingParams = field(default_factory=SamplingParams)
    max_new_tokens: int = 256
    eos_token_ids: tuple[int, ...] = ()
    pad_token_id: int | None = None

    @classmethod
    def from_json(cls, data: dict[str, Any], config: ModelConfig) -> GenerationParams:
        """Read a ``generation_config.json``; what is absent or null falls to the defaults.

        Raises:
            ValueError: a value out of range or of another type, or a sampler other than the
                entropy-bound one.
        """
        for name in _COUNTS:
            _check_count(name, data.get(name))
        sampler = data.get("sampler_config") or {}
        if sampler.get("_cls_name", _SAMPLER) != _SAMPLER:
            raise ValueError(
                f"sampler_config._cls_name: got {sampler['_cls_name']!r}, accepted: {_SAMPLER!r}"
            )
        given = {
            "max_steps": data.get("max_denoising_steps"),
            "t_min": data.get("t_min"),
            "t_max": data.get("t_max"),
            "entropy_bound": sampler.get("entropy_bound"),
            "stability": data.get("stability_threshold"),
            "confidence": data.get("confidence_threshold"),
        }
        eos, pad = data.get("eos_token_id"), data.get("pad_token_id")
        return cls(
            sampling=SamplingParams(**{k: v for k, v in given.items() if v is not None}),
            max_new_tokens=data.get("max_new_tokens") or cls.max_new_tokens,
            eos_token_ids=_as_tuple(config.eos_token_id if eos is None else eos),
            pad_token_id=config.pad_token_id if pad is None else pad,
        )

    def to_json(self) -> dict[str, Any]:
        """The same as transformers reads it.

        It refuses a confidence of 0 and a ``t_max`` equal to ``t_min``, which Inkfill accepts.
        """
        return {
            "max_new_tokens": self.max_new_tokens,
            "max_denoising_steps": self.sampling.max_steps,
            "t_min": self.sampling.t_min,
            "t_max": self.sampling.t_max,
            "sampler_config": {
                "_cls_name": _SAMPLER,
                "entropy_bound": self.sampling.entropy_bound,
            },
            "stability_threshold": self.sampling.stability,
            "confidence_threshold": self.sampling.confidence,
            "eos_token_id": list(self.eos_token_ids),
            "pad_token_id": self.pad_token_id,
        }


def _check_count(name: str, value: Any) -> None:
    if value is not None and (not isinstance(value, int) or value < 0):
        raise ValueError(f"{name}: got {value!r}, accepted: an integer of at least 0")


def _as_tuple(value: Any) -> tuple[int, ...]:
    """The end tokens. Raises: ValueError, one is no token."""
    tokens = tuple(value) if isinstance(value, list | tuple) else (value,)
    for token in tokens:
        if not isinstance(token, int) or not 0 <= token < 2**31:
            raise ValueError(f"eos_token_id: got {token!r}, accepted: tokens, 0 to 2^31 - 1")
    return tokens
