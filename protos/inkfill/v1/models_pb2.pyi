from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class ListModelsRequest(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class ListModelsResponse(_message.Message):
    __slots__ = ("models",)
    MODELS_FIELD_NUMBER: _ClassVar[int]
    models: _containers.RepeatedCompositeFieldContainer[Model]
    def __init__(self, models: _Optional[_Iterable[_Union[Model, _Mapping]]] = ...) -> None: ...

class GetModelRequest(_message.Message):
    __slots__ = ("name",)
    NAME_FIELD_NUMBER: _ClassVar[int]
    name: str
    def __init__(self, name: _Optional[str] = ...) -> None: ...

class Model(_message.Message):
    __slots__ = ("name", "task", "parameters", "weights_digest", "device", "precision", "canvas_length", "limits", "vocabulary", "has_tokenizer", "has_chat_template", "max_context")
    NAME_FIELD_NUMBER: _ClassVar[int]
    TASK_FIELD_NUMBER: _ClassVar[int]
    PARAMETERS_FIELD_NUMBER: _ClassVar[int]
    WEIGHTS_DIGEST_FIELD_NUMBER: _ClassVar[int]
    DEVICE_FIELD_NUMBER: _ClassVar[int]
    PRECISION_FIELD_NUMBER: _ClassVar[int]
    CANVAS_LENGTH_FIELD_NUMBER: _ClassVar[int]
    LIMITS_FIELD_NUMBER: _ClassVar[int]
    VOCABULARY_FIELD_NUMBER: _ClassVar[int]
    HAS_TOKENIZER_FIELD_NUMBER: _ClassVar[int]
    HAS_CHAT_TEMPLATE_FIELD_NUMBER: _ClassVar[int]
    MAX_CONTEXT_FIELD_NUMBER: _ClassVar[int]
    name: str
    task: str
    parameters: int
    weights_digest: str
    device: str
    precision: str
    canvas_length: int
    limits: ModelLimits
    vocabulary: int
    has_tokenizer: bool
    has_chat_template: bool
    max_context: int
    def __init__(self, name: _Optional[str] = ..., task: _Optional[str] = ..., parameters: _Optional[int] = ..., weights_digest: _Optional[str] = ..., device: _Optional[str] = ..., precision: _Optional[str] = ..., canvas_length: _Optional[int] = ..., limits: _Optional[_Union[ModelLimits, _Mapping]] = ..., vocabulary: _Optional[int] = ..., has_tokenizer: _Optional[bool] = ..., has_chat_template: _Optional[bool] = ..., max_context: _Optional[int] = ...) -> None: ...

class ModelLimits(_message.Message):
    __slots__ = ("max_steps", "max_effort_steps", "max_candidates", "max_batch", "max_queue", "max_message_bytes", "max_prompt_characters", "max_messages")
    MAX_STEPS_FIELD_NUMBER: _ClassVar[int]
    MAX_EFFORT_STEPS_FIELD_NUMBER: _ClassVar[int]
    MAX_CANDIDATES_FIELD_NUMBER: _ClassVar[int]
    MAX_BATCH_FIELD_NUMBER: _ClassVar[int]
    MAX_QUEUE_FIELD_NUMBER: _ClassVar[int]
    MAX_MESSAGE_BYTES_FIELD_NUMBER: _ClassVar[int]
    MAX_PROMPT_CHARACTERS_FIELD_NUMBER: _ClassVar[int]
    MAX_MESSAGES_FIELD_NUMBER: _ClassVar[int]
    max_steps: int
    max_effort_steps: int
    max_candidates: int
    max_batch: int
    max_queue: int
    max_message_bytes: int
    max_prompt_characters: int
    max_messages: int
    def __init__(self, max_steps: _Optional[int] = ..., max_effort_steps: _Optional[int] = ..., max_candidates: _Optional[int] = ..., max_batch: _Optional[int] = ..., max_queue: _Optional[int] = ..., max_message_bytes: _Optional[int] = ..., max_prompt_characters: _Optional[int] = ..., max_messages: _Optional[int] = ...) -> None: ...
