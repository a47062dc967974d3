"""Both ends of a run's path: kept, so that any alpha can be had later."""

from __future__ import annotations

from pathlib import Path as File
from typing import Any

from ..data.dataset import Task
from ..errors import RunError
from ..models.adapters import as_initialised
from ..models.load import load
from ..models.model import Model
from ..models.save import load_for_use, save_model
from ..paths import Path, Prompts
from ..runs import Run
from ..weights.fingerprint import fingerprint

__all__ = ["load_path", "save_ends"]

SMALL = 64 * 2**20
"""Bytes of weights up to which the start is copied into the run; above, source and hash."""


def save_ends(run: Run, path: Path, task: Task) -> None:
    """Write ``end.safetensors`` and the start: its file when small, else its source and hash."""
    start = path.start
    size = sum(p.numel() * p.element_size() for p in start.state_dict().values())
    small = size <= SMALL
    run.write_json(
        "start.json",
        {
            "source": start.spec.source,
            "name": start.spec.name,
            "sha256": fingerprint(start),
            "file": "start.safetensors" if small else None,
            "class_names": list(task.class_names),
            "prompt_names": list(task.names_in_prompts),
            "templates": list(task.templates),
            "head": path.head,
            "head_kind": start.head.kind if start.head is not None else None,
            "batchnorm": path.batchnorm,
        },
    )
    if small:
        save_model(start, run.path / "start.safetensors")
    save_model(path.end, run.path / "end.safetensors")


def load_path(run: Run, *, extrapolate: bool = False) -> Path:
    """The path of a finished run: both ends as they were.

    Raises:
        RunError: The run has no ends yet, or the start that its source gives now is another.
    """
    facts = run.read_json("start.json")
    if facts is None or not (run.path / "end.safetensors").is_file():
        raise RunError(
            f"the run {run.path} has no two ends (its status is {run.status})",
            expected="a finished run of a method that changes weights",
        )
    end = load_for_use(run.path / "end.safetensors")
    prompts = Prompts(*(tuple(facts[k]) for k in ("prompt_names", "templates", "class_names")))
    # An adapter's path starts from the pretrained model with the adapter as it was drawn.
    start = as_initialised(_start(run.path, facts), end)
    if fingerprint(start) != facts["sha256"]:
        raise RunError(
            f"{facts['source']} now gives other weights than the run {run.path} started from",
            expected=f"weights with sha256 {facts['sha256'][:16]}...",
            fix="restore the weights that the run was made with",
        )
    return Path(
        start,
        end,
        head=facts["head"],
        batchnorm=facts["batchnorm"],
        extrapolate=extrapolate,
        prompts=prompts,
    )


def _start(folder: File, facts: dict[str, Any]) -> Model:
    if facts["file"] is not None:
        return load_for_use(folder / facts["file"])
    model = load(facts["source"])
    if facts["head"] in ("interpolate", "text") and model.text is not None:
        from ..models.heads import zero_shot_head

        head = zero_shot_head(
            model, facts["prompt_names"], facts["templates"], class_names=facts["class_names"]
        )
        return model.with_head(head)
    return model
