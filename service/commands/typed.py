"""What was typed for a field of a request, so that an error names that."""

from __future__ import annotations

from service.client_errors import InkfillError, InvalidRequestError

#: Options, or arguments, by the path of the field that carries them.
TYPED = {
    "colors": "--colors",
    "effort.candidates": "--candidates",
    "effort.exact_fallback": "--exact",
    "effort.guidance": "--guidance",
    "effort.max_steps": "--max-steps",
    "effort.seed": "--seed",
    "max_tokens": "--max-tokens",
    "messages": "prompt",
    "model": "--model",
    "sampling.confidence": "--confidence",
    "sampling.entropy_bound": "--entropy-bound",
    "sampling.max_steps": "--steps",
    "sampling.seed": "--seed",
    "sampling.stability": "--stability",
    "sampling.t_max": "--t-max",
    "sampling.t_min": "--t-min",
    "target_size": "--size",
    "think": "--think",
}


def as_typed(error: InkfillError) -> str:
    """What an error says, of what was typed if it begins with the field that carried that."""
    said = str(error)
    if isinstance(error, InvalidRequestError):
        for violation in error.violations:
            typed = TYPED.get(violation.field)
            if typed and said.startswith(f"{violation.field}: "):
                return typed + said.removeprefix(violation.field)
    return said
