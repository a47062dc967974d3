"""Names of models that ``surefoot.load`` takes."""

from __future__ import annotations

from fnmatch import fnmatchcase

from ..registry import MODELS
from .foreign import open_clip, timm

__all__ = ["list_models"]


def list_models(pattern: str = "*") -> list[str]:
    """Every model with weights that a name fetches, as :func:`surefoot.load` takes it.

    Those that ship, then the pretrained ones of the installed open_clip and timm. Models of the
    Hugging Face hub ("hf-hub:ORG/NAME") and files are not listed. Nothing is downloaded.

    Args:
        pattern: With ``*`` and ``?``, as a shell has it, small letters and capitals alike; of the
            whole name, or of what follows "open_clip:" or "timm:".

    Raises:
        MissingDependency: open_clip or timm cannot be imported.

    Example:
        >>> sf.list_models("tiny-*")
        ['tiny-clip', 'tiny-dino']
        >>> sf.list_models("open_clip:vit-b-16/openai")
        ['open_clip:ViT-B-16/openai']
    """
    clips = [f"open_clip:{arch}/{tag}" for arch, tag in open_clip("its models").list_pretrained()]
    timms = [f"timm:{name}" for name in timm("its models").list_models(pretrained=True)]
    wanted = pattern.lower()
    return [
        name
        for name in [*MODELS.names(), *clips, *timms]
        if fnmatchcase(name.lower(), wanted) or fnmatchcase(_bare(name).lower(), wanted)
    ]


def _bare(name: str) -> str:
    """Without its scheme."""
    return name.partition(":")[2] or name
