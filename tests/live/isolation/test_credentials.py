# SPDX-License-Identifier: Apache-2.0
"""Credentials belong to the servers of the AuthLDAPURL that they stand with: another server never sees them,
wherever it is named. Three directories record all binds that they get."""
import random
from collections import namedtuple

import pytest

from lab import tls
from lab.fake import PASSWORD, SERVICE, SERVICE_PASSWORD, Fake, entries
from lab.process import poll

SERVICE_LOGIN = (SERVICE, SERVICE_PASSWORD)
USER_LOGIN = ("uid=ann,dc=fake", PASSWORD)
ACCOUNT = f'AuthLDAPBindDN "{SERVICE}"\nAuthLDAPBindPassword "{SERVICE_PASSWORD}"\n'
HEAD = """AuthStatusUniformTiming Off
<Location "/">
    AuthType Basic
    AuthName x
    AuthBasicProvider authstatus
    Require valid-user
</Location>
"""
MODULES = ("proxy", "proxy_http", "authn_core", "authn_anon", "macro")


def url(fake, base="dc=fake", mode=""):
    return f'AuthLDAPURL "ldap://127.0.0.1:{fake if isinstance(fake, str) else fake.port}/{base}?uid" {mode}\n'


@pytest.fixture(scope="module")
def fakes():
    fakes = [Fake() for _ in range(3)]
    yield fakes
    for fake in fakes:
        fake.stop()


Row = namedtuple("Row", "name conf path elsewhere home files", defaults=((), {}))
# ${HOME} has the service account; ${OTHER} is somebody else's. `elsewhere` and `home`: the binds that each must get.
INHERITS = [SERVICE_LOGIN, USER_LOGIN]
HOME, OTHER = url("${HOME}"), url("${OTHER}")
DIRECTORY = f'<Directory "${{DOCS}}/a">\nAllowOverride AuthConfig\n{HOME}{ACCOUNT}</Directory>\n'
# The line alone asks a directory.
ANYBODY = (f'<Location "/a">\nAuthBasicProvider anon\nAnonymous *\nAnonymous_MustGiveEmail Off\n{HOME}{ACCOUNT}'
           "AuthMerging Off\nRequire %s\n</Location>\n")
ROWS = [
    Row("htaccess", DIRECTORY, "/a/x.html", (), files={"a/.htaccess": OTHER}),
    Row("htaccess-same-servers", DIRECTORY, "/a/x.html", (), (), {"a/.htaccess": HOME}),
    Row("htaccess-without-url", DIRECTORY, "/a/x.html", (), INHERITS, {"a/.htaccess": "AuthLDAPRemoteUserIsDN Off\n"}),
    Row("htaccess-dn-alone", DIRECTORY, "/a/x.html", (), [("cn=his,dc=fake", "")], {"a/.htaccess": "AuthLDAPBindDN cn=his,dc=fake\n"}),
    Row("htaccess-password-alone", DIRECTORY, "/a/x.html", (), (), {"a/.htaccess": "AuthLDAPBindPassword Pw!his\n"}),
    Row("htaccess-account-of-his", DIRECTORY, "/a/x.html", [SERVICE_LOGIN, USER_LOGIN], (), {"a/.htaccess": OTHER + ACCOUNT}),
    Row("htaccess-files", DIRECTORY, "/a/x.html", (), files={"a/.htaccess": f'<Files "x.html">\n{OTHER}</Files>\n'}),
    Row("htaccess-if", DIRECTORY, "/a/x.html", (), files={"a/.htaccess": f'<If "true">\n{OTHER}</If>\n'}),
    Row("initial-bind", f'<Directory "${{DOCS}}/a">\nAllowOverride AuthConfig\n{HOME}AuthLDAPInitialBindAsUser On\n'
        'AuthLDAPInitialBindPattern (.+) uid=$1,dc=fake\n</Directory>\n', "/a/x.html", (), files={"a/.htaccess": OTHER}),
    Row("initial-bind-without-url", f'<Directory "${{DOCS}}/a">\nAllowOverride AuthConfig\n{HOME}AuthLDAPInitialBindAsUser On\n'
        'AuthLDAPInitialBindPattern (.+) uid=$1,dc=fake\n</Directory>\n', "/a/x.html", (), [USER_LOGIN], {"a/.htaccess": "AuthName y\n"}),
    Row("location", f'<Location "/a">\n{HOME}{ACCOUNT}</Location>\n<Location "/a/x.html">\n{OTHER}</Location>\n', "/a/x.html", ()),
    Row("location-same-servers", f'<Location "/a">\n{url("${HOME}", "dc=elsewhere")}{ACCOUNT}</Location>\n<Location "/a/x.html">\n{HOME}</Location>\n',
        "/a/x.html", (), INHERITS),
    Row("location-tls-mode", f'<Location "/a">\n{url("${OTHER}", mode="STARTTLS")}{ACCOUNT}</Location>\n<Location "/a/x.html">\n{OTHER}</Location>\n',
        "/a/x.html", ()),
    Row("location-written-twice", f'<Location "/a">\n{HOME}</Location>\n<Location "/a">\n{ACCOUNT}</Location>\n', "/a/x.html", (), INHERITS),
    Row("account-without-url", f'<Location "/a">\n{ACCOUNT}</Location>\n<Location "/a/x.html">\n{OTHER}</Location>\n', "/a/x.html", ()),
    Row("back-again", f'<Location "/a">\n{HOME}{ACCOUNT}</Location>\n<LocationMatch "^/a/">\n{OTHER}</LocationMatch>\n'
        f'<LocationMatch "x">\n{HOME}</LocationMatch>\n', "/a/x.html", (), INHERITS),
    Row("some-of-the-servers", f'<Location "/a">\nAuthLDAPURL "ldap://127.0.0.1:${{HOME}} 127.0.0.1:${{OTHER}}/dc=fake?uid"\n{ACCOUNT}</Location>\n'
        f'<Location "/a/x.html">\n{OTHER}</Location>\n', "/a/x.html", ()),
    Row("directory-and-location", f'<Directory "${{DOCS}}/a">\n{HOME}{ACCOUNT}</Directory>\n<Location "/a/x.html">\n{OTHER}</Location>\n', "/a/x.html", ()),
    Row("files", f'<Location "/nothing">\n</Location>\n<Directory "${{DOCS}}/a">\n{HOME}{ACCOUNT}<Files "x.html">\n{OTHER}</Files>\n</Directory>\n',
        "/a/x.html", ()),
    Row("if", f'<Location "/a">\n{HOME}{ACCOUNT}<If "true">\n{OTHER}</If>\n</Location>\n', "/a/x.html", ()),
    Row("macro", f'<Macro Partner $port>\nAuthLDAPURL "ldap://127.0.0.1:$port/dc=fake?uid"\n</Macro>\n<Location "/a">\n{HOME}{ACCOUNT}</Location>\n'
        '<Location "/a/x.html">\nUse Partner ${OTHER}\n</Location>\n', "/a/x.html", ()),
    Row("proxy", f'ProxyPass "/a" "http://127.0.0.1:9/"\n<Proxy "*">\n{HOME}{ACCOUNT}</Proxy>\n<Proxy "http://127.0.0.1:9/*">\n{OTHER}</Proxy>\n',
        "/a/x.html", ()),
    Row("virtual-host", f'<Location "/a">\n{HOME}{ACCOUNT}</Location>\n<VirtualHost *:${{HTTP}}>\n<Location "/a/x.html">\n{OTHER}</Location>\n'
        '</VirtualHost>\n', "/a/x.html", ()),
    Row("virtual-host-inherits", f'<Location "/a">\n{HOME}{ACCOUNT}</Location>\n<VirtualHost *:${{HTTP}}>\n</VirtualHost>\n', "/a/x.html", (), INHERITS),
    Row("alias", f'<AuthnProviderAlias authstatus partner>\n{OTHER}</AuthnProviderAlias>\n<Location "/a">\n{HOME}{ACCOUNT}'
        'AuthBasicProvider partner\n</Location>\n', "/a/x.html", ()),
    Row("alias-same-servers", f'<AuthnProviderAlias authstatus partner>\n{HOME}</AuthnProviderAlias>\n<Location "/a">\n{HOME}{ACCOUNT}'
        'AuthBasicProvider partner\n</Location>\n', "/a/x.html", (), ()),
    Row("alias-without-url", '<AuthnProviderAlias authstatus partner>\nAuthLDAPRemoteUserIsDN On\n</AuthnProviderAlias>\n'
        f'<Location "/a">\n{HOME}{ACCOUNT}AuthBasicProvider partner\n</Location>\n', "/a/x.html", (), ()),
    Row("alias-dn-alone", '<AuthnProviderAlias authstatus partner>\nAuthLDAPBindDN cn=his,dc=fake\n</AuthnProviderAlias>\n'
        f'<Location "/a">\n{HOME}{ACCOUNT}AuthBasicProvider partner\n</Location>\n', "/a/x.html", (), [("cn=his,dc=fake", "")]),
    Row("alias-in-a-macro", f'<Macro Partner $port>\nAuthLDAPURL "ldap://127.0.0.1:$port/dc=fake?uid"\n</Macro>\n'
        '<AuthnProviderAlias authstatus partner>\nUse Partner ${HOME}\n</AuthnProviderAlias>\n'
        f'<Location "/a">\n{HOME}{ACCOUNT}AuthBasicProvider partner\n</Location>\n', "/a/x.html", (), ()),
    Row("authz-alias", f'<AuthzProviderAlias ldap-filter partner objectClass=*>\n{OTHER}</AuthzProviderAlias>\n{ANYBODY % "partner"}', "/a/x.html", (), ()),
    Row("authz-alias-same-servers", f'<AuthzProviderAlias ldap-filter partner objectClass=*>\n{HOME}</AuthzProviderAlias>\n{ANYBODY % "partner"}',
        "/a/x.html", (), ()),
    Row("authz-alias-without-url", '<AuthzProviderAlias ldap-filter partner objectClass=*>\nAuthLDAPMaxSubGroupDepth 1\n</AuthzProviderAlias>\n'
        f'{ANYBODY % "partner"}', "/a/x.html", (), ()),
    Row("authz-alias-dn-alone", '<AuthzProviderAlias ldap-filter partner objectClass=*>\nAuthLDAPBindDN cn=his,dc=fake\n</AuthzProviderAlias>\n'
        f'{ANYBODY % "partner"}', "/a/x.html", (), [("cn=his,dc=fake", "")]),
    Row("authz-alias-with-account", f'<AuthzProviderAlias ldap-filter staff objectClass=*>\n{HOME}{ACCOUNT}</AuthzProviderAlias>\n'
        f'{ANYBODY.replace(HOME, OTHER).replace(ACCOUNT, "") % "staff"}', "/a/x.html", (), [SERVICE_LOGIN]),
    Row("alias-with-account", f'<AuthnProviderAlias authstatus staff>\n{HOME}{ACCOUNT}</AuthnProviderAlias>\n<Location "/a">\n{OTHER}'
        'AuthBasicProvider staff\n</Location>\n', "/a/x.html", (), INHERITS),
]


@pytest.mark.parametrize("row", ROWS, ids=[row.name for row in ROWS])
def test_place(start, fakes, row):
    home, other, _ = fakes
    httpd = start(HEAD + row.conf, defines={"HOME": home.port, "OTHER": other.port}, modules=MODULES,
                  files={"a/x.html": "x", **row.files})
    httpd.log.allow("")
    home.forget()
    other.forget()
    httpd.get(row.path, login=("ann", PASSWORD))
    assert other.binds() == list(row.elsewhere), "what another server got"
    assert home.binds() == list(row.home)
    # Not without having been there, but for what is its own.
    assert any(fake.operations for fake in (home, other)) or row.name == "location-tls-mode"
    httpd.stop()


def test_referrals_of_htaccess(start, fakes):
    """LDAPReferrals On in .htaccess does not take the service account to where the directory points."""
    home, other, _ = fakes
    home.act_out({"search": entries(references=[f"ldap://127.0.0.1:{other.port}/dc=fake??sub"])})
    httpd = start(HEAD + DIRECTORY + f'<Directory "${{DOCS}}/b">\n{HOME}{ACCOUNT}LDAPReferrals On\n</Directory>\n',
                  defines={"HOME": home.port, "OTHER": other.port},
                  files={"a/x.html": "x", "a/.htaccess": "LDAPReferrals On\n", "b/x.html": "x"})
    httpd.log.allow("")
    for path, binds in (("/a/x.html", []), ("/b/x.html", INHERITS)):
        other.forget()
        httpd.get(path, login=("ann", PASSWORD))
        assert other.binds() == binds
    home.act_out({})
    httpd.stop()


def test_client_certificates(start, workdirs, authority, good_certificate):
    """That of the server's configuration goes to the administrator's directories alone."""
    client = authority.issue("client")
    client.key.chmod(0o644)
    home, other = [Fake(certificate=good_certificate, ldaps=True, authority=authority) for _ in range(2)]
    secure = [f'AuthLDAPURL "ldaps://127.0.0.1:{fake.port}/dc=fake?uid"\n' for fake in (home, other)]
    section = f"LDAPTrustedClientCert CERT_BASE64 {client.cert}\nLDAPTrustedClientCert KEY_BASE64 {client.key}\n"
    everywhere = section.replace("Client", "Global")
    for where, head, inside in (("section", "", section), ("server", everywhere, "")):
        httpd = start(f'LDAPTrustedGlobalCert CA_BASE64 {authority.cert}\n{head}{HEAD}<Directory "${{DOCS}}">\nAllowOverride AuthConfig\n'
                      f'{secure[0]}{inside}</Directory>\n<Location "/in">\n{secure[1]}</Location>',
                      files={"a/x.html": "x", "a/.htaccess": secure[1], "in/x.html": "x"})
        httpd.log.allow("")
        for path, fake, certificates in (("/index.html", home, {True}), ("/a/x.html", other, {False}),
                                         ("/in/x.html", other, {where == "server"})):
            fake.forget()
            httpd.get(path, login=("ann", PASSWORD))
            with fake._lock:
                seen = {operation.peer is not None for operation in fake.operations if operation.step == "search"}
            assert seen == certificates, (where, path)
        httpd.stop()
    for fake in (home, other):
        fake.stop()


def test_a_stranger_gets_no_client_certificate(start, workdirs, authority):
    """A certificate that was refused is fetched again, to say in the log why, without proof of who asks. The first handshake may have
    had it: libldap over GnuTLS verifies the server's certificate behind the handshake."""
    client = authority.issue("client-of-a-stranger")
    client.key.chmod(0o644)
    stranger = Fake(certificate=tls.Authority(workdirs.new("stranger"), "stranger").issue("directory"), ldaps=True, authority=authority)
    httpd = start(f'LDAPTrustedGlobalCert CA_BASE64 {authority.cert}\n{HEAD}<Location "/in">\n'
                  f'AuthLDAPURL "ldaps://127.0.0.1:{stranger.port}/dc=fake?uid"\nLDAPTrustedClientCert CERT_BASE64 {client.cert}\n'
                  f"LDAPTrustedClientCert KEY_BASE64 {client.key}\n</Location>", files={"in/x.html": "x"})
    httpd.log.expect("AS0061: .*is not signed by an authority in")
    assert httpd.get("/in/x.html", login=("ann", PASSWORD)).status == 500
    poll(lambda: None in stranger.peers, 10, "a handshake without a certificate of the client's")
    assert not stranger.binds()
    httpd.stop()
    stranger.stop()


def test_exec_not_in_htaccess(start, workdirs, fakes):
    workdir = workdirs.new("exec")
    workdir.chmod(0o777)
    program = workdir / "program"
    program.write_text(f"#!/bin/sh\ntouch {workdir}/was-run\necho Pw!x\n")
    program.chmod(0o755)
    httpd = start(HEAD + '<Directory "${DOCS}">\nAllowOverride AuthConfig\n</Directory>',
                  files={"a/x.html": "x", "a/.htaccess": f'{url(fakes[1])}AuthLDAPBindDN cn=x,dc=fake\nAuthLDAPBindPassword "exec:{program}"\n'})
    httpd.log.expect(r"exec: cannot be used in \.htaccess")
    assert httpd.get("/a/x.html", login=("ann", PASSWORD)).status == 500
    assert not (workdir / "was-run").exists()
    httpd.stop()


# -- random nestings --------------------------------------------------------------------------------------------------

Place = namedtuple("Place", "kind server dn password")  # kind: server, htaccess or alias; server: of its URL, or None
RANKS = {"server": 0, "htaccess": 1, "alias": 2}


def make_place(rng, name, kind):
    return Place(kind, rng.choice((None, None, 0, 1, 2)), rng.choice((None, f"cn={name},dc=fake")), rng.choice((None, f"Pw!{name}")))


def text_of(place, fakes):
    lines = [] if place.server is None else [url(fakes[place.server]).strip()]
    lines += [f'AuthLDAPBindDN "{place.dn}"'] if place.dn else []
    lines += [f'AuthLDAPBindPassword "{place.password}"'] if place.password else []
    return "\n".join(lines) + "\n"


def expected(chain, alias):
    """(server, DN, password) of the service bind, by the contract's words; the chain is in httpd's order of merging."""
    urls = [(number, place) for number, place in enumerate(chain) if place.server is not None]
    if not urls:
        return None, None, None
    last = urls[-1][1]
    found = {}
    for member in ("dn", "password"):
        places = [(number, place) for number, place in enumerate(chain) if getattr(place, member)]
        if places:
            number, place = places[-1]
            home = [outer.server for at, outer in urls if at <= number]
            kind = "alias" if alias else last.kind
            if home and home[-1] == last.server and (kind == "server" or place.kind == kind):
                found[member] = place
    most = max((RANKS[place.kind] for place in found.values()), default=0)
    found = {member: getattr(place, member) for member, place in found.items() if RANKS[place.kind] == most}
    return last.server, found.get("dn"), found.get("password", "")


def make_tree(rng, number, fakes):
    """(configuration, files, the chain, whether an alias is asked)"""
    names = ["directory-1", "htaccess-1", "directory-2", "htaccess-2", "files", "location-1", "location-2", "if"]
    alias = rng.random() < 0.25
    chain, conf, files = [], "", {f"t{number}/d/x{number}.html": "x"}
    wraps = {
        "directory-1": f'<Directory "${{DOCS}}/t{number}">\nAllowOverride AuthConfig\n%s</Directory>\n',
        "directory-2": f'<Directory "${{DOCS}}/t{number}/d">\n%s</Directory>\n',
        "files": f'<Files "x{number}.html">\n%s</Files>\n',
        "location-1": f'<Location "/t{number}/">\n%s</Location>\n',
        "location-2": f'<LocationMatch "^/t{number}/d/">\n%s</LocationMatch>\n',
        "if": f'<If "%%{{REQUEST_URI}} =~ m#^/t{number}/#">\n%s</If>\n',
    }
    for name in names:
        place = make_place(rng, f"{name}-{number}", "htaccess" if name.startswith("ht") else "server")
        if rng.random() < 0.5 and name != "directory-1":
            place = Place("server", None, None, None)
        chain.append(place)
        if name in wraps:
            conf += wraps[name] % text_of(place, fakes)
        else:
            files[f"t{number}/{'d/' if name.endswith('2') else ''}.htaccess"] = text_of(place, fakes)
    if alias:
        chain.append(make_place(rng, f"alias-{number}", "alias"))
        conf = (f"<AuthnProviderAlias authstatus alias{number}>\nAuthLDAPBindAuthoritative Off\n{text_of(chain[-1], fakes)}</AuthnProviderAlias>\n"
                f'{conf}<Location "/t{number}">\nAuthBasicProvider alias{number}\n</Location>\n')
    return conf, files, chain, alias


@pytest.mark.parametrize("seed", range(3))
def test_random_nestings(start, seed):
    rng = random.Random(seed)
    fakes = [Fake(people={"uid=ann,dc=fake": PASSWORD}) for _ in range(3)]
    trees = [make_tree(rng, number, fakes) for number in range(40)]
    for fake in fakes:
        fake.people.update({place.dn: place.password or "" for _, _, chain, _ in trees for place in chain if place.dn})
    httpd = start(HEAD + "".join(tree[0] for tree in trees), files={name: text for tree in trees for name, text in tree[1].items()})
    httpd.log.allow("")
    bound = anonymous = 0
    for number, (_, _, chain, alias) in enumerate(trees):
        for fake in fakes:
            fake.forget()
        httpd.get(f"/t{number}/d/x{number}.html", login=("ann", PASSWORD))
        server, dn, password = expected(chain, alias)
        for at, fake in enumerate(fakes):
            assert fake.binds() == ([(dn, password)] if dn and at == server else []), (number, at, chain, alias)
        bound += dn is not None
        anonymous += dn is None and any(place.dn for place in chain)
    assert bound > 4 and anonymous > 4, "both must occur"
    httpd.stop()
    for fake in fakes:
        fake.stop()


def test_dump_tells_what_is_not_inherited(start, fakes):
    httpd = start.make(f'{HEAD}<Location "/a">\n{url(fakes[0])}{ACCOUNT}</Location>\n<Location "/a/b">\n{url(fakes[1])}</Location>\n')
    said = httpd.run("-t", "-DDUMP_AUTHSTATUS").stdout
    outer, inner = [part for part in said.split("<Location ") if part.startswith('"/a')]
    assert f"as {SERVICE}" in outer and "not used" not in outer, said
    assert "as nobody" in inner and "AuthLDAPBindDN and AuthLDAPBindPassword: for the servers of another" in inner, said
