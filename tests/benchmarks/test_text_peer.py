"""transformers on the benchmark's configuration."""

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
