"""The Models service over real gRPC."""

import grpc
import pytest
from google.rpc import error_details_pb2
from inkfill.v1 import models_pb2, models_pb2_grpc

from engine.generation import GenerationParams
from service.texts import TextModel
from tests.engine.text.tokenizers import byte_level
from tests.service.wire import detail, rich_status, violation


@pytest.fixture
def stub(channel: grpc.aio.Channel) -> models_pb2_grpc.ModelsStub:
    return models_pb2_grpc.ModelsStub(channel)


async def test_all_models_are_listed_with_their_limits(stub):
    response = await stub.List(models_pb2.ListModelsRequest())
    assert [model.name for model in response.models] == ["oracle", "scribe"]
    oracle = response.models[0]
    assert (oracle.task, oracle.parameters, oracle.weights_digest) == ("sudoku", 7, "d" * 64)
    assert (oracle.device, oracle.precision) == ("cpu", "float32")
    assert (oracle.canvas_length, oracle.vocabulary) == (144, 17)
    assert [model.max_context for model in response.models] == [0, 48]
    limits = oracle.limits
    assert (limits.max_prompt_characters, limits.max_messages) == (2**20, 1024)
    assert (limits.max_steps, limits.max_effort_steps, limits.max_candidates) == (4096, 1024, 256)
    assert (limits.max_batch, limits.max_queue, limits.max_message_bytes) == (8, 16, 65536)


async def test_one_model_is_found_by_name(stub):
    model = await stub.Get(models_pb2.GetModelRequest(name="scribe"))
    assert (model.name, model.task) == ("scribe", "text")


async def test_a_model_that_is_not_loaded_is_not_found(stub):
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await stub.Get(models_pb2.GetModelRequest(name="nobody"))
    assert caught.value.code() is grpc.StatusCode.NOT_FOUND
    assert caught.value.details() == "model 'nobody' is not loaded; loaded: oracle, scribe"
    resource = detail(rich_status(caught.value), error_details_pb2.ResourceInfo)
    assert (resource.resource_type, resource.resource_name) == ("inkfill.v1.Model", "nobody")


async def test_a_model_without_a_name_is_a_bad_request(stub):
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await stub.Get(models_pb2.GetModelRequest())
    assert violation(rich_status(caught.value))[0] == "name"


@pytest.mark.parametrize("has_template", [True, False])
async def test_a_model_says_which_prompts_it_takes(stub, texts, tmp_path, has_template):
    folder = byte_level(tmp_path)
    if not has_template:
        (folder / "chat_template.jinja").unlink()
    texts["scribe"] = TextModel.from_folder(folder, GenerationParams())
    oracle, scribe = (await stub.List(models_pb2.ListModelsRequest())).models
    assert (oracle.has_tokenizer, oracle.has_chat_template) == (False, False)
    assert (scribe.has_tokenizer, scribe.has_chat_template) == (True, has_template)
