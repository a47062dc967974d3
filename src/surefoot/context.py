"""Where a fit runs: device, processes, log, checkpoint, progress. Without one, all in memory."""

from __future__ import annotations

import json
import logging
import math
import os
import shutil
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

import torch
from accelerate import Accelerator
from accelerate.state import AcceleratorState
from torch import Tensor, nn

from .errors import TrainingError
from .threads import MOST, cores

__all__ = [
    "InParts",
    "Precision",
    "RunContext",
    "cap_threads",
    "convolutional",
    "halved",
    "jsonl_log",
    "pick_device",
    "pick_workers",
]

Precision = Literal["auto", "fp32", "bf16", "fp16"]


def cap_threads() -> int:
    """Give torch as many threads as this process has cores, unless OMP_NUM_THREADS says.

    Containers often show more cores than they grant; more threads than cores is slower.
    """
    if "OMP_NUM_THREADS" not in os.environ:
        torch.set_num_threads(min(cores(), MOST))
    return torch.get_num_threads()


_FEW = 1024
"""Images that are read sooner than the processes that would read them have started."""

_SHARED = 4 << 30
"""Bytes of shared memory that batches of several workers may need."""


def pick_workers(workers: int | Literal["auto"], device: torch.device, images: int) -> int:
    """Processes that load images for this one.

    "auto" takes none where they could not help: on a CPU, whose cores the network needs; for a
    thousand images or fewer; where shared memory is short (containers often have 64 MB), since
    batches come through it. Otherwise one for each core of this process but its own, 8 at most.
    What is loaded does not depend on it.

    Args:
        workers: A number stays as it is.
        device: Where the network runs.
        images: Of one epoch, over all processes.
    """
    if workers != "auto":
        return workers
    if device.type == "cpu" or images <= _FEW or _shared_memory() < _SHARED:
        return 0
    return max(0, min(cores() - 1, 8))


def _shared_memory() -> int:
    """Bytes that are free; plenty where it is no file system of its own."""
    place = Path("/dev/shm")
    return shutil.disk_usage(place).free if place.is_dir() else sys.maxsize


def pick_device(device: str = "auto") -> torch.device:
    """The device by name; "auto" takes CUDA, then Apple's MPS, then the CPU.

    Raises:
        TrainingError: The name is unknown or the device is not there.
    """
    if device == "auto":
        if torch.cuda.is_available():
            return torch.device("cuda")
        mps = getattr(torch.backends, "mps", None)
        return torch.device("mps" if mps is not None and mps.is_available() else "cpu")
    try:
        chosen = torch.device(device)
        torch.empty(1, device=chosen)
    except (RuntimeError, AssertionError) as error:
        raise TrainingError(
            f"the device {device!r} cannot be used: {str(error).splitlines()[0]}",
            expected="auto, cpu, cuda, cuda:N or mps, as this machine has them",
        ) from error
    return chosen


def _ignore(row: Any) -> None:
    """A log that keeps nothing, or nobody to tell."""


@dataclass(frozen=True)
class RunContext:
    """What a fit may touch beside its arguments.

    Attributes:
        device: "auto", "cpu", "cuda", "cuda:N", "mps".
        precision: "auto": bf16 where a CUDA device has it, else fp16 there, fp32 elsewhere.
        log: Takes one dictionary per logged step; only the main process calls it.
        tell: Takes lines for people: notes (memory ran out, a training was taken up again), and
            epochs where no bar is shown; only the main process calls it.
        log_every: Steps between two rows.
        checkpoints: Folder for the loop's checkpoints; None keeps none.
        resume: Go on from a checkpoint that fits.
        progress: Show a bar on stderr.
        workers: Processes that load images; 0 loads in this one.
        compile: Compile what trains (torch.compile): a minute or so at the start, then faster
            steps. "auto" does nothing: whether it pays depends on the length of the run.
        compile_backend: Of torch.compile.
        channels_last: Memory layout of images and convolutions; "auto": on CUDA devices, and for
            networks of convolutions on a CPU.
        shard: Cut weights and optimiser state up over the processes (FSDP); "auto": where the
            launcher asks for it (``accelerate launch --use_fsdp``).
        validate: Ask ID validation after every epoch, for the log; nothing is chosen there.
        memo: What fits with this context share: features, heads, what the start answered.
        stage: Names the part of a method that trains now ("lp-ft/tune"), for logs and files.

    Example:
        >>> run = sf.RunContext(device="cpu", precision="fp32")
        >>> tuned = sf.FineTune(epochs=1, batch_size=8).fit(model, task, run=run)
    """

    device: str = "auto"
    precision: Precision = "auto"
    log: Callable[[Mapping[str, Any]], None] = _ignore
    tell: Callable[[str], None] = _ignore
    log_every: int = 10
    checkpoints: Path | None = None
    resume: bool = False
    progress: bool = False
    workers: int = 0
    compile: bool | Literal["auto"] = "auto"
    compile_backend: str = "inductor"
    channels_last: bool | Literal["auto"] = "auto"
    shard: bool | Literal["auto"] = "auto"
    validate: bool = True
    stage: str = ""
    memo: dict[str, Any] = field(default_factory=dict, repr=False, compare=False)

    def channels_last_on(self, device: torch.device, network: nn.Module) -> bool:
        """Whether convolutions get their images channel by channel or pixel by pixel (True)."""
        if self.channels_last == "auto":
            return device.type == "cuda" or (device.type == "cpu" and convolutional(network))
        return self.channels_last

    def shards(self) -> bool:
        """Whether several processes cut the weights up among them."""
        if self.shard == "auto":
            return os.environ.get("ACCELERATE_USE_FSDP", "false").lower() == "true"
        return self.shard

    def staged(self, name: str) -> RunContext:
        """The same for a part of a method."""
        return replace(self, stage=f"{self.stage}/{name}" if self.stage else name)

    def quiet(self) -> RunContext:
        """The same without log, checkpoints or progress, for trials."""
        return replace(
            self, log=_ignore, tell=_ignore, checkpoints=None, progress=False, resume=False
        )

    def say(self, **row: Any) -> None:
        """Log one row, with the stage; a note in it is told to people too."""
        self.log({"stage": self.stage, **row})
        if "note" in row:
            self.tell(f"{self.stage}: {row['note']}" if self.stage else str(row["note"]))

    def checkpoint_file(self) -> Path | None:
        """Where this stage's checkpoint lies."""
        if self.checkpoints is None:
            return None
        return self.checkpoints / f"{(self.stage or 'train').replace('/', '-')}.pt"

    def accelerator(self) -> Accelerator:
        """Accelerate's handle on device, processes and mixed precision."""
        device = pick_device(self.device)
        mixed = _mixed_precision(self.precision, device)
        # Accelerate keeps one global state per process and refuses a second precision; each fit
        # here is on its own, so the precision part of that state is made anew.
        AcceleratorState._reset_state()
        accelerator = Accelerator(mixed_precision=mixed, cpu=device.type == "cpu")
        if accelerator.num_processes == 1 and device.type != "cpu":
            accelerator.state.device = device
        return accelerator


def convolutional(network: nn.Module) -> bool:
    """Is it built of convolutions? A transformer has one, which cuts its patches."""
    return sum(isinstance(layer, nn.Conv2d) for layer in network.modules()) > _PATCHES


_PATCHES = 3
"""Convolutions that a transformer may have: one, or a short stem (LeViT's is longer)."""


def _mixed_precision(precision: Precision, device: torch.device) -> str:
    if precision == "auto":
        if device.type != "cuda":
            return "no"
        return "bf16" if torch.cuda.is_bf16_supported() else "fp16"
    if precision == "fp16" and device.type != "cuda":
        raise TrainingError(
            f"fp16 needs a CUDA device, and this is {device.type}",
            expected="precision auto, fp32 or bf16",
        )
    return {"fp32": "no"}.get(precision, precision)


def halved(error: RuntimeError, images: int) -> int:
    """Half of the images that memory ran out with, at least one.

    Raises:
        RuntimeError: The error itself, where it is another one.
        TrainingError: It was one image.
    """
    signs = ("can't allocate memory", "not enough memory", "out of memory")
    if not isinstance(error, torch.OutOfMemoryError) and not any(s in str(error) for s in signs):
        raise error
    if images <= 1:
        raise TrainingError(
            "memory ran out at one image per forward pass",
            fix="use a smaller model or image size, or a device with more memory",
        ) from error
    return math.ceil(images / 2)


class InParts:
    """A function of a batch of images that is called on parts of it once memory has run out.

    Args:
        function: Images (b, 3, h, w) -> rows (b, d).
        join: Parts of them -> all rows.
    """

    def __init__(
        self, function: Callable[[Tensor], Any], join: Callable[[Any], Any] = torch.cat
    ) -> None:
        self.function, self.join = function, join
        self.size: int | None = None

    def __call__(self, images: Tensor) -> Any:
        """The rows of a batch.

        Raises:
            TrainingError: Memory ran out at one image.
        """
        while True:
            try:
                if self.size is None or self.size >= len(images):
                    return self.function(images)
                return self.join([self.function(part) for part in torch.split(images, self.size)])
            except RuntimeError as error:
                self.size = halved(error, min(self.size or len(images), len(images)))
            # Outside the handler, so that the failed pass's tensors are free to go.
            if torch.cuda.is_available():
                torch.cuda.empty_cache()
            said = "out of memory in evaluation: batch halved to %d, repeated"
            logging.getLogger("surefoot").warning(said, self.size)


def jsonl_log(path: Path) -> Callable[[Mapping[str, Any]], None]:
    """A log that appends one JSON line per row to a file, flushed at once."""

    def write(row: Mapping[str, Any]) -> None:
        with open(path, "a") as out:
            out.write(json.dumps(row, sort_keys=True) + "\n")

    return write
