"""Where boxes and lines of the topology stand: the centre above, its servers in rows below.

Lines leave the middle of the centre's lower edge, run along one bus above each row, and end on the
middle of a box's upper edge, so that every line meets its boxes whatever their number.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from services.smc.topology import Edge, Graph, Vertex

WIDTH, HEIGHT = 216, 92
GAP_X, GAP_Y = 28, 74
MARGIN = 16
PER_ROW = 4
BEND = 8


@dataclass(frozen=True)
class Box:
    """One server with its upper left corner, in pixels."""

    vertex: Vertex
    x: int
    y: int

    @property
    def middle(self) -> int:
        """Where lines meet the box."""
        return self.x + WIDTH // 2


@dataclass(frozen=True)
class Line:
    """One link as an SVG path; its label stands at (x, y), the middle of its last piece."""

    edge: Edge
    path: str
    x: int
    y: int


@dataclass(frozen=True)
class Drawing:
    """The whole picture and its size."""

    width: int
    height: int
    boxes: list[Box]
    lines: list[Line]


def draw(graph: Graph) -> Drawing:
    """Place every vertex of `graph` once and join those that an edge names."""
    children = {edge.source for edge in graph.edges}
    top = [v for v in graph.vertices if v.id not in children]
    below = [v for v in graph.vertices if v.id in children]
    rows = [top, *(below[at : at + PER_ROW] for at in range(0, len(below), PER_ROW))]
    rows = [row for row in rows if row]
    widest = max((_row_width(row) for row in rows), default=0)
    # Rows beyond the second are reached by a trunk on the left, which needs room of its own.
    left = MARGIN + (GAP_X if len(rows) > 2 else 0)
    boxes = [box for number, row in enumerate(rows) for box in _place(row, number, left, widest)]
    height = 2 * MARGIN + len(rows) * HEIGHT + max(0, len(rows) - 1) * GAP_Y
    return Drawing(left + widest + MARGIN, height, boxes, _lines(graph.edges, boxes, left))


def _row_width(row: Sequence[Vertex]) -> int:
    return len(row) * WIDTH + (len(row) - 1) * GAP_X


def _place(row: Sequence[Vertex], number: int, left: int, widest: int) -> list[Box]:
    start = left + (widest - _row_width(row)) // 2
    y = MARGIN + number * (HEIGHT + GAP_Y)
    return [Box(vertex, start + at * (WIDTH + GAP_X), y) for at, vertex in enumerate(row)]


def _lines(edges: Sequence[Edge], boxes: Sequence[Box], left: int) -> list[Line]:
    by_id = {box.vertex.id: box for box in boxes}
    pairs = [(edge, by_id.get(edge.source), by_id.get(edge.target)) for edge in edges]
    return [_line(edge, child, center, left) for edge, child, center in pairs if child and center]


def _line(edge: Edge, child: Box, center: Box, left: int) -> Line:
    bus, end = child.y - GAP_Y // 2, child.middle
    first = center.y + HEIGHT + GAP_Y // 2
    if bus == first:
        path = _corners(
            [(center.middle, center.y + HEIGHT), (center.middle, bus), (end, bus), (end, child.y)]
        )
    else:
        trunk = left - GAP_X // 2
        path = _corners(
            [(center.middle, center.y + HEIGHT), (center.middle, first), (trunk, first), (trunk, bus),
             (end, bus), (end, child.y)]
        )  # fmt: skip
    return Line(edge, path, end, child.y - GAP_Y // 4)


def _corners(points: list[tuple[int, int]]) -> str:
    """A path along `points` with rounded corners; equal neighbours are one point."""
    points = [p for at, p in enumerate(points) if at == 0 or p != points[at - 1]]
    parts = [f"M{points[0][0]} {points[0][1]}"]
    for before, here, after in zip(points, points[1:], points[2:], strict=False):
        if (before[0] == here[0]) == (here[0] == after[0]):
            continue
        (x1, y1), (x2, y2) = _towards(here, before), _towards(here, after)
        parts.append(f"L{x1} {y1}Q{here[0]} {here[1]} {x2} {y2}")
    parts.append(f"L{points[-1][0]} {points[-1][1]}")
    return "".join(parts)


def _towards(start: tuple[int, int], goal: tuple[int, int]) -> tuple[int, int]:
    """The point BEND pixels from `start` on the straight way to `goal`, at most half way."""
    dx, dy = goal[0] - start[0], goal[1] - start[1]
    length = max(abs(dx), abs(dy))
    step = min(BEND, length // 2)
    return start[0] + step * dx // length, start[1] + step * dy // length
