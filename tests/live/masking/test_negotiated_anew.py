# SPDX-License-Identifier: Apache-2.0
"""A section that requires a certificate, or a cipher, of its own: HTTP/2 cannot negotiate anew, so mod_ssl and mod_http2 send
the client back to HTTP/1.1, masked or not. Who has the certificate gets in there."""
import pytest

import probes
from lab import raw

POLICIES = {"plain": "", "masked": "AuthStatusMask Forbidden", "all": "AuthStatusMask All", "mapped": "AuthStatusMap access-denied 451"}
HOST = """
<VirtualHost 127.0.0.1:${{TLS}}>
    ServerName {name}
    DocumentRoot "${{DOCS}}"
    Protocols h2 http/1.1
    SSLEngine on
    SSLCertificateFile "${{CERTIFICATE}}"
    SSLCertificateKeyFile "${{KEY}}"
    SSLCACertificateFile "${{CERTIFICATE}}"
    AuthStatus On
    {policy}
    <Location /certificate>
        SSLVerifyClient require
    </Location>
    <Location /denied>
        Require all denied
    </Location>
</VirtualHost>
"""
HTTP_1_1_REQUIRED = 13


@pytest.fixture(scope="module")
def site(start, authority):
    pytest.importorskip("h2", reason="HTTP/2 needs python3-h2")
    certificate = authority.issue("anew", ",".join(f"DNS:{name}" for name in POLICIES))
    return start("".join(HOST.format(name=name, policy=policy) for name, policy in POLICIES.items()),
                 modules=("ssl", "http2", "socache_shmcb"), listen=("HTTP", "TLS"), files={"certificate/page.html": "x\n"},
                 defines={"CERTIFICATE": certificate.cert, "KEY": certificate.key})


def fetch(site, host, path):
    connection = raw.Http2(site.ports["TLS"], tls=True)
    answer = connection.request(probes.http2("GET", host, path, None, None, "https"))
    connection.close()
    return answer


@pytest.mark.parametrize("host", POLICIES)
def test_the_client_is_sent_back_to_http1(site, host):
    site.log.allow(r"AH\d{5}: ", "AS00", "SSL Library Error")
    assert fetch(site, host, "/certificate/page.html") == [HTTP_1_1_REQUIRED, "reset"]


def test_what_is_refused_is_masked_beside_it(site):
    site.log.allow(r"AH\d{5}: ")
    hidden, missing = (fetch(site, "all", f"/{place}/page.html") for place in ("denied", "absent"))
    assert hidden == missing and (b":status", b"404") in hidden[0]
