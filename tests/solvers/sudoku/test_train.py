"""Where a training run begins."""

from pathlib import Path

import pytest
import torch

from engine.checkpoint import CheckpointError, save_checkpoint
from engine.model import DiffusionGemma
from solvers.sudoku.train import prepare, sudoku_config
from solvers.training import TrainingOptions
from tests.engine.factories import small_model


def sudoku_model(seed: int) -> DiffusionGemma:
    model = DiffusionGemma(sudoku_config(width=16, depth=2))
    model.init_weights(torch.Generator().manual_seed(seed))
    return model


def begun(folder: Path, start: Path) -> DiffusionGemma:
    options = TrainingOptions(budget_s=1.0, canvases=1, device="cpu", start=start, seed=1)
    return prepare(options, folder).model


def test_a_run_begins_with_the_weights_of_a_checkpoint_and_learns_on_them(tmp_path: Path) -> None:
    given = sudoku_model(seed=5)
    save_checkpoint(given, tmp_path / "start")
    model = begun(tmp_path / "run", tmp_path / "start")
    assert model.config == given.config
    for name, weight in given.state_dict().items():
        assert torch.equal(model.state_dict()[name], weight), name
    assert model.training
    assert all(weight.requires_grad for weight in model.parameters())


def test_a_state_in_the_folder_wins_over_the_checkpoint_to_begin_with(tmp_path: Path) -> None:
    save_checkpoint(sudoku_model(seed=5), tmp_path / "start")
    options = TrainingOptions(budget_s=1.0, canvases=1, device="cpu", start=tmp_path / "start")
    earlier = prepare(options, tmp_path / "run")
    with torch.no_grad():
        earlier.model.norm.weight.fill_(7.0)
    earlier.save(tmp_path / "run" / "state.pt")
    model = begun(tmp_path / "run", tmp_path / "start")
    assert (model.norm.weight == 7.0).all()


def test_a_checkpoint_of_another_task_is_no_start(tmp_path: Path) -> None:
    save_checkpoint(small_model(), tmp_path / "latin")
    with pytest.raises(ValueError, match="latin is a checkpoint for latin, not for sudoku"):
        begun(tmp_path / "run", tmp_path / "latin")


def test_a_folder_without_a_checkpoint_is_no_start(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match=str(tmp_path / "nothing")):
        begun(tmp_path / "run", tmp_path / "nothing")


@pytest.mark.parametrize("content", [b"junk", b"", b"not a state at all"])
def test_a_damaged_state_is_refused_by_name(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "state.pt").write_bytes(content)
    with pytest.raises(ValueError, match=r"state\.pt is no state of a training run"):
        prepare(TrainingOptions(budget_s=1.0, canvases=1, device="cpu", width=16), tmp_path)
