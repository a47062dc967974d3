"""surefoot: fine-tune vision models that keep their footing when the data shifts.

A Method turns a Model into a Model; a Path joins two models; a Shift asks; a Score answers, and
remembers how it was chosen. This page is the table of contents; names are imported when used, so
``import surefoot`` costs nothing.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

_WHERE = {
    # models
    "Model": "models.model",
    "Head": "models.heads",
    "load": "models.load",
    "zero_shot_head": "models.heads",
    # data
    "Split": "data.dataset",
    "Shift": "data.dataset",
    "ClassMap": "data.dataset",
    "Task": "data.dataset",
    "make_task": "data.specs",
    "pictograms": "data.builtin",
    # methods
    "Method": "methods.base",
    "ZeroShot": "methods.zero_shot",
    "LinearProbe": "methods.lp",
    "FineTune": "methods.ft",
    "LPFT": "methods.lp_ft",
    "WiseFT": "methods.wise_ft",
    "wise_path": "methods.wise_ft",
    "Schedule": "train",
    "RunContext": "context",
    # the path, evaluation, selection
    "Weights": "weights.weights",
    "Path": "paths",
    "sweep": "paths",
    "predict": "evals.predict",
    "evaluate": "evals.predict",
    "score": "evals.predict",
    "select": "select",
    # records
    "Score": "records",
    "Curve": "records",
    "Run": "runs",
    "open_study": "runs",
    # recipes and the report
    "load_recipe": "recipes.recipe",
    "parse_recipe": "recipes.recipe",
    "carry_out": "recipes.study",
    "render": "report",
    "SurefootError": "errors",
}

__all__ = sorted([*_WHERE, "__version__"])

if TYPE_CHECKING:
    from .context import RunContext as RunContext
    from .data.builtin import pictograms as pictograms
    from .data.dataset import ClassMap as ClassMap
    from .data.dataset import Shift as Shift
    from .data.dataset import Split as Split
    from .data.dataset import Task as Task
    from .data.specs import make_task as make_task
    from .errors import SurefootError as SurefootError
    from .evals.predict import evaluate as evaluate
    from .evals.predict import predict as predict
    from .evals.predict import score as score
    from .methods.base import Method as Method
    from .methods.ft import FineTune as FineTune
    from .methods.lp import LinearProbe as LinearProbe
    from .methods.lp_ft import LPFT as LPFT
    from .methods.wise_ft import WiseFT as WiseFT
    from .methods.wise_ft import wise_path as wise_path
    from .methods.zero_shot import ZeroShot as ZeroShot
    from .models.heads import Head as Head
    from .models.heads import zero_shot_head as zero_shot_head
    from .models.load import load as load
    from .models.model import Model as Model
    from .paths import Path as Path
    from .paths import sweep as sweep
    from .recipes.recipe import load_recipe as load_recipe
    from .recipes.recipe import parse_recipe as parse_recipe
    from .recipes.study import carry_out as carry_out
    from .records import Curve as Curve
    from .records import Score as Score
    from .report import render as render
    from .runs import Run as Run
    from .runs import open_study as open_study
    from .select import select as select
    from .train import Schedule as Schedule
    from .weights.weights import Weights as Weights


def __getattr__(name: str) -> Any:
    if name not in _WHERE:
        raise AttributeError(f"module 'surefoot' has no attribute {name!r}")
    value = getattr(importlib.import_module(f".{_WHERE[name]}", __name__), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return __all__
