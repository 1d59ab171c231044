# SPDX-License-Identifier: Apache-2.0
"""Each kind of configuration that httpd's manual shows for mod_authnz_ldap, with the words of this lab: it starts, and lets in
and refuses whom the manual says; with AuthBasicProvider authstatus and AuthStatus On, and nothing of mod_ldap loaded."""
import base64
import hashlib
from collections import namedtuple

import pytest

from lab.slapd import TOP, Database
from test_rows import Text, header

RIGHT, BASE = "Pw!right", "o=manual"
DIGEST = "{SHA}" + base64.b64encode(hashlib.sha1(RIGHT.encode()).digest()).decode()
# Name: common name, and more of the entry.
PEOPLE = {"pat": ("Pat Quinn", "employeeType: active\nl: San Rafael\ndepartmentNumber: 7\nmobile: 1\nou: Marketing\n"),
          "sam": ("Sam Okoro", "employeeType: retired\nl: Lagos\nou: Marketing\n"),
          "lee": ("Lee", "employeeType: active\nl: Lagos\nmobile: 2\npager: 5\n")}


def person(name):
    common, more = PEOPLE[name]
    return (f"dn: cn={common},ou=People,{BASE}\nobjectClass: inetOrgPerson\ncn: {common}\nsn: {name}\nuid: {name}\n"
            f"mail: {name}@manual.test\nuserPassword: {RIGHT}\n{more}\n")


def ldif():
    text = TOP + f"dn: ou=People,{BASE}\nobjectClass: organizationalUnit\nou: People\n\n" + "".join(map(person, PEOPLE))
    text += (f"dn: cn=Stewards,{BASE}\nobjectClass: groupOfUniqueNames\nuniqueMember: cn=Pat Quinn,ou=People,{BASE}\n"
             f"uniqueMember: cn=Sam Okoro,ou=People,{BASE}\n\n")
    # Employees: within it the managers, within these whom the manual calls the lowest.
    text += "".join(f"dn: cn={name},{BASE}\nobjectClass: groupOfUniqueNames\nuniqueMember: cn={member},{BASE}\n\n"
                    for name, member in (("Staff", "Leads"), ("Leads", "Chiefs"), ("Chiefs", "Lee,ou=People")))
    text += f"dn: cn=unix,{BASE}\nobjectClass: posixGroup\ngidNumber: 9\nmemberUid: sam\n\n"
    text += f"dn: cn=alias,{BASE}\nobjectClass: alias\nobjectClass: extensibleObject\naliasedObjectName: cn=Lee,ou=People,{BASE}\n\n"
    return text


URL = f"ldap://127.0.0.1:${{LDAP}}/ou=People,{BASE}"
ACCOUNT = f"AuthLDAPBindDN cn=service,{BASE}\n    AuthLDAPBindPassword Pw!service"
Example = namedtuple("Example", "url lines statuses more", defaults=("",))


def url(rest="?uid?sub?(objectClass=*)", mode=""):
    return f'AuthLDAPURL "{URL}{rest}" {mode}\n    {ACCOUNT}'


FULL = {"Pat Quinn": 200, "Sam Okoro": 200, "Lee": 403}
EXAMPLES = {
    "valid-user": Example(url(), "Require valid-user", {"pat": 200, "nobody": 401}),
    # ldap-user: a name in quotes, one a line; several on one; with another attribute
    "user-quoted": Example(url("?cn"), 'Require ldap-user "Pat Quinn"\n    Require ldap-user "Sam Okoro"', FULL),
    "user-list": Example(url(), "Require ldap-user pat sam", {"pat": 200, "sam": 200, "lee": 403}),
    "user-quoted-list": Example(url("?cn"), 'Require ldap-user "Pat Quinn" "Sam Okoro"', FULL),
    # ldap-group: a group of unique names, with a space behind the comma; nested ones; names in place of DNs
    "group": Example(url(), "Require ldap-group cn=Stewards, o=manual", {"pat": 200, "sam": 200, "lee": 403}),
    "group-attribute": Example(url(), f"Require ldap-group cn=Stewards,{BASE}", {"pat": 200, "lee": 403},
                               "AuthLDAPGroupAttribute uniqueMember"),
    "subgroups": Example(url(), f"Require ldap-group cn=Staff,{BASE}", {"lee": 200, "pat": 403},
                         "AuthLDAPSubGroupAttribute uniqueMember\n    AuthLDAPSubGroupClass groupOfUniqueNames\n"
                         "    AuthLDAPMaxSubGroupDepth 2"),
    "subgroups-depth": Example(url(), f"Require ldap-group cn=Staff,{BASE}", {"lee": 403}, "AuthLDAPMaxSubGroupDepth 1"),
    "posix": Example(url(), f"Require ldap-group cn=unix,{BASE}", {"sam": 200, "pat": 403},
                     "AuthLDAPGroupAttribute memberUid\n    AuthLDAPGroupAttributeIsDN off"),
    # ldap-dn, compared by the directory and as text
    "dn": Example(url(), "Require ldap-dn cn=Pat Quinn, ou=People, o=manual", {"pat": 200, "sam": 403}),
    "dn-text": Example(url(), f"Require ldap-dn cn=Pat Quinn,ou=People,{BASE}", {"pat": 200, "sam": 403},
                       "AuthLDAPCompareDNOnServer off"),
    # ldap-attribute: one; two, either of which is enough; one in quotes
    "attribute": Example(url(), "Require ldap-attribute employeeType=active", {"pat": 200, "sam": 403}),
    "attributes": Example(url(), 'Require ldap-attribute l="San Rafael" employeeType=active', {"pat": 200, "lee": 200, "sam": 403}),
    # ldap-filter: with its operators, and without the outer parentheses
    "filter": Example(url(), "Require ldap-filter &(mobile=*)(ou=Marketing)", {"pat": 200, "sam": 403, "lee": 403}),
    "filter-expression": Example(url(), "Require ldap-filter (mail=%{ldap:%{unescape:%{REMOTE_USER}}}@manual.test)", {"pat": 200}),
    "search": Example(url(), "Require ldap-search (cn=%{ldap:%{unescape:%{HTTP:X-Name}}})", {"pat": 403}),
    # URLs: one level and all, a filter, a filter with more, another attribute, the default attribute, two servers
    "url-one": Example(url("?uid?one"), "Require valid-user", {"pat": 200}),
    "url-filter": Example(url("?uid??(pager=*)"), "Require valid-user", {"lee": 200, "pat": 401}),
    "url-or": Example(url("?uid??(|(pager=*)(uid=sam))"), "Require valid-user", {"lee": 200, "sam": 200, "pat": 401}),
    "url-plain": Example(url(""), "Require valid-user", {"pat": 200}),
    "url-mail": Example(url("?mail"), "Require valid-user", {"pat@manual.test": 200, "pat": 401}),
    "url-servers": Example(f'AuthLDAPURL "ldap://127.0.0.1:${{LDAP}} localhost:${{LDAP}}/{BASE}?uid"\n    {ACCOUNT}',
                           f"Require ldap-group cn=Stewards,{BASE}", {"pat": 200, "lee": 403}),
    "url-none": Example(url("?uid", "NONE"), "Require valid-user", {"pat": 200}),
    # TLS
    "ldaps": Example(f'AuthLDAPURL "ldaps://127.0.0.1:${{LDAPS}}/{BASE}?uid"\n    {ACCOUNT}',
                     f"Require ldap-group cn=Stewards,{BASE}", {"pat": 200, "lee": 403}),
    "tls": Example(url("?uid", "TLS"), f"Require ldap-group cn=Stewards,{BASE}", {"pat": 200, "lee": 403}),
    "starttls": Example(url("?uid", "STARTTLS"), "Require valid-user", {"pat": 200}),
    "ssl": Example(f'AuthLDAPURL "ldap://127.0.0.1:${{LDAPS}}/{BASE}?uid" SSL\n    {ACCOUNT}', "Require valid-user", {"pat": 200}),
    # The user's own bind: in place of a service account, by a pattern; his own searches and compares
    "initial-bind": Example(f'AuthLDAPURL "{URL}?cn"', "Require valid-user", {"Pat Quinn": 200},
                            f'AuthLDAPInitialBindAsUser on\n    AuthLDAPInitialBindPattern (.+) "cn=$1,ou=People,{BASE}"'),
    "as-user": Example(f'AuthLDAPURL "{URL}?cn"', f"Require ldap-group cn=Stewards,{BASE}", FULL,
                       f'AuthLDAPInitialBindAsUser on\n    AuthLDAPInitialBindPattern (.+) "cn=$1,ou=People,{BASE}"\n'
                       "    AuthLDAPSearchAsUser on\n    AuthLDAPCompareAsUser on"),
    # Other providers: after this one, and in its place; what a refused bind leaves to them
    "then-file": Example(url(), "Require valid-user", {"pat": 200, "local": 200, "nobody": 401},
                         "AuthBasicProvider authstatus file\n    AuthUserFile ${WORKDIR}/users"),
    "not-authoritative": Example(url(), "Require valid-user", {"local": 200},
                                 "AuthBasicProvider authstatus file\n    AuthUserFile ${WORKDIR}/users\n    AuthLDAPBindAuthoritative off"),
    "file-and-group": Example(url(), f"Require ldap-group cn=Stewards,{BASE}", {"pat": 200, "local": 403},
                              "AuthBasicProvider file\n    AuthUserFile ${WORKDIR}/users"),
    # Aliases of the directory
    **{f"deref-{word}": Example(url(), "Require valid-user", {"pat": 200}, f"AuthLDAPDereferenceAliases {word}")
       for word in ("never", "searching", "finding", "always")},
    # What the login shows
    "remote-user": Example(url("?uid,cn,mail"), f"Require ldap-group cn=Stewards,{BASE}", {"pat": 200, "lee": 403},
                           "AuthLDAPRemoteUserAttribute mail"),
    "remote-dn": Example(url(), f"Require ldap-group cn=Stewards,{BASE}", {"pat": 200}, "AuthLDAPRemoteUserIsDN on"),
    "exposed": Example(url("?uid,cn,mail"), f"Require ldap-group cn=Stewards,{BASE}", {"pat": 200}, "AuthLDAPAuthorizePrefix SHOWN_"),
    # Containers, aliases of lines
    "all": Example(url(), f"<RequireAll>\n    Require ldap-group cn=Stewards,{BASE}\n    Require ldap-attribute employeeType=active\n"
                   "    </RequireAll>", {"pat": 200, "sam": 403, "lee": 403}),
    "not": Example(url(), f"<RequireAll>\n    Require valid-user\n    Require not ldap-group cn=Stewards,{BASE}\n    </RequireAll>",
                   {"lee": 200, "pat": 403}),
    "aliases": Example("", "<RequireAll>\n    Require stewards\n    Require not chiefs\n    </RequireAll>", {"pat": 200, "lee": 403},
                       "AuthBasicProvider first second"),
}
ALIASES = f"""
<AuthnProviderAlias authstatus first>
    AuthLDAPURL "ldap://127.0.0.1:${{LDAP}}/ou=Nowhere,{BASE}?uid?sub?(uid=none)"
    AuthLDAPURL "{URL}?uid?sub?(employeeType=retired)"
    {ACCOUNT}
</AuthnProviderAlias>
<AuthnProviderAlias authstatus second>
    AuthLDAPURL "{URL}?uid"
    {ACCOUNT}
</AuthnProviderAlias>
<AuthzProviderAlias ldap-group stewards cn=Stewards,{BASE}>
    AuthLDAPURL "{URL}"
    {ACCOUNT}
</AuthzProviderAlias>
<AuthzProviderAlias ldap-group chiefs cn=Chiefs,{BASE}>
    AuthLDAPURL "{URL}"
    {ACCOUNT}
</AuthzProviderAlias>
"""
SHOWN = "".join(f'Header always set X-{name.replace("_", "-")} "%{{{name}}}e"\n'
                for name in ("AUTHENTICATE_MAIL", "AUTHORIZE_CN", "SHOWN_CN"))


def written():
    text = 'LDAPTrustedGlobalCert CA_BASE64 "${CA}"\nLDAPVerifyServerCert On\n' + ALIASES + SHOWN
    for name, example in EXAMPLES.items():
        text += (f'<Location "/in/{name}">\n    AuthType Basic\n    AuthName "the manual"\n'
                 f"{'' if 'AuthBasicProvider' in example.more else '    AuthBasicProvider authstatus'}\n"
                 f"    {example.url}\n    {example.more}\n    AuthStatus On\n    {example.lines}\n</Location>\n")
    return text


@pytest.fixture(scope="module")
def slapd(start_slapd, authority, good_certificate):
    return start_slapd(Database(BASE, Text(ldif()), ("index uniqueMember eq",)), tls=good_certificate, authority=authority)


@pytest.fixture(scope="module")
def site(start, slapd, authority):
    httpd = start.make(written(), defines={"LDAP": slapd.port, "LDAPS": slapd.tls_port, "CA": authority.cert})
    (httpd.workdir / "users").write_text("".join(f"{name}:{DIGEST}\n" for name in ("local", "pat")))
    return httpd.start()


@pytest.mark.parametrize("name, user, status", [(name, user, status) for name, example in EXAMPLES.items()
                                                for user, status in example.statuses.items()])
def test_example(site, name, user, status):
    site.log.allow("AH0161[78]", "AH0163[01]", "AS001")
    answer = site.get(f"/in/{name}", login=(user, RIGHT))
    assert answer.status == status, (EXAMPLES[name], answer, [line.text for line in site.log.of(answer.row)])
    assert bool(answer.all("WWW-Authenticate")) == (status == 401)


def test_search_before_a_login(site):
    """A name that comes with the request; what it has of a filter's own characters is escaped."""
    site.log.allow("AH0163[01]")
    for name, status in (("Lee", 200), ("Nobody", 403), ("*", 403), ("x)(cn=*", 403)):
        assert site.get("/in/search", headers=[("X-Name", name)]).status == status, name


def test_what_the_application_sees(site):
    answer = site.get("/in/remote-user", login=("pat", RIGHT))
    assert site.access(answer).user == "pat@manual.test"
    assert (header(answer, "X-AUTHENTICATE-MAIL"), header(answer, "X-AUTHORIZE-CN")) == ("pat@manual.test", "Pat Quinn")
    answer = site.get("/in/exposed", login=("pat", RIGHT))
    assert (header(answer, "X-SHOWN-CN"), header(answer, "X-AUTHORIZE-CN")) == ("Pat Quinn", None)
    answer = site.get("/in/remote-dn", login=("pat", RIGHT))
    assert "ou=People" in site.access(answer).user


def test_what_has_no_effect_is_accepted(start, slapd):
    """AuthLDAPCharsetConfig, and mod_ldap's cache without mod_ldap: a notice, and the server starts."""
    conf = "AuthLDAPCharsetConfig conf/charset.conv\nLDAPSharedCacheSize 200000\nLDAPCacheEntries 1024\nLDAPOpCacheTTL 600\n"
    httpd = start(conf + f'<Location "/in/">\n    AuthType Basic\n    AuthName "x"\n    AuthBasicProvider authstatus\n    {url()}\n'
                  "    AuthStatus On\n    Require valid-user\n</Location>\n", defines={"LDAP": slapd.port})
    assert httpd.get("/in/x", login=("pat", RIGHT)).status == 200
