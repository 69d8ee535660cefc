"""What is loaded, over gRPC."""

from __future__ import annotations

from typing import Any

import grpc
from inkfill.v1 import models_pb2, models_pb2_grpc

from engine.canvas import MAX_STEPS_LIMIT
from engine.client import EngineClient, ModelInfo
from service.errors import invalid_argument
from service.texts import MAX_MESSAGES, MAX_PROMPT_CHARACTERS, TextModel, TextModels
from solvers.base import MAX_CANDIDATES, MAX_STEPS

Context = grpc.aio.ServicerContext[Any, Any]


class ModelsServicer(models_pb2_grpc.ModelsServicer):
    """Serves ``inkfill.v1.Models``."""

    def __init__(self, engine: EngineClient, texts: TextModels, max_message_bytes: int) -> None:
        self._engine = engine
        self._texts = texts
        self._max_message_bytes = max_message_bytes

    async def List(  # noqa: N802  # gRPC's name
        self,
        request: models_pb2.ListModelsRequest,  # noqa: ARG002
        context: Context,  # noqa: ARG002
    ) -> models_pb2.ListModelsResponse:
        """See models.proto."""
        return models_pb2.ListModelsResponse(
            models=[self._message(info) for info in self._engine.models()]
        )

    async def Get(  # noqa: N802
        self,
        request: models_pb2.GetModelRequest,
        context: Context,  # noqa: ARG002
    ) -> models_pb2.Model:
        """See models.proto."""
        if not request.name:
            raise invalid_argument("name", "is empty, accepted: a name that Models.List gives")
        return self._message(self._engine.model(request.name))

    def _message(self, info: ModelInfo) -> models_pb2.Model:
        text = self._texts.get(info.name) or TextModel()
        return models_pb2.Model(
            name=info.name,
            task=info.task,
            parameters=info.parameters,
            weights_digest=info.weights_digest,
            device=info.device,
            precision=info.precision,
            canvas_length=info.canvas_length,
            vocabulary=info.vocabulary,
            has_tokenizer=text.tokenizer is not None,
            has_chat_template=text.template is not None,
            max_context=info.max_context,
            limits=models_pb2.ModelLimits(
                max_steps=MAX_STEPS_LIMIT,
                max_effort_steps=MAX_STEPS,
                max_candidates=MAX_CANDIDATES,
                max_batch=info.max_batch,
                max_queue=info.max_queue,
                max_message_bytes=self._max_message_bytes,
                max_prompt_characters=MAX_PROMPT_CHARACTERS,
                max_messages=MAX_MESSAGES,
            ),
        )
