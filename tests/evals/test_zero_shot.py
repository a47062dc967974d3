from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
import torch

from surefoot.data.dataset import Task
from surefoot.errors import ModelError
from surefoot.evals.predict import predict
from surefoot.evals.zero_shot import same_prompt_names, zero_shot
from surefoot.models.heads import zero_shot_head
from surefoot.models.model import Model


def test_the_head_carries_the_tasks_class_names(
    make_model: Callable[..., Model], task: Task
) -> None:
    model = make_model()
    made = zero_shot(model, task)
    assert model.head is None
    head = made.require_head()
    assert head.class_names == task.class_names
    plain = zero_shot_head(model, ["red fox", "green frog", "blue jay"], task.templates)
    assert torch.equal(head.weight, plain.weight)
    assert made.spec.notes == ()
    assert predict(made, task.test).correct().mean() > 0.5


def test_classes_of_one_prompt_name_are_told(make_model: Callable[..., Model], task: Task) -> None:
    twin = replace(task, prompt_names=("red bird", "green frog", "red bird"))
    assert same_prompt_names(twin) == {"red bird": ["red_fox", "blue_jay"]}
    made = zero_shot(make_model(), twin)
    assert len(made.spec.notes) == 1
    assert "red_fox, blue_jay share the prompt name 'red bird'" in made.spec.notes[0]
    head = made.require_head()
    assert torch.equal(head.weight[0], head.weight[2])
    assert not np.isin(predict(made, task.test).top1(), 2).any()


def test_no_text_tower(make_model: Callable[..., Model], task: Task) -> None:
    with pytest.raises(ModelError, match="no text tower"):
        zero_shot(make_model(normalize=False), task)
