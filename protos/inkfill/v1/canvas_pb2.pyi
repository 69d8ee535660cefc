from inkfill.v1 import common_pb2 as _common_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class FinishReason(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    FINISH_REASON_UNSPECIFIED: _ClassVar[FinishReason]
    STABLE: _ClassVar[FinishReason]
    SATISFIED: _ClassVar[FinishReason]
    MAX_STEPS: _ClassVar[FinishReason]
    CONTRADICTION: _ClassVar[FinishReason]

class TextFinish(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    TEXT_FINISH_UNSPECIFIED: _ClassVar[TextFinish]
    END_OF_TEXT: _ClassVar[TextFinish]
    MAX_TOKENS: _ClassVar[TextFinish]
FINISH_REASON_UNSPECIFIED: FinishReason
STABLE: FinishReason
SATISFIED: FinishReason
MAX_STEPS: FinishReason
CONTRADICTION: FinishReason
TEXT_FINISH_UNSPECIFIED: TextFinish
END_OF_TEXT: TextFinish
MAX_TOKENS: TextFinish

class ChatMessage(_message.Message):
    __slots__ = ("role", "content")
    ROLE_FIELD_NUMBER: _ClassVar[int]
    CONTENT_FIELD_NUMBER: _ClassVar[int]
    role: str
    content: str
    def __init__(self, role: _Optional[str] = ..., content: _Optional[str] = ...) -> None: ...

class Clamp(_message.Message):
    __slots__ = ("position", "token")
    POSITION_FIELD_NUMBER: _ClassVar[int]
    TOKEN_FIELD_NUMBER: _ClassVar[int]
    position: int
    token: int
    def __init__(self, position: _Optional[int] = ..., token: _Optional[int] = ...) -> None: ...

class Domain(_message.Message):
    __slots__ = ("positions", "tokens")
    POSITIONS_FIELD_NUMBER: _ClassVar[int]
    TOKENS_FIELD_NUMBER: _ClassVar[int]
    positions: _containers.RepeatedScalarFieldContainer[int]
    tokens: _containers.RepeatedScalarFieldContainer[int]
    def __init__(self, positions: _Optional[_Iterable[int]] = ..., tokens: _Optional[_Iterable[int]] = ...) -> None: ...

class Sampling(_message.Message):
    __slots__ = ("max_steps", "t_min", "t_max", "entropy_bound", "stability", "confidence", "seed")
    MAX_STEPS_FIELD_NUMBER: _ClassVar[int]
    T_MIN_FIELD_NUMBER: _ClassVar[int]
    T_MAX_FIELD_NUMBER: _ClassVar[int]
    ENTROPY_BOUND_FIELD_NUMBER: _ClassVar[int]
    STABILITY_FIELD_NUMBER: _ClassVar[int]
    CONFIDENCE_FIELD_NUMBER: _ClassVar[int]
    SEED_FIELD_NUMBER: _ClassVar[int]
    max_steps: int
    t_min: float
    t_max: float
    entropy_bound: float
    stability: int
    confidence: float
    seed: int
    def __init__(self, max_steps: _Optional[int] = ..., t_min: _Optional[float] = ..., t_max: _Optional[float] = ..., entropy_bound: _Optional[float] = ..., stability: _Optional[int] = ..., confidence: _Optional[float] = ..., seed: _Optional[int] = ...) -> None: ...

class DenoiseRequest(_message.Message):
    __slots__ = ("model", "prompt_tokens", "length", "clamps", "domains", "sampling", "prompt", "messages", "think")
    MODEL_FIELD_NUMBER: _ClassVar[int]
    PROMPT_TOKENS_FIELD_NUMBER: _ClassVar[int]
    LENGTH_FIELD_NUMBER: _ClassVar[int]
    CLAMPS_FIELD_NUMBER: _ClassVar[int]
    DOMAINS_FIELD_NUMBER: _ClassVar[int]
    SAMPLING_FIELD_NUMBER: _ClassVar[int]
    PROMPT_FIELD_NUMBER: _ClassVar[int]
    MESSAGES_FIELD_NUMBER: _ClassVar[int]
    THINK_FIELD_NUMBER: _ClassVar[int]
    model: str
    prompt_tokens: _containers.RepeatedScalarFieldContainer[int]
    length: int
    clamps: _containers.RepeatedCompositeFieldContainer[Clamp]
    domains: _containers.RepeatedCompositeFieldContainer[Domain]
    sampling: Sampling
    prompt: str
    messages: _containers.RepeatedCompositeFieldContainer[ChatMessage]
    think: bool
    def __init__(self, model: _Optional[str] = ..., prompt_tokens: _Optional[_Iterable[int]] = ..., length: _Optional[int] = ..., clamps: _Optional[_Iterable[_Union[Clamp, _Mapping]]] = ..., domains: _Optional[_Iterable[_Union[Domain, _Mapping]]] = ..., sampling: _Optional[_Union[Sampling, _Mapping]] = ..., prompt: _Optional[str] = ..., messages: _Optional[_Iterable[_Union[ChatMessage, _Mapping]]] = ..., think: _Optional[bool] = ...) -> None: ...

class DenoiseResponse(_message.Message):
    __slots__ = ("tokens", "entropy", "candidate_mass", "finish_reason", "report", "text", "thought", "answer")
    TOKENS_FIELD_NUMBER: _ClassVar[int]
    ENTROPY_FIELD_NUMBER: _ClassVar[int]
    CANDIDATE_MASS_FIELD_NUMBER: _ClassVar[int]
    FINISH_REASON_FIELD_NUMBER: _ClassVar[int]
    REPORT_FIELD_NUMBER: _ClassVar[int]
    TEXT_FIELD_NUMBER: _ClassVar[int]
    THOUGHT_FIELD_NUMBER: _ClassVar[int]
    ANSWER_FIELD_NUMBER: _ClassVar[int]
    tokens: _containers.RepeatedScalarFieldContainer[int]
    entropy: _containers.RepeatedScalarFieldContainer[float]
    candidate_mass: _containers.RepeatedScalarFieldContainer[float]
    finish_reason: FinishReason
    report: _common_pb2.Report
    text: str
    thought: str
    answer: str
    def __init__(self, tokens: _Optional[_Iterable[int]] = ..., entropy: _Optional[_Iterable[float]] = ..., candidate_mass: _Optional[_Iterable[float]] = ..., finish_reason: _Optional[_Union[FinishReason, str]] = ..., report: _Optional[_Union[_common_pb2.Report, _Mapping]] = ..., text: _Optional[str] = ..., thought: _Optional[str] = ..., answer: _Optional[str] = ...) -> None: ...

class DenoiseDraft(_message.Message):
    __slots__ = ("step", "tokens", "accepted", "entropy")
    STEP_FIELD_NUMBER: _ClassVar[int]
    TOKENS_FIELD_NUMBER: _ClassVar[int]
    ACCEPTED_FIELD_NUMBER: _ClassVar[int]
    ENTROPY_FIELD_NUMBER: _ClassVar[int]
    step: int
    tokens: _containers.RepeatedScalarFieldContainer[int]
    accepted: _containers.RepeatedScalarFieldContainer[bool]
    entropy: _containers.RepeatedScalarFieldContainer[float]
    def __init__(self, step: _Optional[int] = ..., tokens: _Optional[_Iterable[int]] = ..., accepted: _Optional[_Iterable[bool]] = ..., entropy: _Optional[_Iterable[float]] = ...) -> None: ...

class DenoiseEvent(_message.Message):
    __slots__ = ("draft", "response")
    DRAFT_FIELD_NUMBER: _ClassVar[int]
    RESPONSE_FIELD_NUMBER: _ClassVar[int]
    draft: DenoiseDraft
    response: DenoiseResponse
    def __init__(self, draft: _Optional[_Union[DenoiseDraft, _Mapping]] = ..., response: _Optional[_Union[DenoiseResponse, _Mapping]] = ...) -> None: ...

class GenerateRequest(_message.Message):
    __slots__ = ("model", "prompt", "prompt_tokens", "messages", "think", "max_tokens", "sampling")
    MODEL_FIELD_NUMBER: _ClassVar[int]
    PROMPT_FIELD_NUMBER: _ClassVar[int]
    PROMPT_TOKENS_FIELD_NUMBER: _ClassVar[int]
    MESSAGES_FIELD_NUMBER: _ClassVar[int]
    THINK_FIELD_NUMBER: _ClassVar[int]
    MAX_TOKENS_FIELD_NUMBER: _ClassVar[int]
    SAMPLING_FIELD_NUMBER: _ClassVar[int]
    model: str
    prompt: str
    prompt_tokens: _containers.RepeatedScalarFieldContainer[int]
    messages: _containers.RepeatedCompositeFieldContainer[ChatMessage]
    think: bool
    max_tokens: int
    sampling: Sampling
    def __init__(self, model: _Optional[str] = ..., prompt: _Optional[str] = ..., prompt_tokens: _Optional[_Iterable[int]] = ..., messages: _Optional[_Iterable[_Union[ChatMessage, _Mapping]]] = ..., think: _Optional[bool] = ..., max_tokens: _Optional[int] = ..., sampling: _Optional[_Union[Sampling, _Mapping]] = ...) -> None: ...

class GenerateResponse(_message.Message):
    __slots__ = ("text", "thought", "tokens", "entropy", "candidate_mass", "finish_reason", "canvases", "prompt_token_count", "report")
    TEXT_FIELD_NUMBER: _ClassVar[int]
    THOUGHT_FIELD_NUMBER: _ClassVar[int]
    TOKENS_FIELD_NUMBER: _ClassVar[int]
    ENTROPY_FIELD_NUMBER: _ClassVar[int]
    CANDIDATE_MASS_FIELD_NUMBER: _ClassVar[int]
    FINISH_REASON_FIELD_NUMBER: _ClassVar[int]
    CANVASES_FIELD_NUMBER: _ClassVar[int]
    PROMPT_TOKEN_COUNT_FIELD_NUMBER: _ClassVar[int]
    REPORT_FIELD_NUMBER: _ClassVar[int]
    text: str
    thought: str
    tokens: _containers.RepeatedScalarFieldContainer[int]
    entropy: _containers.RepeatedScalarFieldContainer[float]
    candidate_mass: _containers.RepeatedScalarFieldContainer[float]
    finish_reason: TextFinish
    canvases: int
    prompt_token_count: int
    report: _common_pb2.Report
    def __init__(self, text: _Optional[str] = ..., thought: _Optional[str] = ..., tokens: _Optional[_Iterable[int]] = ..., entropy: _Optional[_Iterable[float]] = ..., candidate_mass: _Optional[_Iterable[float]] = ..., finish_reason: _Optional[_Union[TextFinish, str]] = ..., canvases: _Optional[int] = ..., prompt_token_count: _Optional[int] = ..., report: _Optional[_Union[_common_pb2.Report, _Mapping]] = ...) -> None: ...

class GenerateDraft(_message.Message):
    __slots__ = ("block", "step", "text", "tokens", "accepted", "entropy", "pieces")
    BLOCK_FIELD_NUMBER: _ClassVar[int]
    STEP_FIELD_NUMBER: _ClassVar[int]
    TEXT_FIELD_NUMBER: _ClassVar[int]
    TOKENS_FIELD_NUMBER: _ClassVar[int]
    ACCEPTED_FIELD_NUMBER: _ClassVar[int]
    ENTROPY_FIELD_NUMBER: _ClassVar[int]
    PIECES_FIELD_NUMBER: _ClassVar[int]
    block: int
    step: int
    text: str
    tokens: _containers.RepeatedScalarFieldContainer[int]
    accepted: _containers.RepeatedScalarFieldContainer[bool]
    entropy: _containers.RepeatedScalarFieldContainer[float]
    pieces: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, block: _Optional[int] = ..., step: _Optional[int] = ..., text: _Optional[str] = ..., tokens: _Optional[_Iterable[int]] = ..., accepted: _Optional[_Iterable[bool]] = ..., entropy: _Optional[_Iterable[float]] = ..., pieces: _Optional[_Iterable[str]] = ...) -> None: ...

class GenerateCommit(_message.Message):
    __slots__ = ("block", "text", "thought", "tokens", "finish_reason", "steps")
    BLOCK_FIELD_NUMBER: _ClassVar[int]
    TEXT_FIELD_NUMBER: _ClassVar[int]
    THOUGHT_FIELD_NUMBER: _ClassVar[int]
    TOKENS_FIELD_NUMBER: _ClassVar[int]
    FINISH_REASON_FIELD_NUMBER: _ClassVar[int]
    STEPS_FIELD_NUMBER: _ClassVar[int]
    block: int
    text: str
    thought: str
    tokens: _containers.RepeatedScalarFieldContainer[int]
    finish_reason: FinishReason
    steps: int
    def __init__(self, block: _Optional[int] = ..., text: _Optional[str] = ..., thought: _Optional[str] = ..., tokens: _Optional[_Iterable[int]] = ..., finish_reason: _Optional[_Union[FinishReason, str]] = ..., steps: _Optional[int] = ...) -> None: ...

class GenerateEvent(_message.Message):
    __slots__ = ("draft", "commit", "response")
    DRAFT_FIELD_NUMBER: _ClassVar[int]
    COMMIT_FIELD_NUMBER: _ClassVar[int]
    RESPONSE_FIELD_NUMBER: _ClassVar[int]
    draft: GenerateDraft
    commit: GenerateCommit
    response: GenerateResponse
    def __init__(self, draft: _Optional[_Union[GenerateDraft, _Mapping]] = ..., commit: _Optional[_Union[GenerateCommit, _Mapping]] = ..., response: _Optional[_Union[GenerateResponse, _Mapping]] = ...) -> None: ...
