"""Adding a service is adding one folder: everything else follows from its manifest."""

import json
import shutil
from pathlib import Path

from services import catalog as catalog_module
from services import ports, topology
from services.render import render

ROOT = Path(__file__).resolve().parents[2]
MANIFEST = """\
id: abc
code: DSS_ABC
label: A New Service
purpose: Shows that a folder is enough.
status: built
role: [sub]
memory: full
after: [mq]
engine: python
ports:
  - {name: http, port: 9950, proto: tcp, zone: local, purpose: its pages}
  - {name: media, port: 9951, proto: udp, zone: wan, outside: [clients], purpose: its media}
route: /abc/
health: /health
credentials: [node-token]
settings: {limit: 7}
"""


def test_one_folder_brings_unit_route_rule_row_and_configuration(tmp_path: Path) -> None:
    for path in (ROOT / "services").glob("*/service.yml"):
        (tmp_path / path.parent.name).mkdir()
        shutil.copy(path, tmp_path / path.parent.name)
    (tmp_path / "abc").mkdir()
    (tmp_path / "abc/service.yml").write_text(MANIFEST)
    known = catalog_module.load(tmp_path)
    site = topology.load(ROOT / "inventories/distributed", catalog=known)
    files = {path: file.text for path, file in render(known, site, "sub-1").items()}

    unit = files["/etc/systemd/system/dss-abc.service"]
    for line in (
        "ExecStart=/opt/dss/current/venv/bin/python -m services.abc",
        "ExecCondition=+/opt/dss/current/venv/bin/python -I -m services.node.gate full dss-abc.service",
        "Slice=dss-full.slice",
        "StateDirectory=dss/abc",
        "LoadCredential=node-token:/etc/dss/credentials/node-token",
    ):
        assert line in unit.splitlines()
    assert "nats-server.service" in next(line for line in unit.splitlines() if line.startswith("After="))
    assert "dss-abc.service" in files["/etc/systemd/system/dss.target"]
    assert '"dss-abc.service"' in files["/etc/polkit-1/rules.d/50-dss.rules"]
    nginx = files["/etc/dss/engines/nginx.conf"]
    for path in ("location /abc/", "location /cluster/abc/", "location = /health/abc"):
        assert path in nginx
    assert 'udp dport 9951 accept comment "abc.media"' in files["/etc/dss/firewall.nft"]
    assert "9950" not in files["/etc/dss/firewall.nft"]
    assert json.loads(files["/etc/dss/services/abc.json"]) == {
        "id": "abc",
        "code": "DSS_ABC",
        "ports": {"http": 9950, "media": 9951},
        "settings": {"limit": 7},
    }
    rows = {r.name: r.must_map for r in ports.matrix(known, site, site.hosts["sub-1"]) if r.service == "abc"}
    assert rows == {"http": False, "media": True}
    assert not [path for path in render(known, site, "main-a") if "abc" in path]
