"""The bill of materials is CycloneDX 1.6 by its own schema, and complete."""

import json
from datetime import UTC, datetime

import pytest
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator

from services.bundle import sbom, web
from services.bundle.index import Package
from services.bundle.wheels import Wheel

DIGEST = "ab" * 32
MADE = datetime(2030, 1, 2, 3, 4, 5, tzinfo=UTC)


@pytest.fixture
def document() -> bytes:
    """One package twice, for both Debian releases, and the real npm packages."""
    deb = Package("libfoo++1", "1:2.3~rc1-4+b1", "amd64", "x.deb", 9, DIGEST, ["GPL-2+", "MIT"], "")
    prose = Package("bar", "1", "all", "y.deb", 9, DIGEST, [], "")
    wheel = Wheel("Typing_Extensions", "4.0", "typing_extensions-4.0-py3-none-any.whl", DIGEST, "PSF-2.0")
    listed = [make for number in ("12", "13") for make in (sbom.deb(deb, number), sbom.wheel(wheel, number))]
    return sbom.document(
        "dss", "1.2.3", MADE, [*listed, sbom.deb(prose, "12"), *map(sbom.npm, web.components())]
    )


def test_document_fits_the_schema(document: bytes) -> None:
    error = JsonStrictValidator(SchemaVersion.V1_6).validate_str(document.decode())
    assert error is None, str(error)


def test_schema_check_would_find_a_mistake(document: bytes) -> None:
    broken = document.replace(b'"SHA-256"', b'"SHA-0"')
    assert JsonStrictValidator(SchemaVersion.V1_6).validate_str(broken.decode())


def test_package_urls_escape_what_the_specification_wants(document: bytes) -> None:
    urls = {component["purl"] for component in json.loads(document)["components"]}
    assert "pkg:deb/debian/libfoo%2B%2B1@1%3A2.3~rc1-4%2Bb1?arch=amd64&distro=debian-12" in urls
    assert any(url.startswith("pkg:npm/%40tabler/core@") for url in urls)
    assert any(url.startswith("pkg:pypi/typing-extensions@4.0") for url in urls)


def test_references_are_unique_and_all_depended_on(document: bytes) -> None:
    body = json.loads(document)
    references = [component["bom-ref"] for component in body["components"]]
    assert len(references) == len(set(references)) == 5 + len(web.components())
    assert body["dependencies"][0]["dependsOn"] == references


def test_unknown_licence_is_left_out_not_invented(document: bytes) -> None:
    components = {c["name"]: c for c in json.loads(document)["components"]}
    assert "licenses" not in components["bar"]
    assert components["libfoo++1"]["licenses"] == [
        {"license": {"name": "GPL-2+"}},
        {"license": {"name": "MIT"}},
    ]


def test_summary_counts_every_kind(document: bytes) -> None:
    count = len(web.components())
    assert sbom.summary(document) == (
        f"{5 + count} components (3 Debian, 2 Python, {count} npm), licences known for {4 + count}"
    )
