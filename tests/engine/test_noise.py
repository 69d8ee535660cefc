import torch
from hypothesis import given
from hypothesis import strategies as st

from engine.noise import CounterNoise, mix64, stream_keys, to_uniform

int64s = st.integers(-(2**63), 2**63 - 1)


def splitmix_reference(x: int) -> int:
    """SplitMix64's finaliser on Python integers, modulo 2^64."""
    mask = 2**64 - 1
    x &= mask
    x = (x ^ (x >> 30)) * 0xBF58476D1CE4E5B9 & mask
    x = (x ^ (x >> 27)) * 0x94D049BB133111EB & mask
    x ^= x >> 31
    return x - 2**64 if x >= 2**63 else x


@given(int64s)
def test_the_hash_is_splitmix64(x: int) -> None:
    assert mix64(torch.tensor([x])).item() == splitmix_reference(x)


@given(int64s)
def test_uniform_draws_are_strictly_inside_the_unit_interval(bits: int) -> None:
    assert 0.0 < to_uniform(torch.tensor([bits])).item() < 1.0


def test_the_extreme_draws_give_finite_gumbel_noise() -> None:
    extremes = to_uniform(torch.tensor([0, -1]))
    assert torch.isfinite(-torch.log(-torch.log(extremes))).all()


def noise(seed: int, candidate: int, step: int) -> CounterNoise:
    return CounterNoise(
        stream_keys(torch.tensor([seed]), torch.tensor([candidate])), torch.tensor([step])
    )


def test_a_row_draws_the_same_whatever_else_is_in_the_batch() -> None:
    seeds, candidates = torch.tensor([5, 6, 7]), torch.tensor([0, 1, 2])
    batch = CounterNoise(stream_keys(seeds, candidates), torch.tensor([3, 9, 4]))
    assert torch.equal(batch.gumbel(6, 11)[1], noise(6, 1, 9).gumbel(6, 11)[0])
    assert torch.equal(batch.renoise(6)[2], noise(7, 2, 4).renoise(6)[0])


def test_seed_candidate_step_and_kind_each_change_the_draws() -> None:
    base = noise(1, 0, 1)
    others = [noise(2, 0, 1), noise(1, 1, 1), noise(1, 0, 2)]
    for other in others:
        assert not torch.equal(base.renoise(64), other.renoise(64))
    assert not torch.equal(base.renoise(64), base.start(64))


def test_uniform_draws_have_the_right_moments() -> None:
    draws = noise(3, 0, 1).renoise(200_000)
    assert abs(draws.mean().item() - 0.5) < 0.005
    assert abs(draws.var().item() - 1 / 12) < 0.002


def test_gumbel_argmax_draws_from_the_distribution() -> None:
    probabilities = torch.tensor([0.5, 0.3, 0.15, 0.05])
    draws = (probabilities.log() + noise(9, 0, 1).gumbel(100_000, 4)).argmax(dim=-1)
    shares = torch.bincount(draws.flatten(), minlength=4) / draws.numel()
    assert torch.allclose(shares, probabilities, atol=0.01)
