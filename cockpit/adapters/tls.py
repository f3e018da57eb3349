"""A certificate's bytes -> what is in it."""

from __future__ import annotations

from cockpit.domain.checkup import Certificate
from cockpit.domain.errors import CockpitError
from cockpit.domain.text import plain


def certificate(data: bytes, why: str = "") -> Certificate:
    """`data` is DER or PEM; `why` says why it was not trusted. CockpitError where it is no certificate."""
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes

    try:
        pem = b"-----BEGIN" in data
        found = x509.load_pem_x509_certificate(data) if pem else x509.load_der_x509_certificate(data)
        names = [str(a.value) for a in found.subject.get_attributes_for_oid(x509.NameOID.COMMON_NAME)]
        issuer = [str(a.value) for a in found.issuer.get_attributes_for_oid(x509.NameOID.COMMON_NAME)]
    except ValueError as error:
        raise CockpitError("the certificate cannot be read", plain(str(error))) from None
    try:
        more = found.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        names += more.get_values_for_type(x509.DNSName) + [str(ip) for ip in more.get_values_for_type(x509.IPAddress)]
    except (x509.ExtensionNotFound, ValueError):
        pass  # an old one: its common name is its only name
    digest = found.fingerprint(hashes.SHA256()).hex().upper()
    return Certificate(
        names=tuple(dict.fromkeys(plain(name) for name in names)),
        issuer=plain(issuer[0]) if issuer else "",
        not_after=found.not_valid_after_utc.timestamp(),
        fingerprint=":".join(digest[i : i + 2] for i in range(0, len(digest), 2)),
        trusted=not why,
        why=plain(why),
    )
