"""A room of the board imports only from the rooms before it; ``board/__init__.py`` names them."""

from __future__ import annotations

from ..test_circles import ROOT, graph

ROOMS = ("errors", "store", "archive", "seed", "runs", "pages", "web")
"""From the ground up."""

INNER = "surefoot.board."


def room(module: str) -> int:
    return ROOMS.index(module.removeprefix(INNER).partition(".")[0])


def test_rooms_import_only_from_rooms_before_them():
    edges = graph(ROOT, lazy=True)
    met = {m for m in edges if m.startswith(INNER)}
    assert {room(m) for m in met} == set(range(len(ROOMS)))
    assert [(m, t) for m in met for t in edges[m] & met if room(t) > room(m)] == []


def test_the_contents_list_every_room_in_order():
    told = (ROOT / "board/__init__.py").read_text().partition("::")[2].split('"""')[0]
    names = [line.split()[0] for line in told.splitlines() if line.startswith("    ")]
    assert [n.rstrip("/").removesuffix(".py") for n in names] == list(ROOMS)
