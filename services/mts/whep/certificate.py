"""The certificate of the media connections, as long as the process lives; its hash is in each answer."""

import ctypes

from aiortc import RTCCertificate
from aiortc.rtcdtlstransport import SRTPProtectionProfile
from cryptography.hazmat.bindings.openssl.binding import Binding
from OpenSSL import SSL

_CIPHERS = b"ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-ECDSA-CHACHA20-POLY1305"
# Browsers sign their certificates themselves; the hash in the offer is what counts, and is compared later.
_accept = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_int, ctypes.c_void_p)(lambda _known, _store: 1)


class Certificate(RTCCertificate):
    """As aiortc's, where memory may not be both written and executed, as the unit's sandbox has it.

    cffi makes its callbacks in such memory; libffi behind ctypes does not.
    """

    def _create_ssl_context(self, srtp_profiles: list[SRTPProtectionProfile]) -> SSL.Context:
        context = SSL.Context(SSL.DTLS_METHOD)
        context.set_options(SSL.OP_NO_TICKET)
        binding = Binding()
        address = ctypes.cast(_accept, ctypes.c_void_p).value
        function = binding.ffi.cast("int(*)(int, X509_STORE_CTX *)", address)
        mode = SSL.VERIFY_PEER | SSL.VERIFY_FAIL_IF_NO_PEER_CERT
        binding.lib.SSL_CTX_set_verify(context._context, mode, function)
        context.use_certificate(self._cert)
        context.use_privatekey(self._key)
        context.set_cipher_list(_CIPHERS)
        context.set_tlsext_use_srtp(b":".join(one.openssl_profile for one in srtp_profiles))
        return context
