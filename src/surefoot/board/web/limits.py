"""Limits that stand before every request: rate, size, host. Plain ASGI, no framework."""

from __future__ import annotations

import json
import math
import threading
import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Collection, MutableMapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

__all__ = ["Guard", "Limits", "RateLimiter", "problem"]

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]

_CLIENTS = 10_000  # that are remembered


@dataclass(frozen=True)
class Limits:
    """What one client may do.

    Attributes:
        body: Bytes of a request's body.
        query: Characters of an address.
        reads: Requests per second, in the long run.
        read_burst: Requests at once.
        writes: Submissions per minute, in the long run.
        write_burst: Submissions at once.
    """

    body: int = 256 * 1024
    query: int = 4096
    reads: float = 50.0
    read_burst: int = 400
    writes: float = 6.0
    write_burst: int = 12


class RateLimiter:
    """A token bucket per client; safe between threads, bounded in memory.

    Args:
        rate: Tokens per second.
        burst: Tokens of a full bucket.
        clock: Seconds, monotonic.
    """

    def __init__(
        self, rate: float, burst: int, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self.rate, self.burst, self._clock = rate, burst, clock
        self._buckets: OrderedDict[str, tuple[float, float]] = OrderedDict()
        self._lock = threading.Lock()

    def wait(self, client: str) -> float:
        """Take a token: 0, or the seconds after which there is one."""
        with self._lock:
            now = self._clock()
            tokens, then = self._buckets.pop(client, (float(self.burst), now))
            tokens = min(float(self.burst), tokens + (now - then) * self.rate)
            left = tokens - 1 if tokens >= 1 else tokens
            self._buckets[client] = (left, now)
            while len(self._buckets) > _CLIENTS:
                self._buckets.popitem(last=False)
            return 0.0 if tokens >= 1 else (1 - tokens) / self.rate


def problem(status: int, title: str, detail: str, **more: Any) -> bytes:
    """A problem as RFC 9457 has it."""
    body = {"type": "about:blank", "title": title, "status": status, "detail": detail, **more}
    return json.dumps(body, ensure_ascii=False).encode()


class _TooLarge(Exception):
    """The body went over its limit while it was read."""


class Guard:
    """Refuses wrong hosts, long addresses, large bodies and too many requests; adds headers.

    Args:
        app: What is guarded.
        limits: How much.
        hosts: Names that a request may be addressed to; None: any. A name that is not ours means
            that another site's name was pointed at this machine (DNS rebinding).
        headers: Put on every answer.
    """

    def __init__(
        self, app: App, limits: Limits, hosts: Collection[str] | None,
        headers: Collection[tuple[str, str]],
    ) -> None:  # fmt: skip
        self.app, self.limits = app, limits
        self.hosts = None if hosts is None else {h.lower() for h in hosts}
        self.headers = [(k.lower().encode(), v.encode()) for k, v in headers]
        self.reads = RateLimiter(limits.reads, limits.read_burst)
        self.writes = RateLimiter(limits.writes / 60, limits.write_burst)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        left, started = self.limits.body, False

        async def counted() -> Message:
            """Receive a body up to the limit."""
            nonlocal left
            message = await receive()
            left -= len(message.get("body", b""))
            if left < 0:
                raise _TooLarge
            return message

        async def answer(message: Message) -> None:
            """Send with our headers; what is said to a body that was cut off is left out."""
            nonlocal started
            if left < 0 and not started:
                return
            if message["type"] == "http.response.start":
                started = True
                message = self._with_headers(message)
            await send(message)

        refused = self._refused(scope)
        if refused is None:
            with suppress(_TooLarge):
                await self.app(scope, counted, answer)
            if left < 0 and not started:
                refused, left = self._too_large(), 0
        if refused is not None:
            await _reply(answer, *refused)

    def _with_headers(self, message: Message) -> Message:
        have = {k for k, _ in message.get("headers", [])}
        extra = [(k, v) for k, v in self.headers if k not in have]
        return {**message, "headers": [*message.get("headers", []), *extra]}

    def _refused(self, scope: Scope) -> tuple[int, str, str, float] | None:
        headers = dict(scope["headers"])
        host = _host_of(headers.get(b"host", b"").decode("latin-1"))
        if self.hosts is not None and host not in self.hosts:
            return 421, "Misdirected request", f"this server is not {host!r}", 0
        if len(scope.get("raw_path") or b"") + len(scope["query_string"]) > self.limits.query:
            return 414, "Address too long", f"at most {self.limits.query} characters", 0
        length = headers.get(b"content-length", b"0")
        if not length.isdigit() or int(length[:12]) > self.limits.body or len(length) > 12:
            return self._too_large()
        client = (scope.get("client") or ("unknown", 0))[0]
        limiter = self.reads if scope["method"] in ("GET", "HEAD", "OPTIONS") else self.writes
        wait = limiter.wait(client)
        if wait > 0:
            return 429, "Too many requests", f"wait {math.ceil(wait)} s and ask again", wait
        return None

    def _too_large(self) -> tuple[int, str, str, float]:
        return 413, "Too large", f"at most {self.limits.body} bytes", 0


def _host_of(header: str) -> str:
    """The name in a Host header, without the port."""
    if header.startswith("["):
        return header.partition("]")[0].lower() + "]"
    return header.partition(":")[0].lower()


async def _reply(send: Send, status: int, title: str, detail: str, wait: float) -> None:
    body = problem(status, title, detail)
    headers = [
        (b"content-type", b"application/problem+json"),
        (b"content-length", str(len(body)).encode()),
    ]
    if wait:
        headers.append((b"retry-after", str(math.ceil(wait)).encode()))
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
