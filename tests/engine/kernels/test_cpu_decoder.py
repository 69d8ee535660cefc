"""The fast CPU decoder equals ``DiffusionGemma.decode``, and a canvas never sees its batch."""

from __future__ import annotations

import random
import threading
import time
from dataclasses import replace

import pytest
import torch
from torch import Tensor

from engine.attention import AttentionPlan, HeadGroup, plan_attention, plan_own_attention
from engine.config import LayerConfig, LayerType, ModelConfig, RelationConfig
from engine.kernels.cpu_decoder import CpuDecoder, supports_model
from engine.kernels.cpu_network import decode_tile
from engine.model import DiffusionGemma
from engine.relation_batch import RelationBatch
from solvers.graph.network import graph_config
from solvers.sudoku.geometry import Geometry, geometry
from solvers.sudoku.train import sudoku_config

SHAPES = [(2, 2), (2, 3), (3, 3), (4, 4)]
CPU = torch.device("cpu")


def random_config(rng: random.Random) -> ModelConfig:
    heads, depth = rng.choice([2, 4, 6]), rng.randint(1, 3)
    last: list[LayerType] = ["full_attention"]
    kinds: list[LayerType] = [*(["sliding_attention"] * (depth - 1)), *last]
    sizes = {
        kind: (
            rng.choice([8, 16, 24, 32]),
            rng.choice([h for h in (1, 2, heads) if heads % h == 0]),
        )
        for kind in ("sliding_attention", "full_attention")
    }
    names = ["row", "column", "box", "all"]
    seen = {kind: tuple(rng.choice(names) for _ in range(heads)) for kind in sizes}
    return ModelConfig(
        vocab_size=rng.choice([17, 20, 33, 70]),
        hidden_size=rng.choice([24, 32, 40, 96]),
        intermediate_size=rng.choice([20, 48, 64]),
        moe_intermediate_size=rng.choice([16, 24, 40]),
        num_attention_heads=heads,
        num_experts=1,
        top_k_experts=1,
        layers=tuple(
            LayerConfig(layer_type=k, head_dim=sizes[k][0], num_key_value_heads=sizes[k][1])
            for k in kinds
        ),
        sliding_window=256,
        initializer_range=0.1,
        relations=RelationConfig(names=("row", "column", "box"), heads=seen),  # type: ignore[arg-type]
        positions="none",
        first_belief=rng.choice(["zero", "uniform"]),
    )


def random_model(config: ModelConfig, seed: int) -> DiffusionGemma:
    """Norms, scales and layer scalars random too, so that none can be left out unnoticed."""
    generator = torch.Generator().manual_seed(seed)
    model = DiffusionGemma(config).eval().requires_grad_(False)
    model.init_weights(generator, embedding_std=0.5)
    for name, tensor in [*model.named_parameters(), *model.named_buffers()]:
        if "norm" in name or "scal" in name:
            tensor.copy_(1 + 0.3 * torch.randn(tensor.shape, generator=generator))
    return model


def random_state(
    config: ModelConfig, batch: int, length: int, seed: int
) -> tuple[Tensor, Tensor, Tensor]:
    """A canvas, a belief that is certain of clamped cells, and which cells are free."""
    generator = torch.Generator().manual_seed(seed)
    canvas = torch.randint(config.vocab_size, (batch, length), generator=generator)
    belief = (4 * torch.randn(batch, length, config.vocab_size, generator=generator)).softmax(-1)
    free = torch.rand(batch, length, generator=generator) < torch.linspace(0.2, 1, batch)[:, None]
    certain = torch.nn.functional.one_hot(canvas, config.vocab_size).float()
    return canvas, torch.where(free[..., None], belief, certain), free


def plan_for(config: ModelConfig, shape: Geometry) -> AttentionPlan:
    return plan_attention(config, shape.relations, CPU)


def assert_close(found: Tensor, expected: Tensor) -> None:
    assert (found - expected).abs().max() < 2e-5 * expected.abs().max()
    assert (found - expected).norm() < 1e-5 * expected.norm()


@pytest.fixture(scope="module")
def sudoku() -> tuple[DiffusionGemma, AttentionPlan]:
    model = random_model(sudoku_config(), 0)
    return model, plan_for(model.config, geometry(3, 3))


@pytest.mark.parametrize("seed", range(12))
def test_logits_equal_the_reference_for_any_sizes(seed: int) -> None:
    rng = random.Random(seed)
    config, shape = random_config(rng), geometry(*SHAPES[seed % 4])
    model, plan = random_model(config, seed), plan_for(config, shape)
    canvas, belief, free = random_state(config, 3, shape.cells, seed)
    decoder = CpuDecoder(model, threads=1)
    expected = model.decode(canvas, belief, plan)
    assert_close(decoder.decode(canvas, belief, plan), expected)
    assert_close(decoder.decode(canvas, None, plan), model.decode(canvas, None, plan))
    given = decoder.decode(canvas, belief, plan, free)
    assert_close(given[free], expected[free])
    assert (given[~free] == 0).all()


@pytest.mark.parametrize("shape", SHAPES)
def test_one_decoder_serves_every_geometry(shape: tuple[int, int]) -> None:
    model = random_model(sudoku_config(), 1)
    plan = plan_for(model.config, geometry(*shape))
    canvas, belief, _ = random_state(model.config, 2, geometry(*shape).cells, 5)
    decoder = CpuDecoder(model, threads=1)
    assert_close(decoder.decode(canvas, belief, plan), model.decode(canvas, belief, plan))


def test_a_belief_of_zero_is_no_signal(sudoku: tuple[DiffusionGemma, AttentionPlan]) -> None:
    model, plan = sudoku
    canvas, belief, free = random_state(model.config, 2, 81, 3)
    belief = belief.masked_fill(free[..., None], 0.0)
    expected = model.decode(canvas, belief, plan)
    assert_close(CpuDecoder(model, threads=1).decode(canvas, belief, plan), expected)


def test_knowing_what_is_free_changes_no_bit(sudoku: tuple[DiffusionGemma, AttentionPlan]) -> None:
    model, plan = sudoku
    canvas, belief, free = random_state(model.config, 8, 81, 4)
    decoder = CpuDecoder(model, threads=1)
    whole = decoder.decode(canvas, belief, plan)
    assert torch.equal(decoder.decode(canvas, belief, plan, free)[free], whole[free])


@pytest.mark.parametrize("with_free", [False, True])
def test_a_canvas_never_depends_on_its_batch(
    sudoku: tuple[DiffusionGemma, AttentionPlan], with_free: bool
) -> None:
    model, plan = sudoku
    canvas, belief, free = random_state(model.config, 64, 81, 6)
    decoders = [CpuDecoder(model, threads=n) for n in (1, 2)]
    whole = decoders[0].decode(canvas, belief, plan, free if with_free else None)
    generator = torch.Generator().manual_seed(7)
    for count in (1, 2, 7, 33, 64):
        rows = torch.randperm(64, generator=generator)[:count]
        chosen = free[rows] if with_free else None
        for decoder in decoders:
            part = decoder.decode(canvas[rows], belief[rows], plan, chosen)
            assert torch.equal(part, whole[rows])


def test_a_batch_that_fails_in_one_thread_is_left_by_the_others_first(
    sudoku: tuple[DiffusionGemma, AttentionPlan],
) -> None:
    decoder, left = CpuDecoder(sudoku[0], threads=2), list[int]()

    def work(first: int, last: int) -> None:
        if threading.current_thread() is threading.main_thread():
            raise ZeroDivisionError
        time.sleep(0.1)
        left.append(first)

    with pytest.raises(ZeroDivisionError):
        decoder.share_out(2, work)
    assert len(left) == 1


def test_weights_are_frozen_at_construction() -> None:
    model = random_model(sudoku_config(depth=1), 2)
    plan = plan_for(model.config, geometry(2, 2))
    canvas, belief, _ = random_state(model.config, 1, 16, 8)
    decoder = CpuDecoder(model, threads=1)
    before = decoder.decode(canvas, belief, plan)
    for parameter in model.parameters():
        parameter.zero_()
    assert torch.equal(decoder.decode(canvas, belief, plan), before)


def masked_plan(config: ModelConfig, batch: int, length: int, seed: int) -> AttentionPlan:
    """Each canvas with its own edges for six heads, and a few cells that two heads never see."""
    generator = torch.Generator().manual_seed(seed)
    edges = torch.rand(batch, length, length, generator=generator) < 0.2
    seen = torch.rand(batch, length, generator=generator) < 0.9
    seen[:, 0] = True
    return plan_own_attention(
        config, RelationBatch({"edge": edges | torch.eye(length).bool()}, seen)
    )


@pytest.mark.parametrize("length", [1, 2, 15, 16, 17, 33, 50, 130])
def test_every_canvas_attends_by_its_own_masks(length: int) -> None:
    model = random_model(graph_config("any", 64), length)
    canvas, belief, free = random_state(model.config, 5, length, length)
    plan = masked_plan(model.config, 5, length, length)
    decoder, expected = CpuDecoder(model, threads=2), model.decode(canvas, belief, plan)
    assert_close(decoder.decode(canvas, belief, plan), expected)
    assert_close(decoder.decode(canvas, None, plan), model.decode(canvas, None, plan))
    assert_close(decoder.decode(canvas, belief, plan, free)[free], expected[free])


def test_a_canvas_with_masks_never_depends_on_its_batch() -> None:
    model = random_model(graph_config("any", 8), 3)
    canvas, belief, free = random_state(model.config, 20, 50, 3)
    plan = masked_plan(model.config, 20, 50, 3)
    decoders = [CpuDecoder(model, threads=n) for n in (1, 2)]
    whole = decoders[0].decode(canvas, belief, plan, free)
    assert torch.equal(decoders[1].decode(canvas, belief, plan, free), whole)
    for rows in ([4], [19, 0, 7], list(range(3, 20))):
        kept = {
            kind: tuple(HeadGroup(g.heads, mask=g.mask[rows]) for g in groups if g.mask is not None)
            for kind, groups in plan.items()
        }
        for decoder in decoders:
            part = decoder.decode(canvas[rows], belief[rows], kept, free[rows])
            assert torch.equal(part, whole[rows])


def test_a_mask_may_be_shared_by_all_canvases() -> None:
    model = random_model(graph_config("any", 8), 4)
    canvas, belief, _ = random_state(model.config, 6, 20, 4)
    plan = masked_plan(model.config, 1, 20, 4)
    found = CpuDecoder(model, threads=1).decode(canvas, belief, plan)
    assert_close(found, model.decode(canvas, belief, plan))


def test_groups_of_every_kind_stand_side_by_side() -> None:
    model, length = random_model(graph_config("any", 20), 6), 36
    canvas, belief, free = random_state(model.config, 3, length, 6)
    generator = torch.Generator().manual_seed(6)
    own, of_last, shared, columns = (
        (torch.rand(shape, generator=generator) < 0.3).index_fill_(-1, torch.tensor(0), True)
        for shape in (
            (3, 1, length, length), (3, 1, length, length), (1, 1, length, length),
            (3, 1, 1, length),
        )
    )  # fmt: skip
    classes = torch.randperm(length, generator=generator).reshape(4, 9)
    plan: AttentionPlan = {
        "sliding_attention": (
            HeadGroup(slice(0, 2), mask=own),
            HeadGroup(slice(2, 3), cells=classes),
            HeadGroup(slice(3, 5), mask=shared),
            HeadGroup(slice(5, 6)),
            HeadGroup(slice(6, 8), mask=columns),
        ),
        "full_attention": (HeadGroup(slice(0, 5), mask=of_last), HeadGroup(slice(5, 8), mask=own)),
    }
    found = CpuDecoder(model, threads=2).decode(canvas, belief, plan, free)
    assert_close(found[free], model.decode(canvas, belief, plan)[free])


def test_a_first_plan_with_masks_has_nothing_compiled() -> None:
    model = random_model(graph_config("any", 8), 7)
    canvas, belief, free = random_state(model.config, 2, 20, 7)
    decoder = CpuDecoder(model, threads=1)
    decoder.decode(canvas, belief, masked_plan(model.config, 2, 20, 7), free)
    assert len(decode_tile.signatures) == 1


def test_masks_of_another_number_of_canvases_are_refused() -> None:
    model = random_model(graph_config("any", 8), 5)
    canvas, belief, _ = random_state(model.config, 3, 20, 5)
    with pytest.raises(ValueError, match="for 2 canvases, got 3"):
        CpuDecoder(model, threads=1).decode(canvas, belief, masked_plan(model.config, 2, 20, 5))


def test_a_mask_for_another_length_is_refused(
    sudoku: tuple[DiffusionGemma, AttentionPlan],
) -> None:
    model, plan = sudoku
    masked = {k: (HeadGroup(slice(0, 8), mask=torch.ones(1, 1, 81, 90).bool()),) for k in plan}
    canvas, belief, _ = random_state(model.config, 1, 81, 9)
    with pytest.raises(ValueError, match="90 positions"):
        CpuDecoder(model, threads=1).decode(canvas, belief, masked)


def test_a_plan_for_another_length_is_refused(
    sudoku: tuple[DiffusionGemma, AttentionPlan],
) -> None:
    model, plan = sudoku
    canvas, belief, _ = random_state(model.config, 1, 80, 10)
    with pytest.raises(ValueError, match="81 positions"):
        CpuDecoder(model, threads=1).decode(canvas, belief, plan)


@pytest.mark.parametrize("change", ["experts", "positions", "dtype"])
def test_a_model_of_another_kind_is_refused(change: str) -> None:
    config = sudoku_config(depth=1)
    changes = {"experts": {"num_experts": 2}, "positions": {"positions": "rotary"}}
    model = DiffusionGemma(replace(config, **changes.get(change, {})))  # type: ignore[arg-type]
    if change == "dtype":
        model = model.to(torch.bfloat16)
    assert not supports_model(model)
    with pytest.raises(ValueError, match="float32"):
        CpuDecoder(model, threads=1)
