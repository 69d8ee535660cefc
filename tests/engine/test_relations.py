import numpy as np
import pytest
import torch

from engine.attention import HeadGroup, attend, plan_attention
from engine.relations import Relations, partition_of
from tests.engine.factories import CELLS, LATIN, RELATIONS, small_config


def test_a_partition_into_equal_classes_is_recognised() -> None:
    cells = partition_of(RELATIONS.matrices["column"])
    assert cells is not None
    assert cells.tolist() == [[c + LATIN * r for r in range(LATIN)] for c in range(LATIN)]


def test_a_relation_that_is_no_partition_is_not_taken_for_one() -> None:
    path = np.eye(4, k=1, dtype=np.bool_) | np.eye(4, k=-1, dtype=np.bool_)
    assert partition_of(path) is None


def test_unequal_classes_are_not_taken_for_a_partition() -> None:
    classes = np.array([0, 0, 1])
    assert partition_of(classes[:, None] == classes[None, :]) is None


@pytest.mark.parametrize("name", ["row", "column"])
def test_attention_within_classes_equals_masked_attention(name: str) -> None:
    q, k, v = torch.randn(3, 2, 4, CELLS, 8)
    mask = torch.from_numpy(RELATIONS.mask(name))[None, None]
    within = attend(
        q, k, v, [HeadGroup(slice(0, 4), cells=torch.from_numpy(RELATIONS.partitions[name]))]
    )
    masked = attend(q, k, v, [HeadGroup(slice(0, 4), mask=mask)])
    assert torch.allclose(within, masked, atol=1e-5)


def test_groups_of_heads_attend_each_in_its_way() -> None:
    q, k, v = torch.randn(3, 2, 4, CELLS, 8)
    plan = plan_attention(small_config(), RELATIONS, torch.device("cpu"))
    together = attend(q, k, v, plan["full_attention"])
    for head, name in enumerate(("row", "column")):
        mask = torch.from_numpy(RELATIONS.mask(name))[None, None]
        one = slice(head, head + 1)
        alone = attend(q[:, one], k[:, one], v[:, one], [HeadGroup(slice(0, 1), mask=mask)])
        assert torch.allclose(together[:, one], alone, atol=1e-5)


def test_a_model_refuses_a_canvas_without_its_relations() -> None:
    with pytest.raises(ValueError, match=r"\['column', 'row'\]"):
        plan_attention(small_config(), None, torch.device("cpu"))


def test_a_relation_of_the_wrong_shape_is_refused_by_name() -> None:
    with pytest.raises(ValueError, match=r"relation 'edge': shape \(2, 2\), expected \(3, 3\)"):
        Relations(3, {"edge": np.zeros((2, 2), np.bool_)})
