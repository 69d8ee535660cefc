"""What a client sends and gets, as plain values: frozen dataclasses in place of messages."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TypedDict, Unpack

from inkfill.v1 import canvas_pb2, models_pb2, sudoku_pb2

from engine.canvas import FinishReason, SamplingParams
from engine.client import ModelInfo
from service.client_prompt import PromptText, prompt_fields
from service.messages import effort_to, method_from, outcome_from, report_from
from solvers.base import Effort, Guidance, Method, Outcome, Report
from solvers.problem_error import ProblemError
from solvers.sudoku.text import parse_puzzle

#: Cells row by row (0 for a blank), or their text: ``53..7....6..195...``.
Puzzle = str | Sequence[int]


class EffortOptions(TypedDict, total=False):
    """The fields of ``Effort``, which says what they mean, one by one."""

    max_steps: int | None
    candidates: int | None
    seed: int | None
    guidance: Guidance
    exact_fallback: bool


class SudokuOptions(EffortOptions, total=False):
    """What may be said beside a puzzle; ``InkfillClient.solve_sudoku`` tells what it means.

    Attributes:
        box: rows and columns of a box.
        effort: how hard to try; the fields of ``EffortOptions`` that are given win over its own.
        prove_unique: whether to find out if a solved puzzle has another solution.
    """

    box: tuple[int, int] | None
    effort: Effort | None
    prove_unique: bool


class DenoiseOptions(TypedDict, total=False):
    """What may be said beside a model's name.

    Attributes:
        length: of the canvas, tokens; by default the model's longest.
        prompt: what comes before the canvas.
        think: whether the model is to think first, in a conversation, if it can.
        clamps: position -> the token that it holds.
        domains: (positions, tokens that they may take) pairs.
        sampling: the knobs; None for every default.
        seed: of the noise; None lets the server draw one.
    """

    length: int | None
    prompt: PromptText
    think: bool | None
    clamps: Mapping[int, int]
    domains: Iterable[tuple[Sequence[int], Sequence[int]]]
    sampling: SamplingParams | None
    seed: int | None


@dataclass(frozen=True)
class SudokuAnswer:
    """What is known of a puzzle.

    Attributes:
        outcome: SOLVED, UNSATISFIABLE or UNDECIDED.
        cells: row by row: the solution, the best draft if UNDECIDED, empty if UNSATISFIABLE.
        conflicts: indices of clues that contradict each other.
        unique: whether the solution is the only one; None if not asked for or not proved.
        report: how it was reached.
    """

    outcome: Outcome
    cells: tuple[int, ...]
    conflicts: tuple[int, ...]
    unique: bool | None
    report: Report


@dataclass(frozen=True)
class SudokuDraft:
    """The grid after a denoising step; see ``SolveDraft`` in sudoku.proto."""

    step: int
    cells: tuple[int, ...]
    accepted: tuple[bool, ...]
    entropy: tuple[float, ...]
    candidate: int
    method: Method | None


@dataclass(frozen=True)
class DenoisedCanvas:
    """A denoised canvas; see ``DenoiseResponse`` in canvas.proto."""

    tokens: tuple[int, ...]
    entropy: tuple[float, ...]
    candidate_mass: tuple[float, ...]
    finish_reason: FinishReason
    report: Report
    text: str
    thought: str
    answer: str


@dataclass(frozen=True)
class CanvasDraft:
    """The canvas after a denoising step; see ``DenoiseDraft`` in canvas.proto."""

    step: int
    tokens: tuple[int, ...]
    accepted: tuple[bool, ...]
    entropy: tuple[float, ...]


def solve_request(
    puzzle: Puzzle,
    box: tuple[int, int] | None = None,
    effort: Effort | None = None,
    prove_unique: bool = False,
    **knobs: Unpack[EffortOptions],
) -> sudoku_pb2.SolveRequest:
    """The message that asks for a puzzle to be solved; whether it makes sense, the server says.

    Raises:
        ProblemError: the text is no puzzle, or a cell is no whole number from 0.
        EffortError: a number of the effort is out of range.
    """
    given = replace(effort or Effort(), **knobs)
    if isinstance(puzzle, str):
        problem = parse_puzzle(puzzle, *(box or (None, None)))
        puzzle, box = problem.cells, (problem.geometry.box_rows, problem.geometry.box_cols)
    rows, cols = box or (None, None)
    try:
        return sudoku_pb2.SolveRequest(
            cells=puzzle,
            box_rows=rows,
            box_cols=cols,
            effort=effort_to(given),
            prove_unique=prove_unique,
        )
    except (TypeError, ValueError) as error:
        raise ProblemError("cells", f"{error}; accepted: whole numbers from 0") from None


def denoise_request(
    model: str,
    length: int | None = None,
    prompt: PromptText = (),
    think: bool | None = None,
    clamps: Mapping[int, int] | None = None,
    domains: Iterable[tuple[Sequence[int], Sequence[int]]] = (),
    sampling: SamplingParams | None = None,
    seed: int | None = None,
) -> canvas_pb2.DenoiseRequest:
    """The message that asks for a canvas to be denoised."""
    return canvas_pb2.DenoiseRequest(
        model=model,
        length=length,
        think=think,
        **prompt_fields(prompt),
        clamps=[canvas_pb2.Clamp(position=p, token=t) for p, t in (clamps or {}).items()],
        domains=[canvas_pb2.Domain(positions=p, tokens=t) for p, t in domains],
        sampling=sampling_to(sampling, seed),
    )


def sudoku_answer(response: sudoku_pb2.SolveResponse) -> SudokuAnswer:
    """The answer that a message carries."""
    return SudokuAnswer(
        outcome=outcome_from(response.outcome),
        cells=tuple(response.cells),
        conflicts=tuple(response.conflicts),
        unique=response.unique if response.HasField("unique") else None,
        report=report_from(response.report),
    )


def sudoku_event(event: sudoku_pb2.SolveEvent) -> SudokuDraft | SudokuAnswer:
    """A draft, or the answer that ends a stream."""
    if event.HasField("response"):
        return sudoku_answer(event.response)
    draft = event.draft
    return SudokuDraft(
        step=draft.step,
        cells=tuple(draft.cells),
        accepted=tuple(draft.accepted),
        entropy=tuple(draft.entropy),
        candidate=draft.candidate,
        method=method_from(draft.method),
    )


def denoised_canvas(response: canvas_pb2.DenoiseResponse) -> DenoisedCanvas:
    """The canvas that a message carries."""
    return DenoisedCanvas(
        tokens=tuple(response.tokens),
        entropy=tuple(response.entropy),
        candidate_mass=tuple(response.candidate_mass),
        finish_reason=FinishReason[canvas_pb2.FinishReason.Name(response.finish_reason)],
        report=report_from(response.report),
        text=response.text,
        thought=response.thought,
        answer=response.answer,
    )


def canvas_event(event: canvas_pb2.DenoiseEvent) -> CanvasDraft | DenoisedCanvas:
    """A draft, or the canvas that ends a stream."""
    if event.HasField("response"):
        return denoised_canvas(event.response)
    draft = event.draft
    return CanvasDraft(
        step=draft.step,
        tokens=tuple(draft.tokens),
        accepted=tuple(draft.accepted),
        entropy=tuple(draft.entropy),
    )


def model_info(model: models_pb2.Model) -> ModelInfo:
    """What a message tells of a model."""
    return ModelInfo(
        name=model.name,
        task=model.task,
        parameters=model.parameters,
        weights_digest=model.weights_digest,
        device=model.device,
        precision=model.precision,
        canvas_length=model.canvas_length,
        vocabulary=model.vocabulary,
        max_batch=model.limits.max_batch,
        max_queue=model.limits.max_queue,
        max_context=model.max_context,
    )


def sampling_to(params: SamplingParams | None, seed: int | None) -> canvas_pb2.Sampling:
    """The message of the knobs and the seed; what is None stays absent."""
    if params is None:
        return canvas_pb2.Sampling(seed=seed)
    return canvas_pb2.Sampling(
        max_steps=params.max_steps,
        t_min=params.t_min,
        t_max=params.t_max,
        entropy_bound=params.entropy_bound,
        stability=params.stability,
        confidence=params.confidence,
        seed=seed,
    )
