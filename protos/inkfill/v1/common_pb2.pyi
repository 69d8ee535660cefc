from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class Guidance(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    GUIDANCE_UNSPECIFIED: _ClassVar[Guidance]
    AUTO: _ClassVar[Guidance]
    NONE: _ClassVar[Guidance]
    PROPAGATE: _ClassVar[Guidance]

class Outcome(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    OUTCOME_UNSPECIFIED: _ClassVar[Outcome]
    SOLVED: _ClassVar[Outcome]
    UNSATISFIABLE: _ClassVar[Outcome]
    UNDECIDED: _ClassVar[Outcome]

class Method(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    METHOD_UNSPECIFIED: _ClassVar[Method]
    DIFFUSION: _ClassVar[Method]
    GUIDED_DIFFUSION: _ClassVar[Method]
    EXACT: _ClassVar[Method]
    LOCAL_SEARCH: _ClassVar[Method]
GUIDANCE_UNSPECIFIED: Guidance
AUTO: Guidance
NONE: Guidance
PROPAGATE: Guidance
OUTCOME_UNSPECIFIED: Outcome
SOLVED: Outcome
UNSATISFIABLE: Outcome
UNDECIDED: Outcome
METHOD_UNSPECIFIED: Method
DIFFUSION: Method
GUIDED_DIFFUSION: Method
EXACT: Method
LOCAL_SEARCH: Method

class Effort(_message.Message):
    __slots__ = ("max_steps", "candidates", "seed", "guidance", "exact_fallback")
    MAX_STEPS_FIELD_NUMBER: _ClassVar[int]
    CANDIDATES_FIELD_NUMBER: _ClassVar[int]
    SEED_FIELD_NUMBER: _ClassVar[int]
    GUIDANCE_FIELD_NUMBER: _ClassVar[int]
    EXACT_FALLBACK_FIELD_NUMBER: _ClassVar[int]
    max_steps: int
    candidates: int
    seed: int
    guidance: Guidance
    exact_fallback: bool
    def __init__(self, max_steps: _Optional[int] = ..., candidates: _Optional[int] = ..., seed: _Optional[int] = ..., guidance: _Optional[_Union[Guidance, str]] = ..., exact_fallback: _Optional[bool] = ...) -> None: ...

class Report(_message.Message):
    __slots__ = ("model", "weights_digest", "method", "seed", "steps", "candidates", "queue_ms", "compute_ms")
    MODEL_FIELD_NUMBER: _ClassVar[int]
    WEIGHTS_DIGEST_FIELD_NUMBER: _ClassVar[int]
    METHOD_FIELD_NUMBER: _ClassVar[int]
    SEED_FIELD_NUMBER: _ClassVar[int]
    STEPS_FIELD_NUMBER: _ClassVar[int]
    CANDIDATES_FIELD_NUMBER: _ClassVar[int]
    QUEUE_MS_FIELD_NUMBER: _ClassVar[int]
    COMPUTE_MS_FIELD_NUMBER: _ClassVar[int]
    model: str
    weights_digest: str
    method: Method
    seed: int
    steps: int
    candidates: int
    queue_ms: float
    compute_ms: float
    def __init__(self, model: _Optional[str] = ..., weights_digest: _Optional[str] = ..., method: _Optional[_Union[Method, str]] = ..., seed: _Optional[int] = ..., steps: _Optional[int] = ..., candidates: _Optional[int] = ..., queue_ms: _Optional[float] = ..., compute_ms: _Optional[float] = ...) -> None: ...
