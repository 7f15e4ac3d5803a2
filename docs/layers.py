"""Picture of the core's layers, drawn from its imports: `make layers` writes docs/images/layers.svg."""

from __future__ import annotations

import html
import sys
from collections import defaultdict
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))  # so that it runs as a program

from tests.core.layers import LAYERS, MODULES, imports

TARGET = Path(__file__).parent / "images" / "layers.svg"

WIDTH, ROW, BOX, GAP, MARGIN = 1040, 92, 44, 10, 16
LABEL = 78

STYLE = """
text { font: 12px system-ui, sans-serif; fill: #1f2937 }
.layer { font-size: 11px; fill: #6b7280 }
.row { fill: #f3f4f6 }
.box { fill: #ffffff; stroke: #9ca3af }
.public { fill: #dbeafe; stroke: #3b82f6 }
.arrow { stroke: #9ca3af; fill: none; marker-end: url(#head) }
#head path { fill: #9ca3af }
"""


def package_of(module: str) -> str:
    """Return the package of a module, or the module itself at the top level."""
    return module.partition(".")[0]


def package_imports() -> dict[str, set[str]]:
    """Return the packages that each package imports."""
    found: dict[str, set[str]] = defaultdict(set)
    for module in MODULES:
        found[package_of(module)] |= {package_of(target) for target in imports(module)} - {package_of(module)}
    return dict(found)


def direct(graph: dict[str, set[str]]) -> set[tuple[str, str]]:
    """Return the edges that are not implied by a longer path, so that the picture stays readable."""

    def reachable(start: str) -> set[str]:
        seen: set[str] = set()
        waiting = [start]
        while waiting:
            for target in graph.get(waiting.pop(), ()):
                if target not in seen:
                    seen.add(target)
                    waiting.append(target)
        return seen

    return {
        (source, target)
        for source, targets in graph.items()
        for target in targets
        if not any(target in reachable(other) for other in targets - {target})
    }


def draw() -> str:
    """Return the picture as SVG.

    It omits the arrows of public modules, which re-export, and those to layer 1, which everything imports.
    """
    graph = package_imports()
    layers = [sorted(layer) for layer in reversed(LAYERS)]
    height = 2 * MARGIN + ROW * len(layers)
    places: dict[str, tuple[float, float, float]] = {}
    parts: list[str] = []
    for row, names in enumerate(layers):
        top = MARGIN + row * ROW
        parts.append(f'<rect class="row" x="0" y="{top}" width="{WIDTH}" height="{BOX + 20}" rx="6"/>')
        parts.append(f'<text class="layer" x="12" y="{top + 37}">layer {len(layers) - row}</text>')
        width = (WIDTH - LABEL - MARGIN - GAP * (len(names) - 1)) / max(len(names), 1)
        width = min(width, 190)
        left = LABEL + (WIDTH - LABEL - MARGIN - len(names) * width - GAP * (len(names) - 1)) / 2
        for column, name in enumerate(names):
            places[name] = (left + column * (width + GAP), top + 10, width)
    drawn = {name for layer in LAYERS[1:] for name in layer if name.startswith("_") and name != "__init__"}
    shown_graph = {source: targets & drawn for source, targets in graph.items() if source in drawn}
    for source, target in sorted(direct(shown_graph)):
        (x, y, width), (to_x, to_y, to_width) = places[source], places[target]
        start, end = x + width / 2, to_x + to_width / 2
        middle = (y + BOX + to_y) / 2
        parts.append(
            f'<path class="arrow" d="M{start:.0f},{y + BOX:.0f} C{start:.0f},{middle:.0f} {end:.0f},{middle:.0f} '
            f'{end:.0f},{to_y - 2:.0f}"/>'
        )
    for name, (x, y, width) in places.items():
        kind = "box" if name.startswith("_") and name != "__init__" else "box public"
        shown = "influx_proto" if name == "__init__" else name
        parts.append(f'<rect class="{kind}" x="{x:.0f}" y="{y:.0f}" width="{width:.0f}" height="{BOX}" rx="6"/>')
        center = x + width / 2
        parts.append(f'<text x="{center:.0f}" y="{y + 26:.0f}" text-anchor="middle">{html.escape(shown)}</text>')
    body = "\n".join(parts)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" role="img">\n'
        f"<title>Layers of influx_proto: imports run downwards</title>\n<style>{STYLE}</style>\n"
        '<defs><marker id="head" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" markerHeight="7" orient="auto">'
        '<path d="M0,0 L8,4 L0,8 z"/></marker></defs>\n'
        f'<rect width="{WIDTH}" height="{height}" fill="#ffffff"/>\n{body}\n</svg>\n'
    )


if __name__ == "__main__":
    TARGET.write_text(draw())
