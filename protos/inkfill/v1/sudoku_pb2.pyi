from google.rpc import status_pb2 as _status_pb2
from inkfill.v1 import common_pb2 as _common_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class SolveRequest(_message.Message):
    __slots__ = ("cells", "box_rows", "box_cols", "effort", "prove_unique")
    CELLS_FIELD_NUMBER: _ClassVar[int]
    BOX_ROWS_FIELD_NUMBER: _ClassVar[int]
    BOX_COLS_FIELD_NUMBER: _ClassVar[int]
    EFFORT_FIELD_NUMBER: _ClassVar[int]
    PROVE_UNIQUE_FIELD_NUMBER: _ClassVar[int]
    cells: _containers.RepeatedScalarFieldContainer[int]
    box_rows: int
    box_cols: int
    effort: _common_pb2.Effort
    prove_unique: bool
    def __init__(self, cells: _Optional[_Iterable[int]] = ..., box_rows: _Optional[int] = ..., box_cols: _Optional[int] = ..., effort: _Optional[_Union[_common_pb2.Effort, _Mapping]] = ..., prove_unique: _Optional[bool] = ...) -> None: ...

class SolveResponse(_message.Message):
    __slots__ = ("outcome", "cells", "conflicts", "unique", "report")
    OUTCOME_FIELD_NUMBER: _ClassVar[int]
    CELLS_FIELD_NUMBER: _ClassVar[int]
    CONFLICTS_FIELD_NUMBER: _ClassVar[int]
    UNIQUE_FIELD_NUMBER: _ClassVar[int]
    REPORT_FIELD_NUMBER: _ClassVar[int]
    outcome: _common_pb2.Outcome
    cells: _containers.RepeatedScalarFieldContainer[int]
    conflicts: _containers.RepeatedScalarFieldContainer[int]
    unique: bool
    report: _common_pb2.Report
    def __init__(self, outcome: _Optional[_Union[_common_pb2.Outcome, str]] = ..., cells: _Optional[_Iterable[int]] = ..., conflicts: _Optional[_Iterable[int]] = ..., unique: _Optional[bool] = ..., report: _Optional[_Union[_common_pb2.Report, _Mapping]] = ...) -> None: ...

class SolveDraft(_message.Message):
    __slots__ = ("step", "cells", "accepted", "entropy", "candidate", "method")
    STEP_FIELD_NUMBER: _ClassVar[int]
    CELLS_FIELD_NUMBER: _ClassVar[int]
    ACCEPTED_FIELD_NUMBER: _ClassVar[int]
    ENTROPY_FIELD_NUMBER: _ClassVar[int]
    CANDIDATE_FIELD_NUMBER: _ClassVar[int]
    METHOD_FIELD_NUMBER: _ClassVar[int]
    step: int
    cells: _containers.RepeatedScalarFieldContainer[int]
    accepted: _containers.RepeatedScalarFieldContainer[bool]
    entropy: _containers.RepeatedScalarFieldContainer[float]
    candidate: int
    method: _common_pb2.Method
    def __init__(self, step: _Optional[int] = ..., cells: _Optional[_Iterable[int]] = ..., accepted: _Optional[_Iterable[bool]] = ..., entropy: _Optional[_Iterable[float]] = ..., candidate: _Optional[int] = ..., method: _Optional[_Union[_common_pb2.Method, str]] = ...) -> None: ...

class SolveEvent(_message.Message):
    __slots__ = ("draft", "response")
    DRAFT_FIELD_NUMBER: _ClassVar[int]
    RESPONSE_FIELD_NUMBER: _ClassVar[int]
    draft: SolveDraft
    response: SolveResponse
    def __init__(self, draft: _Optional[_Union[SolveDraft, _Mapping]] = ..., response: _Optional[_Union[SolveResponse, _Mapping]] = ...) -> None: ...

class SolveManyRequest(_message.Message):
    __slots__ = ("id", "request")
    ID_FIELD_NUMBER: _ClassVar[int]
    REQUEST_FIELD_NUMBER: _ClassVar[int]
    id: str
    request: SolveRequest
    def __init__(self, id: _Optional[str] = ..., request: _Optional[_Union[SolveRequest, _Mapping]] = ...) -> None: ...

class SolveManyResponse(_message.Message):
    __slots__ = ("id", "response", "error")
    ID_FIELD_NUMBER: _ClassVar[int]
    RESPONSE_FIELD_NUMBER: _ClassVar[int]
    ERROR_FIELD_NUMBER: _ClassVar[int]
    id: str
    response: SolveResponse
    error: _status_pb2.Status
    def __init__(self, id: _Optional[str] = ..., response: _Optional[_Union[SolveResponse, _Mapping]] = ..., error: _Optional[_Union[_status_pb2.Status, _Mapping]] = ...) -> None: ...
