"""The catalogue is complete, and refuses manifests that contradict each other."""

from pathlib import Path

import pytest

from services import catalog
from services.catalog import CatalogError

BUILT = {"ars", "nginx", "smc", "mysql", "redis", "mq", "dms", "mts", "ss", "mgw"}
ONE = """\
id: {id}
code: DSS_{id}
label: A
purpose: B
status: built
role: [main]
memory: full
engine: python
ports:
  - {{name: http, port: {port}, proto: tcp, zone: local, purpose: C}}
"""


def folder(tmp_path: Path, **texts: str) -> Path:
    for name, text in texts.items():
        (tmp_path / name).mkdir()
        (tmp_path / name / "service.yml").write_text(text)
    return tmp_path


def test_the_product_has_25_services_of_which_9_are_built() -> None:
    found = catalog.load().services
    assert len(found) == 25
    assert {m.id for m in found.values() if m.built} == BUILT


def test_adding_a_service_is_adding_a_folder(tmp_path: Path) -> None:
    found = catalog.load(folder(tmp_path, abc=ONE.format(id="abc", port=9950)))
    assert [m.id for m in found.on("main")] == ["abc"]
    assert found.services["abc"].units[0].name == "dss-abc.service"
    assert found.on("sub") == ()


def test_services_come_after_those_they_start_after() -> None:
    order = [m.id for m in catalog.load().ordered]
    for service in catalog.load().ordered:
        assert all(order.index(before) < order.index(service.id) for before in service.after)


def test_packages_follow_the_role() -> None:
    found = catalog.load()
    only_main = set(catalog.packages(found, "main")) - set(catalog.packages(found, "sub"))
    assert only_main == {"mariadb-server", "redis-server"}
    assert {"nats-server", "nginx-light", "nftables", "python3-apt"} <= set(catalog.packages(found, "sub"))


A, B = ONE.format(id="a", port=9950), ONE.format(id="b", port=9951)


@pytest.mark.parametrize(
    ("a", "b", "says"),
    [
        (A, B.replace("9951", "9950"), ["services/a (http)", "services/b (http)", "9950/tcp", "main"]),
        (A, B.replace("DSS_b", "DSS_a"), ["services/a", "services/b", "same code"]),
        (A, B + "units: [{name: dss-a.service, kind: python}]\n", ["services/a", "services/b", "both own"]),
        (A + "route: /x/\n", B + "route: /x/\n", ["services/a", "services/b", "the path /x/"]),
        (A + "after: [b]\n", B + "after: [a]\n", ["circle", "services/a -> services/b -> services/a"]),
        (A + "after: [c]\n", B, ["services/a", "services/c"]),
        (A, B.replace("id: b", "id: c"), ["services/b/service.yml", "'c'", "'b'"]),
        (A, B + "colour: red\n", ["services/b/service.yml", "unknown field colour", "Known: id"]),
        (A, B.replace("label: A\n", ""), ["services/b/service.yml", "label is missing"]),
        (A, B.replace("9951", "'9951'"), ["services/b/service.yml", "port is '9951'", "of type int"]),
        (A, B.replace("9951", "99510"), ["services/b/service.yml", "1 to 65535"]),
        (A, B.replace("zone: local", "zone: dmz"), ["zone is 'dmz'", "local, cluster, lan, wan"]),
        (A, B.replace("zone: local", "zone: wan"), ["port http has outside []", "clients, devices"]),
        (A, B.replace("zone: local", "zone: wan, outside: [guests]"), ["['guests']", "clients, devices"]),
        (A, B.replace("zone: local", "zone: local, outside: [clients]"), ["only a listener of zone wan"]),
        (A, B.replace("[main]", "[master]"), ["role 'master' is unknown"]),
        (A, B.replace("[main]", "main"), ["role is 'main'", "must be a list"]),
        (A, B.replace("memory: full", "memory: huge"), ["memory is 'huge'", "core, basic, full"]),
        (A, B + "health: {path: /health, port: web}\n", ["uses the port 'web'", "not listed"]),
        (A, B + "route: 7\n", ["route"]),
        (A, "- a list\n", ["services/b/service.yml", "not a list of fields"]),
        (A, "id: [", ["services/b", "not valid YAML"]),
    ],
)  # fmt: skip
def test_a_contradiction_names_every_folder_concerned(
    tmp_path: Path, a: str, b: str, says: list[str]
) -> None:
    with pytest.raises(CatalogError) as caught:
        catalog.load(folder(tmp_path, a=a, b=b))
    for words in says:
        assert words in str(caught.value)


def test_two_services_with_one_number_on_different_roles_do_not_clash(tmp_path: Path) -> None:
    found = catalog.load(folder(tmp_path, a=A, b=B.replace("9951", "9950").replace("[main]", "[sub]")))
    assert len(found.services) == 2
