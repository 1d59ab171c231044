# SPDX-License-Identifier: Apache-2.0
"""A certificate authority for one test run, made with openssl."""
import socket
import subprocess
from collections import namedtuple

Certificate = namedtuple("Certificate", "cert key")

# libldap (with GnuTLS) takes "localhost" for the name that the machine calls itself.
HERE = f"IP:127.0.0.1,DNS:localhost,DNS:{socket.gethostname()}"


def _openssl(*arguments):
    done = subprocess.run(["openssl", *map(str, arguments)], capture_output=True, text=True)
    if done.returncode:
        raise RuntimeError(f"openssl {' '.join(map(str, arguments))}\n{done.stderr}")


class Authority:
    def __init__(self, workdir, name):
        self.workdir = workdir
        self.name = name
        self.cert = workdir / f"{name}.pem"
        self.key = workdir / f"{name}.key"
        _openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", 2,
                 "-subj", f"/CN={name}", "-addext", f"subjectAltName={HERE}", "-addext", "basicConstraints=critical,CA:TRUE",
                 "-addext", "keyUsage=critical,keyCertSign,cRLSign,digitalSignature", "-keyout", self.key, "-out", self.cert)

    def issue(self, name, alternatives=HERE, expired=False):
        """A server's (or client's) certificate. `expired`: it was valid for a day, long ago."""
        cert, key, request = (self.workdir / f"{self.name}-{name}.{end}" for end in ("pem", "key", "csr"))
        extensions = self.workdir / f"{self.name}-{name}.ext"
        extensions.write_text(f"subjectAltName={alternatives}\nbasicConstraints=critical,CA:FALSE\n")
        _openssl("req", "-new", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes",
                 "-subj", f"/CN={name}", "-keyout", key, "-out", request)
        if expired:
            self._sign_in_the_past(name, request, extensions, cert)
        else:
            _openssl("x509", "-req", "-in", request, "-CA", self.cert, "-CAkey", self.key, "-CAcreateserial",
                     "-days", 2, "-extfile", extensions, "-out", cert)
        return Certificate(cert, key)

    def revoke(self, *certificates):
        """A revocation list with these in it."""
        workdir = self.workdir / f"{self.name}-crl"
        workdir.mkdir(exist_ok=True)
        (workdir / "index").write_text("")
        (workdir / "conf").write_text(f"[ca]\ndefault_ca = it\n[it]\ndatabase = {workdir}/index\ndefault_md = sha256\ndefault_crl_days = 2\n")
        for certificate in certificates:
            _openssl("ca", "-config", workdir / "conf", "-cert", self.cert, "-keyfile", self.key, "-revoke", certificate.cert)
        _openssl("ca", "-config", workdir / "conf", "-cert", self.cert, "-keyfile", self.key, "-gencrl", "-out", workdir / "crl.pem")
        return workdir / "crl.pem"

    def _sign_in_the_past(self, name, request, extensions, cert):
        """`openssl x509` takes no dates; `openssl ca` does, and wants a directory with a database."""
        workdir = self.workdir / f"{self.name}-{name}-ca"
        workdir.mkdir()
        (workdir / "index").write_text("")
        (workdir / "serial").write_text("4242\n")
        (workdir / "conf").write_text(f"""[ca]
default_ca = it
[it]
database = {workdir}/index
serial = {workdir}/serial
new_certs_dir = {workdir}
default_md = sha256
policy = any
[any]
commonName = supplied
""")
        _openssl("ca", "-batch", "-config", workdir / "conf", "-cert", self.cert, "-keyfile", self.key, "-in", request,
                 "-startdate", "20200101000000Z", "-enddate", "20200102000000Z", "-extfile", extensions,
                 "-notext", "-out", cert)
