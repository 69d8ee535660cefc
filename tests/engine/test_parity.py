"""The engine computes what Hugging Face transformers' DiffusionGemma computes."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import Tensor
from transformers import DynamicCache
from transformers.models.diffusion_gemma.generation_diffusion_gemma import (
    DiffusionGemmaGenerationOutput,
    EntropyBoundSamplerConfig,
)

from engine.attention import plan_attention, prompt_visibility
from engine.canvas import SamplingParams
from engine.checkpoint import load_checkpoint, save_checkpoint
from engine.generation import GenerationParams, generate
from engine.model import DiffusionGemma, PromptCache
from engine.relations import Relations
from solvers.sudoku.geometry import geometry
from solvers.sudoku.train import sudoku_config
from tests.engine.hf_reference import (
    Draws,
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


@pytest.mark.parametrize("seed", [1, 2, 8])
def test_a_prompt_padded_in_a_batch_decodes_as_it_does_alone(seed: int, tmp_path: Path) -> None:
    pair = random_pair(seed, tmp_path)
    generator = torch.Generator().manual_seed(seed)
    model, config = pair.checkpoint.model, pair.checkpoint.config
    prompts = [
        torch.randint(config.vocab_size, (1, length), generator=generator) for length in (9, 1, 5)
    ]
    canvas = torch.randint(config.vocab_size, (3, config.canvas_length), generator=generator)
    together = decode(model, canvas, None, PromptCache.pad([model.encode(p)[1] for p in prompts]))
    for row, prompt in enumerate(prompts):
        alone = decode(model, canvas[row, None], None, model.encode(prompt)[1])
        expected = pair.reference(input_ids=prompt, decoder_input_ids=canvas[row, None]).logits
        assert relative_error(together[row, None], alone) < TOLERANCE
        assert relative_error(together[row, None], expected) < TOLERANCE


def generate_with_reference(
    reference: Reference, prompt: Tensor, params: GenerationParams, draws: Draws
) -> DiffusionGemmaGenerationOutput:
    """What the reference generates when it draws from ``draws``."""
    sampling = params.sampling
    with draws.instead_of_torchs():
        return reference.generate(
            prompt,
            max_new_tokens=params.max_new_tokens,
            max_denoising_steps=sampling.max_steps,
            t_min=sampling.t_min,
            t_max=sampling.t_max,
            sampler_config=EntropyBoundSamplerConfig(entropy_bound=sampling.entropy_bound),
            stability_threshold=sampling.stability,
            confidence_threshold=sampling.confidence,
            eos_token_id=list(params.eos_token_ids) or None,
            pad_token_id=params.pad_token_id,
        )


SAMPLING = {
    "published": SamplingParams(max_steps=12),
    "confident at once": SamplingParams(max_steps=12, confidence=2.0, stability=0),
    "stable": SamplingParams(max_steps=12, t_min=0.1, t_max=0.3, confidence=3.0),
    "stable twice": SamplingParams(max_steps=12, t_min=0.1, t_max=0.3, confidence=3.0, stability=2),
    "bold": SamplingParams(max_steps=7, entropy_bound=3.0, confidence=1.0),
}


EARLY = ("confident at once", "stable")


@pytest.mark.parametrize("name", SAMPLING)
@pytest.mark.parametrize("seed", [1, 2, 4, 7])
def test_whole_generations_equal_the_reference_token_for_token(
    seed: int, name: str, tmp_path: Path
) -> None:
    pair = random_pair(seed, tmp_path, carry=0.1)
    model, config = pair.checkpoint.model, pair.checkpoint.config
    params = GenerationParams(sampling=SAMPLING[name], max_new_tokens=2 * config.canvas_length + 1)
    generator = torch.Generator().manual_seed(seed)
    prompt = torch.randint(config.vocab_size, (2, 9), generator=generator)
    draws = Draws(seed, batch=2)
    ours = generate(model, prompt, params, draws)
    theirs = generate_with_reference(pair.reference, prompt, params, draws)
    assert torch.equal(ours.tokens, theirs.sequences[:, prompt.shape[1] :])
    assert torch.equal(ours.tokens.shape[1] / ours.passes, theirs.tokens_per_forward)
    assert ours.tokens.shape == (2, 3 * config.canvas_length)
    if name in EARLY:
        assert (ours.passes < 3 * params.sampling.max_steps).any()


@pytest.mark.parametrize("pad", [None, 0])
@pytest.mark.parametrize("seed", range(3))
def test_generations_end_and_pad_as_the_reference_does(
    seed: int, pad: int | None, tmp_path: Path
) -> None:
    pair = random_pair(seed, tmp_path, carry=0.1)
    model, config = pair.checkpoint.model, pair.checkpoint.config
    length = config.canvas_length
    params = GenerationParams(sampling=SamplingParams(max_steps=6), max_new_tokens=4 * length)
    prompt = torch.tensor([[5, 6, 7], [8, 9, 10]])
    draws = Draws(seed, batch=2)
    free = generate(model, prompt, params, draws).tokens
    # What the first sequence says early and the second late ends them there.
    ends = (int(free[0, length // 2]), int(free[1, 2 * length]))
    params = replace(params, eos_token_ids=ends, pad_token_id=pad)
    ours = generate(model, prompt, params, draws)
    theirs = generate_with_reference(pair.reference, prompt, params, draws)
    assert torch.equal(ours.tokens, theirs.sequences[:, prompt.shape[1] :])
    said = ours.tokens.shape[1] if pad is None else (ours.tokens != pad).sum(dim=-1)
    assert torch.equal(said / ours.passes, theirs.tokens_per_forward)
    assert ours.ended.all()


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
