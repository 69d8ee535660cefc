import gc
import threading
import time
import weakref

import numpy as np
import numpy.typing as npt
import pytest
from ortools.sat.python import cp_model

from solvers.base import Outcome
from solvers.exact import Choices, ModelError, Search, choose, hint_belief, search
from solvers.stop import Stop

QUICK = Search(seed=0, limit_s=10.0)


def pigeons(holes: int) -> tuple[cp_model.CpModel, Choices]:
    """One pigeon more than holes, at most one in each: no answer, and hard to prove."""
    model = cp_model.CpModel()
    choices = choose(model, np.ones((holes + 1, holes), np.bool_))
    for hole in range(holes):
        model.add_at_most_one(choices.taking(range(holes + 1), hole))
    return model, choices


def test_choices_take_one_token_of_their_domain() -> None:
    domain = np.array([[True, False, True], [False, True, False]])
    model = cp_model.CpModel()
    choices = choose(model, domain)
    tokens = choices.read(search(model, QUICK).values)
    assert tokens[0] in (0, 2)
    assert tokens[1] == 1
    assert len(choices.taking([0, 1], 1)) == 1


def test_a_position_without_a_token_is_unsatisfiable() -> None:
    model = cp_model.CpModel()
    choose(model, np.array([[True, True], [False, False]]))
    assert search(model, QUICK).outcome is Outcome.UNSATISFIABLE


def test_what_has_no_answer_is_proved_so() -> None:
    found = search(pigeons(4)[0], QUICK)
    assert found.outcome is Outcome.UNSATISFIABLE
    assert found.values == ()


def test_running_out_of_time_is_undecided() -> None:
    found = search(pigeons(40)[0], Search(seed=0, limit_s=0.2))
    assert found.outcome is Outcome.UNDECIDED
    assert found.values == ()
    assert not found.optimal


@pytest.mark.parametrize("after_s", [0.0, 0.001, 0.01, 0.1, 0.5])
def test_a_search_is_stopped_from_another_thread(after_s: float) -> None:
    stop = Stop()
    timer = threading.Timer(after_s, stop.ask)
    model, started = pigeons(40)[0], time.monotonic()
    timer.start()
    assert search(model, Search(seed=0, limit_s=60.0), stop).outcome is Outcome.UNDECIDED
    assert time.monotonic() - started < after_s + 5.0
    timer.join()


def test_a_search_that_is_no_longer_wanted_ends_as_it_begins() -> None:
    stop, model = Stop(), pigeons(40)[0]
    stop.ask()
    started = time.monotonic()
    assert search(model, Search(seed=0, limit_s=60.0), stop).outcome is Outcome.UNDECIDED
    assert time.monotonic() - started < 5.0


def test_stopping_what_is_over_does_nothing() -> None:
    stop, ends = Stop(), []
    assert search(pigeons(3)[0], QUICK, stop).outcome is Outcome.UNSATISFIABLE
    with stop.obeyed_by(lambda: ends.append("earlier")):
        pass
    with stop.obeyed_by(lambda: ends.append("now")):
        stop.ask()
        stop.ask()
    stop.ask()
    assert ends == ["now", "now"]


def test_an_objective_is_optimised_and_bounded() -> None:
    model = cp_model.CpModel()
    choices = choose(model, np.ones((3, 3), np.bool_))
    for token in range(3):
        model.add_at_most_one(choices.taking(range(3), token))
    costs = [[4, 1, 3], [2, 0, 5], [3, 2, 2]]
    model.minimize(
        sum(
            costs[p][t] * literal
            for p, row in enumerate(choices.literals)
            for t, literal in row.items()
        )
    )
    found = search(model, Search(seed=0, limit_s=10.0, linear=True))
    assert found.optimal
    assert found.bound == 5
    assert choices.read(found.values) == (1, 0, 2)


def latin_square(size: int, domain: npt.NDArray[np.bool_]) -> tuple[cp_model.CpModel, Choices]:
    """Each token once in every row and column."""
    model = cp_model.CpModel()
    choices = choose(model, domain)
    cells = np.arange(size * size).reshape(size, size)
    for line in [*cells.tolist(), *cells.T.tolist()]:
        for token in range(size):
            model.add_exactly_one(choices.taking(line, token))
    return model, choices


def test_hints_lead_where_there_are_many_answers() -> None:
    rng, size = np.random.default_rng(0), 9
    wanted = (rng.permutation(size)[:, None] + rng.permutation(size)) % size
    model, choices = latin_square(size, np.ones((size * size, size), np.bool_))
    hint_belief(model, choices, np.eye(size, dtype=np.float32)[wanted.flatten()])
    assert choices.read(search(model, QUICK).values) == tuple(wanted.flatten().tolist())


def test_hints_outside_the_domain_give_way_to_the_next_likeliest() -> None:
    size = 9
    wanted = (np.arange(size)[:, None] + np.arange(size)).flatten() % size
    domain = np.ones((size * size, size), np.bool_)
    domain[0, 5] = False
    belief = np.eye(size, dtype=np.float32)[wanted]
    belief[0, 5] = 2.0
    model, choices = latin_square(size, domain)
    hint_belief(model, choices, belief)
    assert choices.read(search(model, QUICK).values) == tuple(wanted.tolist())


def test_a_model_that_is_malformed_is_the_solvers_mistake() -> None:
    model = cp_model.CpModel()
    model.new_int_var(3, 1, "nothing")
    with pytest.raises(ModelError, match="domain"):
        search(model, QUICK)


@pytest.mark.parametrize("seed", [0, 2**31, 2**63 - 1])
def test_any_seed_of_an_effort_is_taken(seed: int) -> None:
    model, _ = pigeons(3)
    assert search(model, Search(seed=seed, limit_s=5.0)).outcome is Outcome.UNSATISFIABLE


def test_a_model_that_was_searched_is_gone_with_its_last_name() -> None:
    gc.collect()
    gc.disable()
    try:
        model = cp_model.CpModel()
        model.add_bool_or([model.new_bool_var("")])
        gone = weakref.ref(model)
        search(model, Search(seed=0, limit_s=1.0))
        del model
        assert gone() is None
    finally:
        gc.enable()
