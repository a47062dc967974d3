"""``surefoot board serve``: the live server on this machine."""

from __future__ import annotations

import gc
import ipaddress
import socket
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from ...registry import import_optional
from ..errors import BoardError
from ..store.submit import CheckRecipe
from .limits import Limits

__all__ = ["serve"]


def serve(
    path: str | Path,
    host: str = "127.0.0.1",
    port: int = 8000,
    read_only: bool = False,
    *,
    limits: Limits | None = None,
    names: Collection[str] = (),
    secure: bool = False,
    check_recipe: CheckRecipe | None = None,
    ready: Callable[[str], None] | None = None,
) -> None:
    """Serve a board until interrupted.

    Args:
        path: The board's file.
        host: Address to listen on; the default is reached from this machine only.
        port: Likewise; 0 takes any that is free.
        read_only: Refuse submissions.
        limits: Of size and rate.
        names: Further names under which it is asked for, such as that of a proxy in front. Without
            any, a server that listens on more than this machine takes every name.
        secure: It is reached over https: cookies say so.
        check_recipe: Reads a submitted recipe; see :func:`~.app.create_app`.
        ready: Called with the server's address, from when on requests are kept for it.

    Raises:
        BoardError: No such board, or the address cannot be listened on.
        MissingDependency: FastAPI or uvicorn is not installed.
    """
    for package in ("fastapi", "uvicorn", "python_multipart"):
        import_optional(package, needed_for="`surefoot board serve`",
                        package="python-multipart" if "_" in package else package)  # fmt: skip
    import uvicorn

    from .app import LOOPBACK, create_app

    allowed = None if _open(host) and not names else {*LOOPBACK, host, *names}
    app: Any = create_app(path, read_only=read_only, limits=limits, hosts=allowed, secure=secure,
                          check_recipe=check_recipe)  # fmt: skip
    config = uvicorn.Config(
        app,
        log_level="warning",
        proxy_headers=False,
        server_header=False,
        timeout_keep_alive=5,
        limit_concurrency=200,
    )
    with _listen(host, port) as listening:
        if ready is not None:
            name = f"[{host}]" if ":" in host else host
            ready(f"http://{name}:{listening.getsockname()[1]}/")
        with _seldom_collected():
            uvicorn.Server(config).run(sockets=[listening])


@contextmanager
def _seldom_collected() -> Iterator[None]:
    """Let the garbage collector look less often, and not at what was there before.

    A board of 10,000 rows makes 50,000 objects of which none is garbage; looking for some took a
    third of the time in which such a page is made.
    """
    before = gc.get_threshold()
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 20, 20)
    try:
        yield
    finally:
        gc.set_threshold(*before)
        gc.unfreeze()


def _listen(host: str, port: int) -> socket.socket:
    """A socket that listens.

    Raises:
        BoardError: The address is in use, not allowed, or none of this machine's.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    made = socket.socket(family, socket.SOCK_STREAM)
    try:
        made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        made.bind((host, port))
        made.listen(128)  # who asks before the server runs waits, and is not refused
    except (OSError, UnicodeError) as error:
        made.close()
        raise BoardError(
            f"{host}:{port} cannot be listened on ({error})",
            fix="take another port with --port, or end what uses this one",
        ) from error
    return made


def _open(host: str) -> bool:
    """Whether an address is reached from other machines."""
    try:
        return not ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host != "localhost"
