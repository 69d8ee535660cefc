"""The engine does without Triton where there is none."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap

import pytest
import torch

from engine.kernels import triton_device
from engine.kernels.triton_device import runs_triton

WITHOUT_TRITON = """
    import sys
    sys.modules["triton"] = None
    import importlib.util
    find = importlib.util.find_spec
    importlib.util.find_spec = lambda name, *rest: None if name == "triton" else find(name, *rest)
    import torch
    import engine.engine
    from engine.kernels.acceptance import accept_and_renoise
    from engine.kernels.add_norm import add_norm
    from engine.kernels.denoising_head import denoising_head
    from engine.kernels.raw_logits import RawLogits
    from engine.kernels.soft_embedding import soft_embedding
    from engine.noise import CounterNoise

    zero = torch.zeros(1, dtype=torch.int64)
    held, noise = torch.zeros(1, 4, dtype=torch.int64), CounterNoise(zero, zero)
    logits = RawLogits(torch.randn(1, 4, 9), torch.tensor([1, 3]), 4, 30.0, torch.ones(1))
    found = denoising_head(logits, held, noise)
    accept_and_renoise(found.entropy, found.sampled, torch.ones(1), noise, 9)
    soft_embedding(logits, found.log_sum_exp, held, torch.randn(9, 5))
    add_norm(torch.randn(3, 5), None, 1e-6)
"""


def test_every_kernel_has_a_plain_function_for_where_triton_is_missing() -> None:
    program = [sys.executable, "-c", textwrap.dedent(WITHOUT_TRITON)]
    environment = dict(os.environ, TRITON_INTERPRET="1", PYTHONPATH=os.pathsep.join(sys.path))
    done = subprocess.run(program, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_a_tensor_on_the_cpu_is_left_to_the_plain_function(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("TRITON_INTERPRET", raising=False)
    assert not runs_triton(torch.zeros(1))


@pytest.mark.parametrize(
    ("probed", "said"),
    [
        (163 * 1024, "163 KB of shared memory"),
        (RuntimeError("no C compiler"), "Triton does not run on GPU 5"),
        (227 * 1024, ""),
    ],
)
def test_a_gpu_that_cannot_run_the_kernels_is_left_to_pytorch_and_said(
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    probed: int | Exception,
    said: str,
) -> None:
    def probe(index: int) -> int:
        assert index == 5
        if isinstance(probed, Exception):
            raise probed
        return probed

    monkeypatch.setattr("engine.kernels.gpu_probe.probe", probe)
    triton_device._gpu_runs_triton.cache_clear()
    assert triton_device._gpu_runs_triton(5) is not bool(said)
    assert said in caplog.text
    triton_device._gpu_runs_triton.cache_clear()
