"""A big site is read, checked and rendered in time that grows with its size and no faster."""

import time
from pathlib import Path

from services import catalog, topology
from services.catalog import Catalog
from services.render import render_all

SMALL, BIG = 250, 1000
RATIO, SECONDS = 5.0, 10.0


def inventory(folder: Path, nodes: int) -> Path:
    """An inventory of one main and many subs, each with variables of its own."""
    lines = ["all:", "  vars: {dss_site: Region}", "  children:", "    main:", "      hosts:"]
    lines += ["        main-a: {ansible_host: 10.1.0.1}", "    sub:", "      hosts:"]
    for n in range(1, nodes):
        address = f"10.2.{n // 250}.{n % 250 + 1}"
        lines.append(f"        sub-{n:04}: {{ansible_host: {address}, dss_ports: {{mts.rtsp: {20000 + n}}}}}")
    folder.mkdir()
    (folder / "hosts.yml").write_text("\n".join(lines) + "\n")
    return folder


def seconds(path: Path, known: Catalog, nodes: int) -> float:
    """Processor time to read, check and render all nodes of an inventory."""
    began = time.process_time()
    site = topology.load(path, catalog=known)
    done = render_all(known, site)
    spent = time.process_time() - began
    assert len(done) == nodes
    return spent


def test_time_grows_linearly_with_the_number_of_nodes(tmp_path: Path) -> None:
    known = catalog.load()
    small, big = inventory(tmp_path / "small", SMALL), inventory(tmp_path / "big", BIG)
    seconds(small, known, SMALL)
    one = min(seconds(small, known, SMALL) for _ in range(2))
    four = min(seconds(big, known, BIG) for _ in range(2))
    print(f"render: {SMALL} nodes {one:.2f} s, {BIG} nodes {four:.2f} s, ratio {four / one:.2f}")
    assert four / one <= RATIO
    assert four <= SECONDS
