"""Reads HTML as a browser would see its elements, without one."""

from __future__ import annotations

from dataclasses import dataclass, field
from html.parser import HTMLParser

VOID = frozenset(
    [
        "area",
        "base",
        "br",
        "col",
        "embed",
        "hr",
        "img",
        "input",
        "link",
        "meta",
        "source",
        "track",
        "wbr",
    ]
)
OPEN = frozenset({"path", "circle", "rect", "line"})


@dataclass
class Page(HTMLParser):
    """Elements and text of a page."""

    elements: list[tuple[str, dict[str, str]]] = field(default_factory=list)
    text: str = ""
    depth: list[str] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)
    rows: list[list[str]] = field(default_factory=list)

    def __post_init__(self):
        super().__init__(convert_charrefs=True)

    @classmethod
    def of(cls, html):
        page = cls()
        page.feed(html)
        page.close()
        page.wrong += [f"<{tag}> is not closed" for tag in page.depth]
        return page

    def handle_starttag(self, tag, attrs):
        self.elements.append((tag, {k: v or "" for k, v in attrs}))
        if tag == "tr":
            self.rows.append([])
        if tag in ("td", "th") and self.rows:
            self.rows[-1].append("")
        if tag not in VOID:
            self.depth.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.elements.append((tag, {k: v or "" for k, v in attrs}))

    def handle_endtag(self, tag):
        if not self.depth or self.depth[-1] != tag:
            self.wrong.append(f"</{tag}> where {self.depth[-1:]} is open")
        else:
            self.depth.pop()

    def handle_data(self, data):
        self.text += data
        if self.rows and self.rows[-1] and {"td", "th"} & set(self.depth[-4:]):
            self.rows[-1][-1] += data

    def all(self, tag):
        return [a for t, a in self.elements if t == tag]

    def ids(self):
        return [a["id"] for _, a in self.elements if "id" in a]

    def table(self):
        """Rows as lists of cell texts, blanks collapsed."""
        return [[" ".join(c.split()) for c in r] for r in self.rows]
