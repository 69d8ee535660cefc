"""The engine computes what Hugging Face transformers' DiffusionGemma computes."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import Tensor
from transformers import DynamicCache

from engine.attention import plan_attention, prompt_visibility
from engine.checkpoint import load_checkpoint, save_checkpoint
from engine.model import DiffusionGemma, PromptCache
from engine.relations import Relations
from solvers.sudoku.geometry import geometry
from solvers.sudoku.train import sudoku_config
from tests.engine.hf_reference import (
    Pair,
    Reference,
    cache_error,
    empty_cache,
    random_pair,
    random_reference,
    relative_error,
)

pytestmark = [
    pytest.mark.parity,
    # The reference marks steps for CUDA graphs, which imports old TorchScript inside PyTorch.
    pytest.mark.filterwarnings("ignore:`torch.jit.script_method` is deprecated:DeprecationWarning"),
]

TOLERANCE = 1e-4


def decode(
    model: DiffusionGemma, canvas: Tensor, belief: Tensor | None, cache: PromptCache
) -> Tensor:
    visible = prompt_visibility(model.config, cache.lengths, canvas.shape[1])
    plan = plan_attention(model.config, None, model.device, visible)
    return model.decode(canvas, belief, plan, cache)


def assert_decodes_alike(
    pair: Pair, ours: PromptCache, theirs: DynamicCache, generator: torch.Generator
) -> None:
    """With and without self-conditioning."""
    model, batch = pair.checkpoint.model, len(ours.lengths)
    shape = (batch, model.config.canvas_length)
    canvas = torch.randint(model.config.vocab_size, shape, generator=generator)
    believed = 3 * torch.randn(*shape, model.config.vocab_size, generator=generator)
    for logits in (None, believed):
        expected = pair.reference(
            decoder_input_ids=canvas, past_key_values=theirs, self_conditioning_logits=logits
        ).logits
        belief = None if logits is None else logits.softmax(dim=-1)
        assert relative_error(decode(model, canvas, belief, ours), expected) < TOLERANCE


@pytest.mark.parametrize("seed", range(24))
def test_both_passes_equal_the_reference_canvas_after_canvas(seed: int, tmp_path: Path) -> None:
    pair = random_pair(seed, tmp_path)
    generator = torch.Generator().manual_seed(seed)
    config = pair.checkpoint.config
    prompt_length = (2, config.sliding_window + 3, config.sliding_window - 1)[seed % 3]
    theirs, ours = DynamicCache(config=pair.reference.config.text_config), None
    for added in (prompt_length, config.canvas_length, config.canvas_length):
        tokens = torch.randint(config.vocab_size, (2, added), generator=generator)
        expected = pair.reference.model.encoder(input_ids=tokens, past_key_values=theirs)
        hidden, ours = pair.checkpoint.model.encode(tokens, ours)
        assert relative_error(hidden, expected.last_hidden_state) < TOLERANCE
        assert cache_error(ours, theirs) < TOLERANCE
        assert_decodes_alike(pair, ours, theirs, generator)


@pytest.fixture
def _portable_bfloat16(monkeypatch: pytest.MonkeyPatch) -> None:
    # Some virtual machines announce AMX, which oneDNN then uses, and stop whoever does.
    monkeypatch.setattr(torch.backends.mkldnn, "enabled", False)


@pytest.mark.usefixtures("_portable_bfloat16")
@pytest.mark.parametrize("seed", [1, 2, 3, 5])
def test_both_passes_come_close_to_the_reference_in_bfloat16(seed: int, tmp_path: Path) -> None:
    random_reference(seed).to(torch.bfloat16).save_pretrained(tmp_path)
    # The default, grouped matrix products, asks for strides that such small experts have not.
    reference = Reference.from_pretrained(tmp_path, experts_implementation="eager")
    reference.eval().requires_grad_(False)
    model = load_checkpoint(tmp_path).model
    assert model.dtype == reference.dtype == torch.bfloat16
    generator = torch.Generator().manual_seed(seed)
    tokens = torch.randint(model.config.vocab_size, (2, 9), generator=generator)
    canvas = tokens[:, : model.config.canvas_length]
    logits = torch.randn(*canvas.shape, model.config.vocab_size, generator=generator)
    expected = reference(
        input_ids=tokens, decoder_input_ids=canvas, self_conditioning_logits=logits
    ).logits
    hidden, cache = model.encode(tokens)
    assert hidden.dtype == torch.bfloat16
    ours = decode(model, canvas, logits.softmax(dim=-1), cache)
    assert ours.dtype == torch.float32
    assert relative_error(ours, expected) < 0.02  # rounding alone moves it by this much


def test_the_random_references_cover_what_varies(tmp_path: Path) -> None:
    configs = [random_pair(seed, tmp_path / str(seed)).checkpoint.config for seed in range(24)]
    assert {len(c.layers) for c in configs} == {1, 2, 3, 4}
    assert {c.num_experts == c.top_k_experts for c in configs} == {True, False}
    assert {c.num_experts for c in configs} == {1, 2, 5}
    assert {len(c.layer_types) for c in configs} == {1, 2}
    assert any(len({x.num_key_value_heads for x in c.layers}) == 2 for c in configs)
    assert any(len({x.head_dim for x in c.layers}) == 2 for c in configs)
    slides = [c for c in configs if "sliding_attention" in c.layer_types]
    assert {c.sliding_window for c in slides} == {4, 7, 64}


def reference_masks(model: DiffusionGemma, relations: Relations, prompt: int) -> dict[str, Tensor]:
    """Our relations as the reference's decoder takes them: additive, [1, H, L, S + L]."""
    masks = {}
    for kind in model.config.layer_types:
        seen = torch.stack(
            [
                torch.ones(relations.length, relations.length, dtype=torch.bool)
                if name == "all"
                else torch.from_numpy(relations.mask(name))
                for name in model.config.head_relations(kind)
            ]
        )
        seen = torch.nn.functional.pad(seen, (prompt, 0), value=True)
        masks[kind] = torch.zeros(seen.shape).masked_fill(~seen, -torch.inf)[None]
    return masks


@pytest.fixture(scope="module")
def sudoku(tmp_path_factory: pytest.TempPathFactory) -> Pair:
    """A small Sudoku model with our relations, saved by us and loaded by transformers."""
    folder = tmp_path_factory.mktemp("sudoku")
    model = DiffusionGemma(sudoku_config(width=32, depth=3, head_dim=8, inner=24))
    generator = torch.Generator().manual_seed(0)
    model.init_weights(generator)
    for layer in model.layers:
        layer.layer_scalar.uniform_(0.5, 1.5, generator=generator)
        layer.encoder_layer_scalar.uniform_(0.5, 1.5, generator=generator)
    save_checkpoint(model, folder)
    reference = Reference.from_pretrained(folder, attn_implementation="eager")
    return Pair(reference.eval().requires_grad_(False), load_checkpoint(folder))


@pytest.mark.parametrize("prompt_length", [0, 9])
def test_transformers_runs_our_sudoku_model_under_our_relations(
    sudoku: Pair, prompt_length: int
) -> None:
    model, relations = sudoku.checkpoint.model, geometry(2, 3).relations
    generator = torch.Generator().manual_seed(1)
    shape = (2, relations.length)
    canvas = torch.randint(model.config.vocab_size, shape, generator=generator)
    belief = torch.rand(*shape, model.config.vocab_size, generator=generator)
    belief = torch.where(belief > 0.5, belief, 0.0) + torch.nn.functional.one_hot(canvas, 17)
    belief = belief / belief.sum(dim=-1, keepdim=True)
    theirs, ours, visible = empty_cache(sudoku.reference, 2), None, None
    if prompt_length:
        # Every token, the last one too: none may pass for the image token, which reads as padding.
        prompt = torch.arange(2 * prompt_length).view(2, -1) % model.config.vocab_size
        nowhere = torch.zeros(2, prompt_length, dtype=torch.int64)
        theirs = DynamicCache(config=sudoku.reference.config.text_config)
        sudoku.reference.model.encoder(prompt, past_key_values=theirs, position_ids=nowhere)
        _, ours = model.encode(prompt)
        assert cache_error(ours, theirs) < TOLERANCE
        visible = prompt_visibility(model.config, ours.lengths, relations.length)
    expected = sudoku.reference(
        decoder_input_ids=canvas,
        past_key_values=theirs,
        self_conditioning_logits=belief.log(),
        decoder_attention_mask=reference_masks(model, relations, prompt_length),
        decoder_position_ids=torch.zeros(shape, dtype=torch.int64),
    ).logits
    plan = plan_attention(model.config, relations, model.device, visible)
    assert relative_error(model.decode(canvas, belief, plan, ours), expected) < TOLERANCE
