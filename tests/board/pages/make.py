"""A board on which everything occurs: every kind, ties, reproductions, odd metrics, tombstones."""

from __future__ import annotations

import json

from surefoot.board import Curve, CurvePoint, Entry, Paper, Source, Store
from surefoot.board.store.entries import make_result
from surefoot.board.store.results import Protocol
from surefoot.board.store.rows import CodeLink, Dataset, Method, Task
from surefoot.board.store.submit import submit

HOSTILE = (
    "</script><script>alert(1)</script>\"'&<img src=x onerror=alert(2)> {{ 7*7 }} "
    "'; DROP TABLE entry; -- ../../etc/passwd \u202e\u0000\x1b[31m \U0001f600 %s"
)
"""HTML, SQL, a template, a path, unicode and control characters."""


def add(store, board, kind, model, value, **more):
    """One row with one result; what belongs to the result is told by its name."""
    own = (
        "stderr",
        "low",
        "high",
        "n",
        "seeds",
        "manifest",
        "selection",
        "reproduces_id",
        "alpha",
        "interval",
    )
    result = {k: more.pop(k) for k in own if k in more}
    metric = more.pop("metric", "Top-1 Accuracy")
    source = more.pop("source", Source("run", run=f"run-{model}"))
    row = Entry(board.id, kind, model, source, results=(make_result(metric, value, **result),),
                **more)  # fmt: skip
    return store.entries.add(row)


def fill_rich(store: Store) -> dict[str, int]:
    """Fill a seeded board; returns ids of rows by name."""
    ids = {}
    board = store.boards.get("image-classification-on-objectnet")
    paper = store.papers.get("robust-fine-tuning-of-zero-shot-models")
    headline = next(
        r for r in store.entries.paper_table(paper.id, headline=True) if r.value == "72.1"
    )
    again = add(store, board, "reproduced", "WiSE-FT again", "72.2", stderr=0.2, manifest="whole",
                selection=headline.result.selection, reproduces_id=headline.result.id,
                backbone=headline.entry.backbone)  # fmt: skip
    ids.update(headline=headline.entry.id, again=again.id)
    task = store.tasks.ensure("Image Classification")
    mine = store.datasets.add(Dataset("Mine", splits=({"name": "test", "count": 7},)))
    store.protocols.declare(Protocol("mine-test", "Mine"))
    board = store.boards.ensure(task.id, mine.id, "test", "mine-test")
    for name, value, low, high in (("A", "80.0", 78, 82), ("B", "79.0", 77, 81),
                                   ("C", "70.0", 68, 72), ("D", "70.0", 68, 72)):  # fmt: skip
        ids[name] = add(store, board, "measured", f"Model {name}", value, low=low, high=high,
                        interval="clopper-pearson", n=1000, backbone="tiny").id  # fmt: skip
    lower = store.boards.ensure(task.id, mine.id, "test", "mine-error")
    for value in ("0.5", "0.25 ± 0.01", "n/a"):
        ids[f"err {value}"] = add(store, lower, "published", f"E {value}", value,
                                  metric="Word Error Rate", paper_date="2020-05-0" + value[2:3]
                                  if value != "n/a" else None).id  # fmt: skip
    odd = store.boards.ensure(task.id, mine.id, "test", "mine-odd")
    add(store, odd, "published", "Odd", "12", metric="Accuracy drop")
    gone = add(store, odd, "published", "Gone", "13", metric="Accuracy drop")
    store.entries.delete(gone.id, why="a slip of the pen")
    ids["gone"] = gone.id
    toys = store.boards.ensure(task.id, store.datasets.add(Dataset("Toys", toy=True)).id)
    ids["toy"] = add(store, toys, "measured", "Toy model", "99", toy=True).id
    sent = submit(store, {"task": "Image Classification", "dataset": "Mine", "split": "test",
                          "protocol": "mine-test", "metric": "Top-1 Accuracy", "value": "99.9",
                          "model_name": "Claim"}, who="eve")  # fmt: skip
    ids["claim"] = sent.entry_id
    return ids


def fill_hostile(store: Store) -> None:
    """One of everything with hostile text in every field that takes text."""
    text, url = HOSTILE, "javascript:alert(3)"
    many = tuple(f"{text} {i}" for i in range(3))
    paper = store.papers.add(Paper(text, authors=many, date=text, venue=text, arxiv_id=None,
                                   archive_url=url, abstract=text, url_abs=url, url_pdf=url,
                                   extra={text: text}, licence=text))  # fmt: skip
    store.code.add(CodeLink(url, paper.id, True, text))
    store.code.add(CodeLink(f"https://x.org/{text}", paper.id, False, text))
    task = store.tasks.add(Task(text, description=text, synonyms=many, licence=text))
    under = store.tasks.add(Task(f"under {text}", description=text))
    store.tasks.link(task.id, under.id)
    method = store.methods.add(Method(text, full_name=text, description=text, paper_id=paper.id,
                                      source_url=url, source_title=text, code_url=url,
                                      collections=({"collection": text},), registry_name=text,
                                      licence=text))  # fmt: skip
    split = {"name": text, "count": text, "sha256": text}
    data = store.datasets.add(Dataset(text, full_name=text, description=text, homepage=url,
                                      licence_name=text, licence_url=url, introduced=text,
                                      modalities=many, splits=(split,), paper_id=paper.id,
                                      licence=text))  # fmt: skip
    store.datasets.add_alias(data.id, text)
    store.datasets.tag(data.id, task.id)
    store.papers.tag(paper.id, tasks=[task.id, under.id], methods=[method.id])
    store.protocols.declare(Protocol(text, text, text))
    board = store.boards.ensure(task.id, data.id, text, text)
    store.boards.update(board.id, description=text, notable=True, dataset_links=[
        {"title": text, "url": url}, {"title": text, "url": "https://x.org"}, text])  # fmt: skip
    source = Source(text, text, text, text, text, text, text, text, text, text, text, also=many)
    for kind in ("published", "reproduced", "measured", "submitted"):
        links = [{"title": text, "url": url}, {"title": text, "url": f"http://x.org/{kind}"}]
        for value in ("71.5", text):
            add(store, board, kind, f"{kind} {text}", value, metric=f"Accuracy {text}",
                source=source, backbone=text, setting=f"{text} {value}", method_id=method.id,
                paper_id=paper.id if kind == "published" else None, paper_title=text,
                paper_url=url, paper_date=text, code_links=links, model_links=links, licence=text,
                selection=text, interval=text, low=1.0, high=2.0, manifest="whole")  # fmt: skip
    points = tuple(CurvePoint(a, text, text, text, v) for a, v in ((0, 1.0), (0.5, 3.0), (1, 2.0)))
    store.curves.add(Curve("hostile", text, "measured", points, source, method.id, paper.id, text,
                           text, licence=text))  # fmt: skip
    sha = "0" * 64
    one = store.imports.begin(text, sha, "datasets", text)
    store.imports.finish(one.id, complete=True, note=text, added=1, updated=0, unchanged=0)
    store.submissions.send(json.loads(json.dumps({"model_name": text, "dataset": text,
                                                  "value": text})), text)  # fmt: skip
