"""surefoot: fine-tune vision models that keep their footing when the data shifts.

A Method turns a Model into a Model; a Path joins two models; a Shift asks; a Score answers, and
remembers how it was chosen. This page is the table of contents; names are imported when used, so
``import surefoot`` costs nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from .contents import lazy

__version__ = "0.1.0"

_WHERE = {
    # models
    "Head": "models.heads",
    "Model": "models.model",
    "list_models": "models.listed",
    "load": "models.load",
    "zero_shot_head": "models.heads",
    # data
    "ClassMap": "data.dataset",
    "Shift": "data.dataset",
    "Split": "data.dataset",
    "Task": "data.dataset",
    "make_task": "data.specs",
    "pictograms": "data.builtin",
    # methods
    "FLYP": "methods.flyp",
    "FiLM": "methods.film",
    "FineTune": "methods.ft",
    "GreedySoup": "methods.greedy_soup",
    "LPFT": "methods.lp_ft",
    "LinearProbe": "methods.lp",
    "LoRA": "methods.lora",
    "Method": "methods.base",
    "ModelStock": "methods.model_stock",
    "SideTuning": "methods.side_tuning",
    "TokenReplay": "methods.token_replay",
    "UniformSoup": "methods.uniform_soup",
    "WiseFT": "methods.wise_ft",
    "ZeroShot": "methods.zero_shot",
    # training
    "RunContext": "context",
    "Schedule": "train",
    # the path, evaluation, selection
    "Path": "paths",
    "Weights": "weights.weights",
    "evaluate": "evals.evaluate",
    "predict": "evals.predict",
    "score": "evals.score",
    "select": "select",
    "sweep": "paths",
    # records
    "Curve": "records",
    "Run": "runs",
    "Score": "records",
    "open_study": "runs",
    # recipes and the report
    "classify": "recipes.classify",
    "fit": "recipes.fit",
    "SurefootError": "errors",
    "load_recipe": "recipes.recipe",
    "parse_recipe": "recipes.recipe",
    "decide": "report.decision",
    "render": "report",
    "run_recipe": "recipes.experiment",
    "Inventory": "inventory",
    "take_inventory": "recipes.inventory",
}

_RENAMED = {"carry_out": "run_recipe", "wise_path": "Path.between"}
"""Old names, which work for one release with a warning."""

_ROOMS = ("errors", "losses", "methods", "metrics", "paths", "published", "registry", "report",
          "stats", "testing", "weights")  # fmt: skip
"""What users call in them is ``surefoot.ROOM.NAME``."""

__all__ = sorted([*_WHERE, "__version__"])

if TYPE_CHECKING:
    from . import errors as errors
    from . import losses as losses
    from . import methods as methods
    from . import metrics as metrics
    from . import paths as paths
    from . import published as published
    from . import registry as registry
    from . import report as report
    from . import stats as stats
    from . import testing as testing
    from . import weights as weights
    from .context import RunContext as RunContext
    from .data.builtin import pictograms as pictograms
    from .data.dataset import ClassMap as ClassMap
    from .data.dataset import Shift as Shift
    from .data.dataset import Split as Split
    from .data.dataset import Task as Task
    from .data.specs import make_task as make_task
    from .errors import SurefootError as SurefootError
    from .evals.evaluate import evaluate as evaluate
    from .evals.predict import predict as predict
    from .evals.score import score as score
    from .inventory import Inventory as Inventory
    from .methods.base import Method as Method
    from .methods.film import FiLM as FiLM
    from .methods.flyp import FLYP as FLYP
    from .methods.ft import FineTune as FineTune
    from .methods.greedy_soup import GreedySoup as GreedySoup
    from .methods.lora import LoRA as LoRA
    from .methods.lp import LinearProbe as LinearProbe
    from .methods.lp_ft import LPFT as LPFT
    from .methods.model_stock import ModelStock as ModelStock
    from .methods.side_tuning import SideTuning as SideTuning
    from .methods.token_replay import TokenReplay as TokenReplay
    from .methods.uniform_soup import UniformSoup as UniformSoup
    from .methods.wise_ft import WiseFT as WiseFT
    from .methods.zero_shot import ZeroShot as ZeroShot
    from .models.heads import Head as Head
    from .models.heads import zero_shot_head as zero_shot_head
    from .models.listed import list_models as list_models
    from .models.load import load as load
    from .models.model import Model as Model
    from .paths import Path as Path
    from .paths import sweep as sweep
    from .recipes.classify import classify as classify
    from .recipes.experiment import run_recipe as run_recipe
    from .recipes.fit import fit as fit
    from .recipes.inventory import take_inventory as take_inventory
    from .recipes.recipe import load_recipe as load_recipe
    from .recipes.recipe import parse_recipe as parse_recipe
    from .records import Curve as Curve
    from .records import Score as Score
    from .report import render as render
    from .report.decision import decide as decide
    from .runs import Run as Run
    from .runs import open_study as open_study
    from .select import select as select
    from .train import Schedule as Schedule
    from .weights.weights import Weights as Weights

__getattr__ = lazy(__name__, _WHERE, _RENAMED, _ROOMS)


def __dir__() -> list[str]:
    return __all__
