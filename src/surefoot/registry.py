"""Name -> object, imported only when asked for.

A registry maps a name to ``"module:attribute"``, so that listing names costs nothing; packages
add their own through entry points (group ``surefoot.methods`` and so on). A name that does not
exist raises :class:`~surefoot.errors.UnknownName` with the nearest ones.
"""

from __future__ import annotations

import difflib
import importlib
from collections.abc import Iterator
from typing import Any

from .errors import MissingDependency, UnknownName

__all__ = ["DATASETS", "METHODS", "MODELS", "Registry", "import_optional", "nearest"]


def nearest(name: str, known: list[str] | tuple[str, ...], count: int = 3) -> list[str]:
    """The names in ``known`` that look most like ``name``, best first."""
    plain = {k.lower().replace("_", "-"): k for k in known}
    close = difflib.get_close_matches(name.lower().replace("_", "-"), plain, n=count, cutoff=0.55)
    return [plain[c] for c in close]


def import_optional(module: str, *, needed_for: str, package: str | None = None) -> Any:
    """Import a package that not every user needs.

    Raises:
        MissingDependency: It is not installed; the message says how to install it.
    """
    try:
        return importlib.import_module(module)
    except ImportError as error:
        name = package or module.split(".")[0]
        raise MissingDependency(
            f"{needed_for} needs the package {name!r}, which cannot be imported ({error})",
            expected=f"{name} in this Python environment",
            fix=f"pip install {name}",
        ) from error


class Registry:
    """A lazy table of names.

    Args:
        kind: What it holds, in the singular, as messages name it: "method", "model".
        builtin: name -> "module:attribute".
    """

    def __init__(self, kind: str, builtin: dict[str, str]) -> None:
        self.kind = kind
        self._table: dict[str, str | object] = dict(builtin)
        self._plugins_read = False

    def _read_plugins(self) -> None:
        if not self._plugins_read:
            # Imported here: it takes longer than all else that `surefoot --help` imports.
            from importlib.metadata import entry_points

            self._plugins_read = True
            for point in entry_points(group=f"surefoot.{self.kind}s"):
                self._table.setdefault(point.name, point.value)

    def names(self) -> list[str]:
        """Every name, sorted; nothing is imported."""
        self._read_plugins()
        return sorted(self._table)

    def __contains__(self, name: object) -> bool:
        return name in self.names()

    def __iter__(self) -> Iterator[str]:
        return iter(self.names())

    def add(self, name: str, target: str | object, *, replace: bool = False) -> None:
        """Register an object, or a "module:attribute" to import later.

        Args:
            name: As messages and recipes call it.
            target: What it stands for.
            replace: In the place of what has the name.

        Raises:
            ValueError: The name is taken.
        """
        if name in self and not replace:
            raise ValueError(f"the {self.kind} {name!r} is registered already")
        self._table[name] = target

    def get(self, name: str) -> Any:
        """The object behind a name.

        Raises:
            UnknownName: No such name; the nearest ones are named.
        """
        self._read_plugins()
        known = name if name in self._table else name.replace("_", "-")
        if known not in self._table:
            raise UnknownName(self.kind, name, self.names(), nearest(name, self.names()))
        target = self._table[known]
        if isinstance(target, str):
            module, _, attribute = target.partition(":")
            target = self._table[known] = getattr(importlib.import_module(module), attribute)
        return target


METHODS = Registry(
    "method",
    {
        "zero-shot": "surefoot.methods.zero_shot:ZeroShot",
        "lp": "surefoot.methods.lp:LinearProbe",
        "ft": "surefoot.methods.ft:FineTune",
        "lp-ft": "surefoot.methods.lp_ft:LPFT",
        "wise-ft": "surefoot.methods.wise_ft:WiseFT",
        "uniform-soup": "surefoot.methods.uniform_soup:UniformSoup",
        "greedy-soup": "surefoot.methods.greedy_soup:GreedySoup",
        "model-stock": "surefoot.methods.model_stock:ModelStock",
        "lines": "surefoot.methods.lines:LiNeS",
        "fisher": "surefoot.methods.fisher:FisherWise",
        "output-ensemble": "surefoot.methods.output_ensemble:OutputEnsemble",
        "encoder-ft": "surefoot.methods.encoder_ft:EncoderFineTune",
        "task-arithmetic": "surefoot.methods.task_arithmetic:TaskArithmetic",
        "ties": "surefoot.methods.ties:Ties",
        "paint": "surefoot.methods.paint:Paint",
        "flyp": "surefoot.methods.flyp:FLYP",
        "flyp-ce": "surefoot.methods.flyp_ce:FLYPCE",
        "l2-sp": "surefoot.methods.l2_sp:L2SP",
        "ema": "surefoot.methods.ema:EMA",
        "swa": "surefoot.methods.swa:SWA",
        "gradual": "surefoot.methods.gradual:GradualUnfreezing",
        "head-only": "surefoot.methods.head_only:HeadOnly",
        "last-blocks": "surefoot.methods.partial:LastBlocks",
        "norm-only": "surefoot.methods.partial:NormOnly",
        "bias-only": "surefoot.methods.partial:BiasOnly",
        "film": "surefoot.methods.film:FiLM",
        "film-all": "surefoot.methods.film:FiLMAll",
        "lora": "surefoot.methods.lora:LoRA",
        "side-tuning": "surefoot.methods.side_tuning:SideTuning",
        "token-replay": "surefoot.methods.token_replay:TokenReplay",
        "language": "surefoot.methods.language:LanguageSupervision",
    },
)

MODELS = Registry(
    "model",
    {
        "tiny-clip": "surefoot.models.tiny:load_tiny_clip",
        "tiny-dino": "surefoot.models.tiny:load_tiny_dino",
    },
)

DATASETS = Registry(
    "dataset",
    {
        "pictograms": "surefoot.data.builtin:pictograms",
        "imagenet": "surefoot.data.known.imagenet:IMAGENET",
        "imagenetv2-matched-frequency": "surefoot.data.known.imagenet_v2:MATCHED_FREQUENCY",
        "imagenetv2-threshold-0.7": "surefoot.data.known.imagenet_v2:THRESHOLD_07",
        "imagenetv2-top-images": "surefoot.data.known.imagenet_v2:TOP_IMAGES",
        "imagenet-r": "surefoot.data.known.imagenet:IMAGENET_R",
        "imagenet-a": "surefoot.data.known.imagenet:IMAGENET_A",
        "imagenet-sketch": "surefoot.data.known.imagenet:IMAGENET_SKETCH",
        "objectnet": "surefoot.data.known.objectnet:OBJECTNET",
        "imagenet-vid-robust": "surefoot.data.known.frames:IMAGENET_VID_ROBUST",
        "ytbb-robust": "surefoot.data.known.ytbb_robust:YTBB_ROBUST",
        "living-17": "surefoot.data.known.breeds:LIVING_17",
        "entity-30": "surefoot.data.known.breeds:ENTITY_30",
        "iwildcam": "surefoot.data.known.iwildcam:IWILDCAM",
        "fmow": "surefoot.data.known.fmow:FMOW",
        "fmow-continents": "surefoot.data.known.fmow:FMOW_CONTINENTS",
        "cifar10": "surefoot.data.known.cifar:CIFAR10",
        "cifar100": "surefoot.data.known.cifar:CIFAR100",
        "cifar10.1-v4": "surefoot.data.known.cifar_new:CIFAR10_1_V4",
        "cifar10.1-v6": "surefoot.data.known.cifar_new:CIFAR10_1_V6",
        "cifar10.2": "surefoot.data.known.cifar_new:CIFAR10_2",
        "stl10": "surefoot.data.known.stl:STL10",
        "domainnet": "surefoot.data.known.domainnet:DOMAINNET",
        "pacs": "surefoot.data.known.pacs:PACS",
        "cars": "surefoot.data.known.transfer_mat:CARS",
        "dtd": "surefoot.data.known.transfer_lists:DTD",
        "sun397": "surefoot.data.known.transfer_lists:SUN397",
        "food101": "surefoot.data.known.transfer_lists:FOOD101",
        "caltech101": "surefoot.data.known.transfer_folders:CALTECH101",
        "flowers102": "surefoot.data.known.transfer_mat:FLOWERS102",
        "pets": "surefoot.data.known.transfer_lists:PETS",
        "pcam": "surefoot.data.known.pcam:PCAM",
        "rendered-sst2": "surefoot.data.known.transfer_folders:RENDERED_SST2",
        "coco-captions": "surefoot.data.known.captions:COCO_CAPTIONS",
        "conceptual-captions": "surefoot.data.known.captions:CONCEPTUAL_CAPTIONS",
    },
)
