"""The Canvas service over real gRPC."""

import grpc
import pytest
from google.rpc import error_details_pb2
from inkfill.v1 import canvas_pb2, canvas_pb2_grpc, common_pb2

from engine.canvas import CanvasError
from service.servicers.canvas_request import request_path
from service.servicers.prompt import Prompt
from tests.service.fakes import SUDOKU
from tests.service.wire import detail, finish, rich_status, violation

Request = canvas_pb2.DenoiseRequest
Clamp = canvas_pb2.Clamp
Domain = canvas_pb2.Domain
Sampling = canvas_pb2.Sampling


@pytest.fixture
def stub(channel: grpc.aio.Channel) -> canvas_pb2_grpc.CanvasStub:
    return canvas_pb2_grpc.CanvasStub(channel)


def canvas(**fields: object) -> Request:
    return Request(**{"model": "scribe", "length": 6, **fields})


async def test_a_canvas_is_denoised_and_the_report_says_how(stub):
    response = await stub.Denoise(canvas(sampling=Sampling(seed=5)))
    assert list(response.tokens) == [1] * 6
    assert list(response.entropy) == [0.25] * 6
    assert list(response.candidate_mass) == [0.5] * 6
    assert response.finish_reason == canvas_pb2.STABLE
    report = response.report
    assert (report.model, report.weights_digest) == ("scribe", "e" * 64)
    assert (report.method, report.seed, report.candidates) == (common_pb2.DIFFUSION, 5, 1)
    assert (report.steps, report.queue_ms, report.compute_ms) == (3, 1.5, 2.5)


async def test_clamps_domains_prompt_and_knobs_reach_the_engine(stub, engine):
    knobs = Sampling(
        max_steps=2, t_min=0.25, t_max=0.5, entropy_bound=2, stability=0, confidence=0, seed=0
    )
    response = await stub.Denoise(
        canvas(
            prompt_tokens=[7, 8],
            clamps=[Clamp(position=2, token=9)],
            domains=[Domain(positions=[0, 1], tokens=[30, 31, 30])],
            sampling=knobs,
        )
    )
    assert list(response.tokens) == [30, 30, 9, 0, 0, 0]
    (request,) = engine.requests
    assert request.prompt == (7, 8)
    assert request.clamps.tolist() == [-1, -1, 9, -1, -1, -1]
    assert request.domain is not None
    domain = request.domain.mask()
    assert domain[1].nonzero()[0].tolist() == [30, 31]
    assert domain[2:].all()
    sampling = request.sampling
    assert (sampling.max_steps, sampling.t_min, sampling.t_max) == (2, 0.25, 0.5)
    assert (sampling.entropy_bound, sampling.stability, sampling.confidence) == (2, 0, 0)
    assert request.seed == 0


async def test_absent_knobs_take_their_defaults(stub, engine):
    await stub.Denoise(Request(model="scribe"))
    (request,) = engine.requests
    assert request.length == 12
    assert request.domain is None
    assert (request.sampling.max_steps, request.sampling.t_min) == (48, 0.4)
    assert request.seed > 0


async def test_a_stream_shows_each_step_in_order_and_ends_with_the_response(stub):
    events = [event async for event in stub.DenoiseStream(canvas())]
    assert [event.WhichOneof("event") for event in events] == ["draft"] * 3 + ["response"]
    assert [event.draft.step for event in events[:3]] == [1, 2, 3]
    assert list(events[0].draft.tokens) == [1] * 6
    assert list(events[0].draft.accepted) == [True] * 6
    assert list(events[0].draft.entropy) == [0.25] * 6
    assert events[-1].response.finish_reason == canvas_pb2.STABLE


@pytest.mark.parametrize(
    ("request_", "field", "said"),
    [
        (Request(), "model", "got '', accepted: scribe"),
        (canvas(model="nobody"), "model", "got 'nobody', accepted: scribe"),
        (canvas(model="oracle"), "model", "use inkfill.v1.Sudoku"),
        (canvas(length=0), "length", "got 0, accepted: 1 to 12"),
        (canvas(length=2**32 - 1), "length", "got 4294967295, accepted: 1 to 12"),
        (canvas(prompt_tokens=[1, 50]), "prompt_tokens[1]", "accepted: 0 to 49"),
        (canvas(clamps=[Clamp(position=6)]), "clamps[0].position", "got 6, accepted: 0 to 5"),
        (canvas(clamps=[Clamp(token=50)]), "clamps[0].token", "got 50, accepted: 0 to 49"),
        (canvas(clamps=[Clamp(), Clamp()]), "clamps[1].position", "first named by clamps[0]"),
        (canvas(clamps=[Clamp()] * 7), "clamps", "got 7, accepted: at most 6"),
        (canvas(domains=[Domain(tokens=[1])]), "domains[0].positions", "is empty"),
        (canvas(domains=[Domain(positions=[1])]), "domains[0].tokens", "is empty"),
        (
            canvas(domains=[Domain(positions=[1], tokens=[0, 1, 50])]),
            "domains[0].tokens[2]",
            "got 50, accepted: 0 to 49",
        ),
        (
            canvas(domains=[Domain(positions=[0, 9], tokens=[1])]),
            "domains[0].positions[1]",
            "got 9, accepted: 0 to 5",
        ),
        (
            canvas(domains=[Domain(positions=[3], tokens=[1])] * 2),
            "domains[1].positions[0]",
            "first named by domains[0].positions[0]",
        ),
        (
            canvas(
                clamps=[Clamp(position=3, token=2)], domains=[Domain(positions=[3], tokens=[1])]
            ),
            "clamps[0].token",
            "a token of the domain of position 3",
        ),
        (canvas(sampling=Sampling(max_steps=0)), "sampling.max_steps", "1 to 4096"),
        (canvas(sampling=Sampling(max_steps=5000)), "sampling.max_steps", "1 to 4096"),
        (canvas(sampling=Sampling(t_min=0)), "sampling.t_min", "0.01 to 10"),
        (canvas(sampling=Sampling(t_min=float("nan"))), "sampling.t_min", "0.01 to 10"),
        (canvas(sampling=Sampling(t_max=0.1)), "sampling.t_max", "0.4 (t_min) to 10"),
        (canvas(sampling=Sampling(t_min=3)), "sampling.t_min", "0.01 to t_max, which is 0.8"),
        (canvas(sampling=Sampling(t_min=3, t_max=2)), "sampling.t_max", "3.0 (t_min) to 10"),
        (canvas(sampling=Sampling(entropy_bound=-1)), "sampling.entropy_bound", "above 0"),
        (canvas(sampling=Sampling(stability=9)), "sampling.stability", "0 to 8"),
        (canvas(sampling=Sampling(confidence=-1)), "sampling.confidence", "0 to 100"),
        (canvas(sampling=Sampling(seed=2**63)), "sampling.seed", "2^63 - 1"),
    ],
)
@pytest.mark.parametrize("method", ["Denoise", "DenoiseStream"])
async def test_a_bad_request_is_refused_with_its_field(stub, engine, method, request_, field, said):
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await finish(getattr(stub, method)(request_))
    path, description = violation(rich_status(caught.value))
    assert path == field
    assert said in description
    assert engine.requests == []


async def test_more_domains_than_the_engine_is_to_hold_are_refused(stub, engine, monkeypatch):
    monkeypatch.setattr("service.servicers.canvas_request.MAX_FLAGS", 149)
    domains = [Domain(positions=[i], tokens=[i, 9]) for i in range(3)]
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await stub.Denoise(canvas(domains=domains))
    path, description = violation(rich_status(caught.value))
    assert path == "domains"
    assert (
        "got 3 of more than one token, accepted: at most 2 with a vocabulary of 50" in description
    )
    await stub.Denoise(canvas(domains=domains[:2]))


async def test_a_domain_of_one_token_is_a_clamp(stub, engine):
    domains = [Domain(positions=[0, 2], tokens=[7, 7]), Domain(positions=[1], tokens=[8, 9])]
    await stub.Denoise(canvas(clamps=[Clamp(position=0, token=7)], domains=domains))
    (request,) = engine.requests
    assert request.clamps.tolist() == [7, -1, 7, -1, -1, -1]
    assert request.domain is not None
    assert request.domain.which.tolist() == [-1, 0, -1, -1, -1, -1]
    assert request.domain.sets.nonzero()[1].tolist() == [8, 9]


async def test_an_unknown_model_is_also_named_as_a_resource(stub):
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await stub.Denoise(canvas(model="nobody"))
    resource = detail(rich_status(caught.value), error_details_pb2.ResourceInfo)
    assert (resource.resource_type, resource.resource_name) == ("inkfill.v1.Model", "nobody")


async def test_an_endless_model_name_is_not_echoed_endlessly(stub):
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await stub.Denoise(canvas(model="x" * 60_000))
    _, description = violation(rich_status(caught.value))
    assert len(description) < 300


async def test_what_the_engine_refuses_is_named_as_in_the_request(stub, engine):
    engine.error = CanvasError("relations", "this model's heads need rows")
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await stub.Denoise(canvas())
    assert violation(rich_status(caught.value)) == ("model", "this model's heads need rows")


def test_the_engines_field_names_have_a_place_in_the_request():
    assert Prompt("prompt_tokens", ()).path("prompt[3]") == "prompt_tokens[3]"
    assert Prompt("messages", ()).path("prompt[3]") == "messages"
    assert Prompt("prompt", ()).path("prompt") == "prompt"
    assert Prompt("prompt", ()).path("sampling.t_min") == "sampling.t_min"
    assert request_path("seed") == "sampling.seed"
    assert request_path("sampling.t_min") == "sampling.t_min"


async def test_cancelling_a_stream_takes_its_canvas_out(stub, engine, eventually):
    engine.step_s, engine.steps = 0.01, 10**6
    call = stub.DenoiseStream(canvas(sampling=Sampling(max_steps=4096)))
    await call.read()
    call.cancel()
    await eventually(lambda: engine.cancelled == 1)


async def test_where_no_model_needs_no_solver_the_error_says_how_to_load_one(stub, engine):
    engine.infos = (SUDOKU,)
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await stub.Denoise(canvas(model="nobody"))
    field, said = violation(rich_status(caught.value))
    assert field == "model"
    assert "oracle" not in said
    assert "inkfill serve --model FOLDER" in said
