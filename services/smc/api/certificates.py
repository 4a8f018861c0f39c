"""The certificates of the site; one is imported for the portal by a change of main (changes.py)."""

from services.smc import certificates
from services.smc.api.route import Call, operation
from services.smc.certificates import Certificate


@operation("GET", "/certificates", answer=list[Certificate], permission="network.view")
def list_certificates(call: Call) -> list[Certificate]:
    """Every certificate that a reporting server holds, the one that ends first at the top."""
    return certificates.listing(call.session)
