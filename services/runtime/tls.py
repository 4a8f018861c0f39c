"""Mutual TLS inside a site: this node's certificate, and the site's own authority as the only one trusted."""

import ssl

from services.runtime import config
from services.runtime.errors import Problem


def client_context() -> ssl.SSLContext:
    """For calls to another node: TLS 1.2 or newer, names checked, node certificate shown."""
    try:
        context = ssl.create_default_context(cafile=config.pki("ca.pem"))
        context.load_cert_chain(config.pki("node.pem"), config.credential_path("node.key"))
    except (OSError, ssl.SSLError) as error:
        raise Problem(
            "certificate-unusable",
            "This node's certificate cannot be used.",
            f"{error}.",
            "Run the deployment again: it checks the certificates and makes missing ones anew.",
            status=500,
        ) from error
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    return context
