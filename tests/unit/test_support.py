"""What leaves a node for support holds no secret, in whatever form a log or file shows it."""

from pathlib import Path

import pytest

from services.node import files, support

PEM = "-----BEGIN PRIVATE KEY-----\nMC4CAQAwBQYDK2VwBCIEIAAA\nBBBBCCCCDDDDEEEE\n-----END PRIVATE KEY-----\n"


@pytest.fixture
def etc(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for folder in ("credentials", "pki"):
        (tmp_path / folder).mkdir()
    (tmp_path / "credentials" / "node-token").write_text("a-token-of-a-node\n")
    (tmp_path / "credentials" / "media-key").write_text(PEM)
    (tmp_path / "pki" / "node.key").write_text(PEM.replace("B", "F"))
    monkeypatch.setattr(files, "ETC", tmp_path)
    return tmp_path


@pytest.mark.parametrize(
    "text",
    [
        "proxy_set_header Authorization 'Bearer a-token-of-a-node';",
        "key: " + PEM.replace("\n", "\\n"),
        "one line of it: MC4CAQAwBQYDK2VwBCIEIAAA",
        PEM,
    ],
)
def test_secrets_are_taken_out_of_every_text(etc: Path, text: str) -> None:
    shown = support.masked(text, support.secrets())
    for word in ("a-token-of-a-node", "MC4CAQAwBQYDK2VwBCIEIAAA", "BBBBCCCCDDDDEEEE"):
        assert word not in shown
    assert support.HIDDEN in shown


def test_what_is_no_secret_stays(etc: Path) -> None:
    assert support.masked("node main-a runs", support.secrets()) == "node main-a runs"
