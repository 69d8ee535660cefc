"""Training on a toy: Latin squares of side 4."""

import itertools
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from engine.checkpoint import load_checkpoint
from engine.model import DiffusionGemma
from engine.relations import Relations
from engine.training.rollout import LiveCanvases, RolloutSettings
from engine.training.source import Lane, Problems
from engine.training.trainer import Trainer, TrainSettings
from tests.engine.factories import CELLS, LATIN, RELATIONS, VOCABULARY, small_config

SQUARE = np.array([[1, 2, 3, 4], [2, 1, 4, 3], [3, 4, 1, 2], [4, 3, 2, 1]])
CPU = torch.device("cpu")


class LatinSource:
    """Relabelled squares of which about a third is blank."""

    @property
    def relations(self) -> Relations:
        return RELATIONS

    def draw(self, count: int, rng: np.random.Generator) -> Problems:
        relabel = rng.permuted(np.tile(np.arange(1, LATIN + 1), (count, 1)), axis=1)
        labels = torch.from_numpy(relabel[:, SQUARE.flatten() - 1])
        free_domain = torch.ones(VOCABULARY, dtype=torch.bool)
        free_domain[0] = False
        clamped = torch.from_numpy(rng.random((count, CELLS)) < 0.65)
        return Problems.clamping(labels, clamped, free_domain)

    def labels_for(self, problems: Problems, draft: torch.Tensor) -> torch.Tensor:
        return problems.labels


def new_trainer(budget_s: float = 1e9, **changes: object) -> Trainer:
    model = DiffusionGemma(small_config())
    model.init_weights(torch.Generator().manual_seed(0))
    settings = TrainSettings(budget_s=budget_s, log_every=5, warmup_updates=5)
    return Trainer(model, [Lane(LatinSource(), 1.0, 16)], replace(settings, **changes))


def test_the_loss_falls_and_canvases_get_solved() -> None:
    records = list(itertools.islice(new_trainer().run(), 12))
    assert records[-1].loss < 0.7 * records[0].loss
    assert records[-1].solved > records[0].solved
    assert [r.update for r in records] == list(range(5, 65, 5))


def test_a_run_stops_when_its_budget_is_spent_and_resumes_from_its_state(tmp_path: Path) -> None:
    state = tmp_path / "state.pt"
    first = new_trainer(budget_s=0.5)
    assert sum(1 for _ in first.run(state)) > 0
    assert first.elapsed_s >= 0.5
    second = new_trainer(budget_s=1.0)
    second.load(state)
    assert second.update == first.update
    assert torch.equal(second.averaged.norm.weight, first.averaged.norm.weight)
    list(second.run(state))
    assert second.update > first.update
    assert 1.0 <= second.elapsed_s < 2.0


def test_a_spent_budget_trains_no_more(tmp_path: Path) -> None:
    trainer = new_trainer(budget_s=0.3)
    list(trainer.run(tmp_path / "state.pt"))
    updates = trainer.update
    assert list(trainer.run(tmp_path / "state.pt")) == []
    assert trainer.update == updates


def test_the_exported_checkpoint_holds_the_averaged_weights(tmp_path: Path) -> None:
    trainer = new_trainer(budget_s=0.3)
    list(trainer.run())
    trainer.export(tmp_path)
    loaded = load_checkpoint(tmp_path).model
    assert torch.equal(loaded.embed_tokens.weight, trainer.averaged.embed_tokens.weight)
    assert not torch.equal(loaded.embed_tokens.weight, trainer.model.embed_tokens.weight)


def test_a_state_of_other_sizes_is_refused(tmp_path: Path) -> None:
    new_trainer().save(tmp_path / "state.pt")
    other = Trainer(DiffusionGemma(small_config(hidden_size=16)), [], TrainSettings(budget_s=1.0))
    with pytest.raises(RuntimeError, match="size mismatch"):
        other.load(tmp_path / "state.pt")


def live(count: int = 12, **changes: object) -> LiveCanvases:
    settings = replace(RolloutSettings(), **changes)
    return LiveCanvases(LatinSource(), count, settings, np.random.default_rng(0), CPU)


def test_live_canvases_hold_their_clamps_and_domains_at_every_age() -> None:
    canvases = live()
    for _ in range(20):
        canvases.advance(torch.randn(12, CELLS, VOCABULARY))
        problems = canvases.problems
        assert (canvases.canvas == problems.labels)[problems.clamped].all()
        assert problems.domain.gather(-1, canvases.canvas[..., None]).all()
        assert (canvases.belief[~problems.domain] == 0).all()


def test_ages_start_spread_and_never_reach_the_horizon() -> None:
    canvases = live(64, horizon=5, retire=0.0)
    assert len(set(canvases.ages.tolist())) == 5
    for _ in range(7):
        canvases.advance(torch.randn(64, CELLS, VOCABULARY))
        assert int(canvases.ages.max()) < 5


def test_a_solved_canvas_is_reported_and_retired() -> None:
    canvases = live(retire=1.0, horizon=1000)
    truth = torch.nn.functional.one_hot(canvases.problems.labels, VOCABULARY) * 50.0
    assert canvases.advance(truth).all()
    assert (canvases.ages == 0).all()
