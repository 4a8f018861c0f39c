"""Which signing requests main signs: for a node's own names and addresses, against its one-time token.

Run as a program it reads `["admit", name, token, csr, source]` or `["renew", name, csr, source]` (JSON) and
prints the answer, or `{"problem": …}`.
"""

import ipaddress
import json
import sys
from collections.abc import Callable
from typing import Any

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import ec
from sqlalchemy.orm import Session

from services.node import pki
from services.runtime import config
from services.runtime.config import Node
from services.runtime.errors import Problem
from services.smc import audit, mapping_grants, nodes, store

MOST_ADDRESSES = 8


def admit(main: Node, name: str, token: str, csr: str, source: str) -> dict[str, str]:
    """Sign for a node that shows its token: `{"certificate", "ca"}`, both PEM; a refusal is audited.

    A request that is refused for its own sake does not use up the token.
    """
    signer = _signer()
    with store.session() as session:
        try:
            names, key = _checked(main, name, csr, _taken(session, main, name))
        except Problem as problem:
            details = {"reason": problem.code}
            audit.write(session, "node.join", name[:63], actor=name[:63], source=source,
                        outcome="refused", details=details)  # fmt: skip
            raise
        nodes.redeem_token(session, name, token, source)
    return signer(names, key)


def renew(main: Node, name: str, csr: str, source: str) -> dict[str, str]:
    """Sign anew for a node that is known by its certificate; audited, a refusal too."""
    signer = _signer()
    with store.session() as session:
        entry = {"actor": name[:63], "source": source}
        try:
            if nodes.get(session, name).state == "disabled":
                raise _refused("node-disabled", "The node is disabled.")
            names, key = _checked(main, name, csr, _taken(session, main, name))
        except Problem as problem:
            details = {"reason": problem.code}
            audit.write(session, "node.renew", name[:63], outcome="refused", details=details, **entry)
            raise
        addresses = ", ".join(names.addresses)
        audit.write(session, "node.renew", name, details={"addresses": addresses}, **entry)
    return signer(names, key)


def _signer() -> Callable[[pki.Names, ec.EllipticCurvePublicKey], dict[str, str]]:
    """Makes `{"certificate", "ca"}`: signed with the key DSS_SMC holds, and all authorities that count."""
    trusted = pki.authorities(config.pki("ca.pem").read_bytes())
    ca_key = pki.load_key(config.credential("ca.key").encode())
    ca = pki.owner_of(ca_key, trusted)
    if ca is None:
        raise Problem(
            "authority-changed",
            "The certificate was not signed.",
            "DSS_SMC of main still holds the key of an authority that is not trusted any more.",
            "Restart it there: dss restart smc.",
            status=500,
        )

    def sign(names: pki.Names, key: ec.EllipticCurvePublicKey) -> dict[str, str]:
        certificate = pki.sign(ca_key, ca, key, names)
        return {"certificate": pki.pem(certificate).decode(), "ca": pki.bundle(trusted).decode()}

    return sign


def _checked(main: Node, name: str, csr: str, taken: set[str]) -> tuple[pki.Names, ec.EllipticCurvePublicKey]:
    nodes.check_name(name)
    names, key = read_request(csr)
    allowed = pki.Names.of(name, [])
    if name == main.name or names.name != name or not set(names.dns) <= set(allowed.dns):
        raise _refused("csr-names", "The request asks for names that are not this node's own.")
    if taken & set(names.addresses):
        raise _refused("csr-addresses", "The request asks for an address that another node has.")
    return pki.Names.of(name, names.addresses), key


def read_request(text: str) -> tuple[pki.Names, ec.EllipticCurvePublicKey]:
    """Names and key of a signing request (RFC 2986); Problem if it is not well-formed, signed and P-256."""
    try:
        request = x509.load_pem_x509_csr(text.encode())
        signed, key = request.is_signature_valid, request.public_key()
        names = pki.names_in(request)
        addresses = [ipaddress.ip_address(address) for address in names.addresses]
    except (ValueError, TypeError, InvalidSignature, x509.ExtensionNotFound) as error:
        raise _refused("csr-unreadable", "The signing request cannot be read.") from error
    if not signed or not isinstance(key, ec.EllipticCurvePublicKey) or key.curve.name != "secp256r1":
        raise _refused("csr-key", "The signing request is not signed by a P-256 key.")
    if len(addresses) > MOST_ADDRESSES or any(a.is_multicast or a.is_unspecified for a in addresses):
        raise _refused("csr-addresses", "The signing request asks for addresses that no node can have.")
    return names, key


def _taken(session: Session, main: Node, name: str) -> set[str]:
    """What the node may not have: others' addresses, and their outside ones unless it was given the same."""
    others: list[Node | nodes.Node] = [main, *(n for n in nodes.listing(session) if n.name != name)]
    inside = {address for node in others for address in (node.address, *node.addresses.values())}
    outside = {node.mapping_ip for node in others if node.mapping_ip}
    return inside | (outside - mapping_grants.addresses(session, name))


def _refused(code: str, why: str) -> Problem:
    return Problem(
        code,
        "The node was not let in.",
        why,
        "Check the node's name and addresses in the inventory, then run the deployment of this node again.",
        status=403,
    )


ANSWERS: dict[str, Callable[..., dict[str, str]]] = {"admit": admit, "renew": renew}


def main() -> None:
    """One question from standard input, its answer to standard output."""
    kind, *words = json.load(sys.stdin)
    answer: dict[str, Any]
    try:
        answer = {**ANSWERS[kind](config.load_node(), *words)}
    except Problem as problem:
        answer = {"problem": problem.as_dict()}
    print(json.dumps(answer))


if __name__ == "__main__":
    main()
