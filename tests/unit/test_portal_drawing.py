"""The topology picture: every line meets its boxes, no two boxes touch, however many servers there are."""

import re
from datetime import UTC, datetime
from itertools import combinations

import pytest

from portal.topology.drawing import HEIGHT, WIDTH, Box, draw
from services.smc.topology import Edge, Graph, Vertex


def vertex(name: str, role: str) -> Vertex:
    return Vertex(
        name, name, role, "192.0.2.1", None, "1", "enabled", "reachable", False, 0.5, 1.0, 2, 1, 0, 0, 0, 0
    )


def site(subs: int) -> Graph:
    vertices = [vertex("main", "main"), *(vertex(f"sub-{n}", "sub") for n in range(subs))]
    edges = [Edge(f"sub-{n}", "main", "sub", "up", False) for n in range(subs)]
    return Graph("Site", datetime.now(UTC), vertices, edges)


def apart(one: Box, other: Box) -> bool:
    return abs(one.x - other.x) > WIDTH or abs(one.y - other.y) > HEIGHT


@pytest.mark.parametrize("subs", [0, 1, 2, 4, 5, 17, 40])
def test_every_line_starts_at_its_centre_and_ends_at_its_server(subs: int) -> None:
    picture = draw(site(subs))
    boxes = {box.vertex.id: box for box in picture.boxes}
    assert len(picture.boxes) == subs + 1
    assert len(picture.lines) == subs
    for line in picture.lines:
        points = [(int(x), int(y)) for x, y in re.findall(r"(\d+) (\d+)", line.path)]
        main, sub = boxes["main"], boxes[line.edge.source]
        assert points[0] == (main.middle, main.y + HEIGHT)
        assert points[-1] == (sub.middle, sub.y)
        assert all(0 <= x <= picture.width and 0 <= y <= picture.height for x, y in points)


@pytest.mark.parametrize("subs", [1, 5, 40])
def test_boxes_never_overlap_and_lines_never_cross_them(subs: int) -> None:
    picture = draw(site(subs))
    assert all(apart(one, other) for one, other in combinations(picture.boxes, 2))
    for line in picture.lines:
        for x, y in [(int(x), int(y)) for x, y in re.findall(r"(\d+) (\d+)", line.path)][1:-1]:
            assert not any(b.x < x < b.x + WIDTH and b.y < y < b.y + HEIGHT for b in picture.boxes)
