"""Bar charts as inline SVG. pygal lays them out; the page's own style sheet colours them, for light, dark and print."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from markupsafe import Markup

_WIDTH = 860
_BAR = 30
_FRAME = 58
_DROPPED_CLASSES = ("tooltip-overlay", "text-overlay")


def stacked_bars(
    chart_id: str,
    title: str,
    description: str,
    rows: Sequence[str],
    series: Mapping[str, Sequence[int]],
    palette: str,
) -> Markup:
    """A horizontal bar a row, first on top, made of one segment a series; empty where all counts are 0.

    `series` is name → a count for each row; `palette` is the style sheet's class for its colours, in the same order.
    The legend is the page's, since the names are the same for several charts. `title` and `description` are for
    readers who do not see the picture. All texts may be untrusted; they are escaped by the XML writer.
    """
    highest = max((sum(counts) for counts in zip(*series.values(), strict=True)), default=0)
    if not highest:
        return Markup("")

    pygal = load_pygal()
    chart = pygal.HorizontalStackedBar(
        css=[],
        js=[],
        no_prefix=True,
        width=_WIDTH,
        height=_BAR * len(rows) + _FRAME,
        show_legend=False,
        truncate_label=-1,
        margin=4,
        spacing=8,
        style=pygal.style.Style(label_font_size=12, major_label_font_size=12, font_family="sans-serif"),
    )
    chart.x_labels = list(reversed(rows))
    chart.y_labels = _ticks(highest)
    for name, counts in series.items():
        # No segment for a 0: it would be a mark without a width.
        chart.add(name, [count or None for count in reversed(counts)])
    return inline(chart.render_tree(), chart_id, title, description, palette, list(series))


def load_pygal() -> Any:
    """pygal, loaded only when a report is made."""
    import pygal

    # It leaves an import hook for its map plugins, of a kind that warns at every later failing import of the host.
    sys.meta_path[:] = [finder for finder in sys.meta_path if hasattr(finder, "find_spec")]
    return pygal


def _ticks(highest: int) -> list[int]:
    """Whole numbers from 0 to at least `highest`, at most six steps of 1, 2 or 5 times a power of ten."""
    magnitude = 1
    while True:
        for step in (magnitude, 2 * magnitude, 5 * magnitude):
            if highest <= 6 * step:
                return list(range(0, highest + step, step))
        magnitude *= 10


def inline(
    root: Any, chart_id: str, title: str, description: str, palette: str, names: Sequence[str], mark: str = "bar"
) -> Markup:
    """The drawing without what a page under a strict policy has no use for: script, style, and what serves them."""
    from pygal.etree import etree

    for parent in list(root.iter()):
        for child in list(parent):
            if _unwanted(child):
                parent.remove(child)
    for element in root.iter():
        for attribute in ("id", "style"):
            element.attrib.pop(attribute, None)
    for number, name in enumerate(names):
        for drawn in _of_class(root, f"serie-{number}", mark):
            _name_mark(drawn, name, etree)
    root.attrib.update(
        {"class": f"chart {palette}", "role": "img", "aria-labelledby": f"{chart_id}-title {chart_id}-desc"}
    )
    for tag, text in (("desc", description), ("title", title)):
        element = etree.Element(tag, {"id": f"{chart_id}-{tag}"})
        element.text = text
        root.insert(0, element)
    text = etree.tostring(root)
    return Markup(text.decode("utf-8") if isinstance(text, bytes) else text)  # noqa: S704  # escaped by the XML writer


def _unwanted(element: Any) -> bool:
    if not isinstance(element.tag, str):  # a comment
        return True
    if element.tag == "rect" and "width" not in element.attrib:  # the bar of a 0
        return True
    classes = element.attrib.get("class", "").split()
    return element.tag in {"defs", "title", "script", "style"} or any(name in classes for name in _DROPPED_CLASSES)


def _of_class(root: Any, series: str, wanted: str) -> Iterable[Any]:
    for group in root.iter("g"):
        if series in group.attrib.get("class", "").split():
            yield from (one for one in group.iter("g") if one.attrib.get("class") == wanted)


def _name_mark(mark: Any, series: str, etree: Any) -> None:
    """Give a bar or dot the native tooltip `row, series: count` in place of pygal's notes to its script."""
    notes = {note.attrib.get("class"): note.text or "" for note in mark.iter("desc")}
    for note in list(mark):
        if note.tag == "desc":
            mark.remove(note)
    title = etree.Element("title")
    # A dot's own label says all that there is to say of it.
    title.text = notes.get("label") or f"{notes.get('x_label', '')}, {series}: {notes.get('value', '')}"
    mark.insert(0, title)
