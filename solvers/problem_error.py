"""What a malformed problem raises, in every solver."""

from __future__ import annotations


class ProblemError(ValueError):
    """A problem that is malformed.

    Attributes:
        field: the request's field at fault.
        message: what was given and what is accepted.
    """

    def __init__(self, field: str, message: str) -> None:
        super().__init__(f"{field}: {message}")
        self.field = field
        self.message = message
