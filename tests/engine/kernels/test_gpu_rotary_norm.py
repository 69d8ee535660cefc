"""The fused norms and rotation equal the model's projection, to its roundings."""

from __future__ import annotations

from typing import NamedTuple

import pytest
import torch
from torch import Tensor

from engine.kernels.rotary_norm import plain_rotary_norm, rotary_norm
from engine.rotation import Rotation, rotation_at
from tests.engine.factories import plain_model
from tests.engine.kernels.triton_cases import DEVICE, DTYPES, assert_within_an_ulp

EPS = 1e-6


class Case(NamedTuple):
    """What the function is given, in its order."""

    packed: Tensor
    q_weight: Tensor
    k_weight: Tensor
    eps: float
    rotation: Rotation | None


def random_case(
    tokens: int, rows: int, size: int, dtype: torch.dtype = torch.float32, *, turned: bool = True
) -> Case:
    generator = torch.Generator().manual_seed(tokens + rows + size)
    spread = 10.0 ** torch.randint(-3, 4, (tokens, rows, 1), generator=generator)
    packed = (spread * torch.randn(tokens, rows, size, generator=generator)).flatten(1)
    weights = (0.5 + torch.rand(2, size, generator=generator)).to(DEVICE, dtype)
    cos, sin = (2 * torch.rand(2, tokens, size, generator=generator) - 1).to(DEVICE, dtype)
    turn = (cos, sin) if turned else None
    return Case(packed.to(DEVICE, dtype), *weights, EPS, turn)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("turned", [True, False])
@pytest.mark.parametrize("shared", [True, False])
@pytest.mark.parametrize("size", [2, 6, 16, 100, 256])
def test_heads_equal_the_reference(
    size: int, shared: bool, turned: bool, dtype: torch.dtype
) -> None:
    for heads, kv_heads in ((1, 1), (4, 2), (3, 3)):
        rows = heads + (1 if shared else 2) * kv_heads
        case = random_case(7, rows, size, dtype, turned=turned)
        found = rotary_norm(*case, heads=heads, kv_heads=kv_heads)
        expected = plain_rotary_norm(*case, heads=heads, kv_heads=kv_heads)
        for a, b in zip(found, expected, strict=True):
            assert a.shape == b.shape
            assert_within_an_ulp(a, b) if not turned else assert_turned(a, b)


def assert_turned(found: Tensor, expected: Tensor) -> None:
    """As near as the norms are; where two products cancel, by the size of the products."""
    near = 1e-6 if found.dtype == torch.float32 else 2.0**-7
    near *= float(expected.abs().max())
    torch.testing.assert_close(found, expected, rtol=0, atol=near)
    if found.dtype == torch.bfloat16:
        assert (found != expected).float().mean() <= 0.02


@pytest.mark.parametrize("layer_type", ["sliding_attention", "full_attention"])
@pytest.mark.parametrize("dtype", DTYPES)
def test_the_reference_is_the_models_projection(layer_type: str, dtype: torch.dtype) -> None:
    model = plain_model().to(dtype)
    (layer,) = [x for x in model._layers() if x.self_attn.layer_type == layer_type][:1]
    attention = layer.self_attn
    size = attention.head_dim
    x = torch.randn(1, 9, model.config.hidden_size, dtype=dtype)
    projections = attention.q_proj, attention.k_proj, attention.v_proj
    packed = torch.cat([p(x)[0] for p in projections if p is not None], dim=-1)
    for norm in (attention.q_norm, attention.k_norm):
        norm.weight.data = torch.rand(size).to(dtype)
    rope = model.config.rope[attention.layer_type]
    turn = rotation_at(torch.arange(9)[None], rope, size, dtype)
    found = plain_rotary_norm(
        packed,
        attention.q_norm.weight,
        attention.k_norm.weight,
        model.config.rms_norm_eps,
        (turn[0][0], turn[1][0]),
        heads=attention.q_proj.out_features // size,
        kv_heads=attention.k_proj.out_features // size,
    )
    for a, b in zip(found, attention.project(x, turn), strict=True):
        assert torch.equal(a, b[0].transpose(0, 1))


def test_a_token_has_the_same_bits_in_any_company() -> None:
    case = random_case(12, 8, 64, torch.bfloat16)
    whole = rotary_norm(*case, heads=4, kv_heads=2)
    assert case.rotation is not None
    turn = case.rotation[0][5:6], case.rotation[1][5:6]
    alone = case._replace(packed=case.packed[5:6], rotation=turn)
    for part, all_of_it in zip(rotary_norm(*alone, heads=4, kv_heads=2), whole, strict=True):
        assert torch.equal(part[0], all_of_it[5])


def test_strides_do_not_matter() -> None:
    case = random_case(6, 8, 32)
    expected = rotary_norm(*case, heads=4, kv_heads=2)
    wide = torch.cat((case.packed, case.packed), dim=1)[:, : case.packed.shape[1]]
    for packed in (wide, case.packed.T.contiguous().T):
        found = rotary_norm(*case._replace(packed=packed), heads=4, kv_heads=2)
        for a, b in zip(found, expected, strict=True):
            assert torch.equal(a, b)


def test_no_tokens_are_no_work() -> None:
    case = random_case(1, 8, 32)
    empty = case._replace(packed=case.packed[:0], rotation=None)
    assert rotary_norm(*empty, heads=4, kv_heads=2)[0].shape == (0, 4, 32)
