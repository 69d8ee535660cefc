"""transformers on the benchmark's configuration."""

from typing import Any

import pytest
import torch

from benchmarks.text_model import SIZES, parameters
from benchmarks.text_peer import Peer

pytestmark = [
    pytest.mark.parity,
    # The reference marks steps for CUDA graphs, which imports old TorchScript inside PyTorch.
    pytest.mark.filterwarnings("ignore:`torch.jit.script_method` is deprecated:DeprecationWarning"),
]


def test_it_denoises_with_as_many_weights_as_this_engine() -> None:
    config = SIZES["tiny"]
    peer = Peer(config, torch.device("cpu"), batch=2, prompt=8, canvases=2)
    held = dict(peer._model.named_parameters())  # tied ones once
    scalars = 2 * config.num_hidden_layers  # which are buffers there
    assert sum(x.numel() for x in held.values()) == parameters(config) - scalars
    assert all(x.isfinite().all() for x in peer._model.state_dict().values())
    peer.prepare(static=False)
    peer.warm_up(compiled=False)
    times = peer.step_times(4, compiled=False)
    assert len(times) == 2
    assert min(times) > 0


def test_nothing_of_the_model_is_what_memory_happened_to_hold(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    empty_like = torch.empty_like

    def poisoned(*args: Any, **options: Any) -> torch.Tensor:
        tensor = empty_like(*args, **options)
        return tensor.fill_(torch.nan) if tensor.is_floating_point() else tensor

    monkeypatch.setattr(torch, "empty_like", poisoned)
    model = Peer(SIZES["tiny"], torch.device("cpu"), batch=1, prompt=8, canvases=1)._model
    held = (*model.named_parameters(), *model.named_buffers())
    assert [name for name, x in held if not x.isfinite().all()] == []
