from inkfill.v1 import common_pb2 as _common_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class Edge(_message.Message):
    __slots__ = ("a", "b")
    A_FIELD_NUMBER: _ClassVar[int]
    B_FIELD_NUMBER: _ClassVar[int]
    a: int
    b: int
    def __init__(self, a: _Optional[int] = ..., b: _Optional[int] = ...) -> None: ...

class SimpleGraph(_message.Message):
    __slots__ = ("vertices", "edges")
    VERTICES_FIELD_NUMBER: _ClassVar[int]
    EDGES_FIELD_NUMBER: _ClassVar[int]
    vertices: int
    edges: _containers.RepeatedCompositeFieldContainer[Edge]
    def __init__(self, vertices: _Optional[int] = ..., edges: _Optional[_Iterable[_Union[Edge, _Mapping]]] = ...) -> None: ...

class GraphDraft(_message.Message):
    __slots__ = ("step", "values", "accepted", "entropy", "candidate", "method", "goal")
    STEP_FIELD_NUMBER: _ClassVar[int]
    VALUES_FIELD_NUMBER: _ClassVar[int]
    ACCEPTED_FIELD_NUMBER: _ClassVar[int]
    ENTROPY_FIELD_NUMBER: _ClassVar[int]
    CANDIDATE_FIELD_NUMBER: _ClassVar[int]
    METHOD_FIELD_NUMBER: _ClassVar[int]
    GOAL_FIELD_NUMBER: _ClassVar[int]
    step: int
    values: _containers.RepeatedScalarFieldContainer[int]
    accepted: _containers.RepeatedScalarFieldContainer[bool]
    entropy: _containers.RepeatedScalarFieldContainer[float]
    candidate: int
    method: _common_pb2.Method
    goal: int
    def __init__(self, step: _Optional[int] = ..., values: _Optional[_Iterable[int]] = ..., accepted: _Optional[_Iterable[bool]] = ..., entropy: _Optional[_Iterable[float]] = ..., candidate: _Optional[int] = ..., method: _Optional[_Union[_common_pb2.Method, str]] = ..., goal: _Optional[int] = ...) -> None: ...

class ColorClamp(_message.Message):
    __slots__ = ("vertex", "color")
    VERTEX_FIELD_NUMBER: _ClassVar[int]
    COLOR_FIELD_NUMBER: _ClassVar[int]
    vertex: int
    color: int
    def __init__(self, vertex: _Optional[int] = ..., color: _Optional[int] = ...) -> None: ...

class ColorRequest(_message.Message):
    __slots__ = ("graph", "colors", "clamps", "minimize", "effort")
    GRAPH_FIELD_NUMBER: _ClassVar[int]
    COLORS_FIELD_NUMBER: _ClassVar[int]
    CLAMPS_FIELD_NUMBER: _ClassVar[int]
    MINIMIZE_FIELD_NUMBER: _ClassVar[int]
    EFFORT_FIELD_NUMBER: _ClassVar[int]
    graph: SimpleGraph
    colors: int
    clamps: _containers.RepeatedCompositeFieldContainer[ColorClamp]
    minimize: bool
    effort: _common_pb2.Effort
    def __init__(self, graph: _Optional[_Union[SimpleGraph, _Mapping]] = ..., colors: _Optional[int] = ..., clamps: _Optional[_Iterable[_Union[ColorClamp, _Mapping]]] = ..., minimize: _Optional[bool] = ..., effort: _Optional[_Union[_common_pb2.Effort, _Mapping]] = ...) -> None: ...

class ColorResponse(_message.Message):
    __slots__ = ("outcome", "vertex_colors", "colors_used", "conflicts", "proved_optimal", "lower_bound", "report")
    OUTCOME_FIELD_NUMBER: _ClassVar[int]
    VERTEX_COLORS_FIELD_NUMBER: _ClassVar[int]
    COLORS_USED_FIELD_NUMBER: _ClassVar[int]
    CONFLICTS_FIELD_NUMBER: _ClassVar[int]
    PROVED_OPTIMAL_FIELD_NUMBER: _ClassVar[int]
    LOWER_BOUND_FIELD_NUMBER: _ClassVar[int]
    REPORT_FIELD_NUMBER: _ClassVar[int]
    outcome: _common_pb2.Outcome
    vertex_colors: _containers.RepeatedScalarFieldContainer[int]
    colors_used: int
    conflicts: _containers.RepeatedCompositeFieldContainer[Edge]
    proved_optimal: bool
    lower_bound: int
    report: _common_pb2.Report
    def __init__(self, outcome: _Optional[_Union[_common_pb2.Outcome, str]] = ..., vertex_colors: _Optional[_Iterable[int]] = ..., colors_used: _Optional[int] = ..., conflicts: _Optional[_Iterable[_Union[Edge, _Mapping]]] = ..., proved_optimal: _Optional[bool] = ..., lower_bound: _Optional[int] = ..., report: _Optional[_Union[_common_pb2.Report, _Mapping]] = ...) -> None: ...

class ColorEvent(_message.Message):
    __slots__ = ("draft", "response")
    DRAFT_FIELD_NUMBER: _ClassVar[int]
    RESPONSE_FIELD_NUMBER: _ClassVar[int]
    draft: GraphDraft
    response: ColorResponse
    def __init__(self, draft: _Optional[_Union[GraphDraft, _Mapping]] = ..., response: _Optional[_Union[ColorResponse, _Mapping]] = ...) -> None: ...

class IndependentSetRequest(_message.Message):
    __slots__ = ("graph", "include", "exclude", "target_size", "effort")
    GRAPH_FIELD_NUMBER: _ClassVar[int]
    INCLUDE_FIELD_NUMBER: _ClassVar[int]
    EXCLUDE_FIELD_NUMBER: _ClassVar[int]
    TARGET_SIZE_FIELD_NUMBER: _ClassVar[int]
    EFFORT_FIELD_NUMBER: _ClassVar[int]
    graph: SimpleGraph
    include: _containers.RepeatedScalarFieldContainer[int]
    exclude: _containers.RepeatedScalarFieldContainer[int]
    target_size: int
    effort: _common_pb2.Effort
    def __init__(self, graph: _Optional[_Union[SimpleGraph, _Mapping]] = ..., include: _Optional[_Iterable[int]] = ..., exclude: _Optional[_Iterable[int]] = ..., target_size: _Optional[int] = ..., effort: _Optional[_Union[_common_pb2.Effort, _Mapping]] = ...) -> None: ...

class IndependentSetResponse(_message.Message):
    __slots__ = ("outcome", "vertices", "proved_optimal", "conflicts", "upper_bound", "report")
    OUTCOME_FIELD_NUMBER: _ClassVar[int]
    VERTICES_FIELD_NUMBER: _ClassVar[int]
    PROVED_OPTIMAL_FIELD_NUMBER: _ClassVar[int]
    CONFLICTS_FIELD_NUMBER: _ClassVar[int]
    UPPER_BOUND_FIELD_NUMBER: _ClassVar[int]
    REPORT_FIELD_NUMBER: _ClassVar[int]
    outcome: _common_pb2.Outcome
    vertices: _containers.RepeatedScalarFieldContainer[int]
    proved_optimal: bool
    conflicts: _containers.RepeatedCompositeFieldContainer[Edge]
    upper_bound: int
    report: _common_pb2.Report
    def __init__(self, outcome: _Optional[_Union[_common_pb2.Outcome, str]] = ..., vertices: _Optional[_Iterable[int]] = ..., proved_optimal: _Optional[bool] = ..., conflicts: _Optional[_Iterable[_Union[Edge, _Mapping]]] = ..., upper_bound: _Optional[int] = ..., report: _Optional[_Union[_common_pb2.Report, _Mapping]] = ...) -> None: ...

class IndependentSetEvent(_message.Message):
    __slots__ = ("draft", "response")
    DRAFT_FIELD_NUMBER: _ClassVar[int]
    RESPONSE_FIELD_NUMBER: _ClassVar[int]
    draft: GraphDraft
    response: IndependentSetResponse
    def __init__(self, draft: _Optional[_Union[GraphDraft, _Mapping]] = ..., response: _Optional[_Union[IndependentSetResponse, _Mapping]] = ...) -> None: ...

class CliqueRequest(_message.Message):
    __slots__ = ("graph", "include", "exclude", "target_size", "effort")
    GRAPH_FIELD_NUMBER: _ClassVar[int]
    INCLUDE_FIELD_NUMBER: _ClassVar[int]
    EXCLUDE_FIELD_NUMBER: _ClassVar[int]
    TARGET_SIZE_FIELD_NUMBER: _ClassVar[int]
    EFFORT_FIELD_NUMBER: _ClassVar[int]
    graph: SimpleGraph
    include: _containers.RepeatedScalarFieldContainer[int]
    exclude: _containers.RepeatedScalarFieldContainer[int]
    target_size: int
    effort: _common_pb2.Effort
    def __init__(self, graph: _Optional[_Union[SimpleGraph, _Mapping]] = ..., include: _Optional[_Iterable[int]] = ..., exclude: _Optional[_Iterable[int]] = ..., target_size: _Optional[int] = ..., effort: _Optional[_Union[_common_pb2.Effort, _Mapping]] = ...) -> None: ...

class CliqueResponse(_message.Message):
    __slots__ = ("outcome", "vertices", "proved_optimal", "conflicts", "upper_bound", "report")
    OUTCOME_FIELD_NUMBER: _ClassVar[int]
    VERTICES_FIELD_NUMBER: _ClassVar[int]
    PROVED_OPTIMAL_FIELD_NUMBER: _ClassVar[int]
    CONFLICTS_FIELD_NUMBER: _ClassVar[int]
    UPPER_BOUND_FIELD_NUMBER: _ClassVar[int]
    REPORT_FIELD_NUMBER: _ClassVar[int]
    outcome: _common_pb2.Outcome
    vertices: _containers.RepeatedScalarFieldContainer[int]
    proved_optimal: bool
    conflicts: _containers.RepeatedCompositeFieldContainer[Edge]
    upper_bound: int
    report: _common_pb2.Report
    def __init__(self, outcome: _Optional[_Union[_common_pb2.Outcome, str]] = ..., vertices: _Optional[_Iterable[int]] = ..., proved_optimal: _Optional[bool] = ..., conflicts: _Optional[_Iterable[_Union[Edge, _Mapping]]] = ..., upper_bound: _Optional[int] = ..., report: _Optional[_Union[_common_pb2.Report, _Mapping]] = ...) -> None: ...

class VertexCoverRequest(_message.Message):
    __slots__ = ("graph", "include", "exclude", "target_size", "effort")
    GRAPH_FIELD_NUMBER: _ClassVar[int]
    INCLUDE_FIELD_NUMBER: _ClassVar[int]
    EXCLUDE_FIELD_NUMBER: _ClassVar[int]
    TARGET_SIZE_FIELD_NUMBER: _ClassVar[int]
    EFFORT_FIELD_NUMBER: _ClassVar[int]
    graph: SimpleGraph
    include: _containers.RepeatedScalarFieldContainer[int]
    exclude: _containers.RepeatedScalarFieldContainer[int]
    target_size: int
    effort: _common_pb2.Effort
    def __init__(self, graph: _Optional[_Union[SimpleGraph, _Mapping]] = ..., include: _Optional[_Iterable[int]] = ..., exclude: _Optional[_Iterable[int]] = ..., target_size: _Optional[int] = ..., effort: _Optional[_Union[_common_pb2.Effort, _Mapping]] = ...) -> None: ...

class VertexCoverResponse(_message.Message):
    __slots__ = ("outcome", "vertices", "proved_optimal", "conflicts", "lower_bound", "report")
    OUTCOME_FIELD_NUMBER: _ClassVar[int]
    VERTICES_FIELD_NUMBER: _ClassVar[int]
    PROVED_OPTIMAL_FIELD_NUMBER: _ClassVar[int]
    CONFLICTS_FIELD_NUMBER: _ClassVar[int]
    LOWER_BOUND_FIELD_NUMBER: _ClassVar[int]
    REPORT_FIELD_NUMBER: _ClassVar[int]
    outcome: _common_pb2.Outcome
    vertices: _containers.RepeatedScalarFieldContainer[int]
    proved_optimal: bool
    conflicts: _containers.RepeatedCompositeFieldContainer[Edge]
    lower_bound: int
    report: _common_pb2.Report
    def __init__(self, outcome: _Optional[_Union[_common_pb2.Outcome, str]] = ..., vertices: _Optional[_Iterable[int]] = ..., proved_optimal: _Optional[bool] = ..., conflicts: _Optional[_Iterable[_Union[Edge, _Mapping]]] = ..., lower_bound: _Optional[int] = ..., report: _Optional[_Union[_common_pb2.Report, _Mapping]] = ...) -> None: ...

class PositionClamp(_message.Message):
    __slots__ = ("vertex", "position")
    VERTEX_FIELD_NUMBER: _ClassVar[int]
    POSITION_FIELD_NUMBER: _ClassVar[int]
    vertex: int
    position: int
    def __init__(self, vertex: _Optional[int] = ..., position: _Optional[int] = ...) -> None: ...

class HamiltonianPathRequest(_message.Message):
    __slots__ = ("graph", "cycle", "start", "end", "clamps", "effort")
    GRAPH_FIELD_NUMBER: _ClassVar[int]
    CYCLE_FIELD_NUMBER: _ClassVar[int]
    START_FIELD_NUMBER: _ClassVar[int]
    END_FIELD_NUMBER: _ClassVar[int]
    CLAMPS_FIELD_NUMBER: _ClassVar[int]
    EFFORT_FIELD_NUMBER: _ClassVar[int]
    graph: SimpleGraph
    cycle: bool
    start: int
    end: int
    clamps: _containers.RepeatedCompositeFieldContainer[PositionClamp]
    effort: _common_pb2.Effort
    def __init__(self, graph: _Optional[_Union[SimpleGraph, _Mapping]] = ..., cycle: _Optional[bool] = ..., start: _Optional[int] = ..., end: _Optional[int] = ..., clamps: _Optional[_Iterable[_Union[PositionClamp, _Mapping]]] = ..., effort: _Optional[_Union[_common_pb2.Effort, _Mapping]] = ...) -> None: ...

class HamiltonianPathResponse(_message.Message):
    __slots__ = ("outcome", "vertices", "conflicts", "report")
    OUTCOME_FIELD_NUMBER: _ClassVar[int]
    VERTICES_FIELD_NUMBER: _ClassVar[int]
    CONFLICTS_FIELD_NUMBER: _ClassVar[int]
    REPORT_FIELD_NUMBER: _ClassVar[int]
    outcome: _common_pb2.Outcome
    vertices: _containers.RepeatedScalarFieldContainer[int]
    conflicts: _containers.RepeatedCompositeFieldContainer[Edge]
    report: _common_pb2.Report
    def __init__(self, outcome: _Optional[_Union[_common_pb2.Outcome, str]] = ..., vertices: _Optional[_Iterable[int]] = ..., conflicts: _Optional[_Iterable[_Union[Edge, _Mapping]]] = ..., report: _Optional[_Union[_common_pb2.Report, _Mapping]] = ...) -> None: ...

class HamiltonianPathEvent(_message.Message):
    __slots__ = ("draft", "response")
    DRAFT_FIELD_NUMBER: _ClassVar[int]
    RESPONSE_FIELD_NUMBER: _ClassVar[int]
    draft: GraphDraft
    response: HamiltonianPathResponse
    def __init__(self, draft: _Optional[_Union[GraphDraft, _Mapping]] = ..., response: _Optional[_Union[HamiltonianPathResponse, _Mapping]] = ...) -> None: ...
