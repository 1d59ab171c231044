# SPDX-License-Identifier: Apache-2.0
"""Nothing was found, or nothing may be seen? Lines of Require that ban: nobody passes for want of a find, through httpd on
OpenLDAP; nor by another spelling of a name, or as somebody of the same name."""
import pytest

from lab.slapd import TOP, Database, Slapd
from test_rows import HASH, Text, all_of, any_of, group, person, section

RIGHT = "Pw!right"
BASE, OTHER = "o=see", "o=other"
BLIND = f"cn=blind,{BASE}"


ALIASED = {"banned": "cn=banned", "posix": "cn=posix", "ann": "uid=ann"}


def account(dn):
    return f"dn: {dn}\nobjectClass: organizationalRole\nobjectClass: simpleSecurityObject\nuserPassword: Pw!service\n\n"


def ldif():
    text = TOP + account(BLIND)
    text += person("ann", BASE, "banned") + person("bob", BASE) + person("eve", BASE)
    text += "".join(f"dn: labeledURI={name},{BASE}\nobjectClass: inetOrgPerson\ncn: {name}\nsn: Exact\n"
                    f"userPassword: {RIGHT}\n\n" for name in "Aa")
    text += group("banned", f"cn=contractors,{OTHER}", f"uid=nobody,{BASE}", base=BASE)
    text += group("exact", f"labeledURI=A,{BASE}", base=BASE)
    # "outer" has, two levels down, a group that nobody may look into.
    text += group("closed", f"uid=bob,{BASE}", base=BASE) + group("outer", f"cn=middle,{BASE}", base=BASE)
    # The same with one that may be compared and not searched.
    text += group("half", f"uid=bob,{BASE}", base=BASE) + group("above", f"cn=half,{BASE}", base=BASE)
    text += group("middle", f"cn=closed,{BASE}", base=BASE) + group("plain", f"uid=nobody,{BASE}", base=BASE)
    text += f"dn: cn=posix,{BASE}\nobjectClass: posixGroup\ncn: posix\ngidNumber: 7\nmemberUid: ann\nmemberUid: two\n\n"
    text += "".join(f"dn: cn={name}-alias,{BASE}\nobjectClass: alias\nobjectClass: extensibleObject\n"
                    f"aliasedObjectName: {of},{BASE}\n\n" for name, of in ALIASED.items())
    # Names that their owners may have written themselves.
    for names in (("two", "zwei"), ("duo", "deux")):
        text += person(names[0], BASE).replace("userPassword", f"uid: {names[1]}\nuserPassword")
    return text


@pytest.fixture(scope="module")
def slapd(workdirs):
    other = TOP + group("contractors", f"uid=ann,{BASE}", base=OTHER)
    other += (f"dn: cn=contractors-alias,{OTHER}\nobjectClass: alias\nobjectClass: extensibleObject\n"
              f"aliasedObjectName: cn=contractors,{OTHER}\n\n")
    slapd = Slapd(workdirs.new("slapd-see"), [Database(BASE, Text(ldif())), Database(OTHER, Text(other))])
    text = slapd.configuration.read_text().replace(
        "access to * by users read by * none",
        f'access to dn.subtree="{BASE}" attrs=employeeType,uid by dn.exact="{BLIND}" none by users read by * none\n'
        f'access to dn.exact="cn=closed,{BASE}" attrs=member by * none\n'
        f'access to dn.exact="cn=half,{BASE}" attrs=member by users =c by * none\n'
        "access to * by users read by * none", 1)
    # The blind account finds people by mail.
    slapd.configuration.write_text(text)
    slapd.start()
    yield slapd
    slapd.stop()


HERE = f'Use Directory "ldap://127.0.0.1:${{LDAP}}" {BASE}'
AS_BLIND = (f'AuthLDAPURL "ldap://127.0.0.1:${{LDAP}}/{BASE}?mail"\n    AuthLDAPBindDN "{BLIND}"\n'
            '    AuthLDAPBindPassword "Pw!service"')
EXACT = f'Use Directory "ldap://127.0.0.1:${{LDAP}}" {BASE}\n    AuthLDAPURL "ldap://127.0.0.1:${{LDAP}}/{BASE}?labeledURI"'
POSIX = "AuthLDAPGroupAttribute memberUid\n    AuthLDAPGroupAttributeIsDN Off\n    "
ALIASES = f"""
<AuthnProviderAlias authstatus here>
    {HERE}
</AuthnProviderAlias>
<AuthzProviderAlias ldap-group by-name cn=banned,{BASE}>
    Use Directory "ldap://localhost:${{LDAP}}" {BASE}
</AuthzProviderAlias>
<AuthzProviderAlias ldap-filter banned-type (employeeType=banned)>
    {AS_BLIND}
</AuthzProviderAlias>
"""


def not_(line):
    return all_of("valid-user", f"not {line}")


# Section: its lines, its directory, and the status for each user.
ROWS = {
    # The filter is false, or the account may not search the attribute, or there is none of that name.
    "filter": (not_("ldap-filter (employeeType=banned)"), HERE, {"ann": 403, "bob": 200}),
    "filter-blind": (not_("ldap-filter (employeeType=banned)"), AS_BLIND, {"ann@lab.test": 500, "bob@lab.test": 500}),
    "filter-blind-plain": (any_of("ldap-filter (employeeType=banned)"), AS_BLIND, {"ann@lab.test": 403}),
    "filter-blind-alias": (not_("banned-type"), HERE, {"ann": 500}),
    "filter-typo": (not_("ldap-filter (employeTyp=banned)"), HERE, {"ann": 500}),
    "filter-and": (not_("ldap-filter &(employeeType=banned)(sn=Person)"), HERE, {"ann": 403, "bob": 200}),
    "attribute": (not_("ldap-attribute employeeType=banned"), HERE, {"ann": 403, "bob": 200}),
    "attribute-blind": (not_("ldap-attribute employeeType=banned"), AS_BLIND, {"ann@lab.test": 500}),
    "attribute-typo": (not_("ldap-attribute employeTyp=banned"), HERE, {"ann": 500}),
    "attribute-typo-plain": (any_of("ldap-attribute employeTyp=banned"), HERE, {"ann": 403}),
    "attribute-absent": (not_("ldap-attribute title=banned"), HERE, {"ann": 200}),
    "user": (not_("ldap-user ann"), HERE, {"ann": 403, "bob": 200}),
    # An attribute of members that members cannot have.
    "attribute-of-members": ("AuthLDAPGroupAttribute membr\n    " + not_(f"ldap-group cn=banned,{BASE}"), HERE,
                             {"ann": 500}),
    # A group between the user and the one that is banned, in another database of the same server.
    "contexts": (not_(f"ldap-group cn=banned,{BASE}"), HERE, {"ann": 403, "bob": 200}),
    # A group between that the account may not look into.
    "hidden-between": (not_(f"ldap-group cn=outer,{BASE}"), HERE, {"ann": 500, "bob": 500}),
    "compared-between": (not_(f"ldap-group cn=above,{BASE}"), HERE, {"bob": 500}),
    "hidden-elsewhere": (not_(f"ldap-group cn=plain,{BASE}"), HERE, {"ann": 200, "bob": 200}),
    "hidden-depth": ("AuthLDAPMaxSubGroupDepth 0\n    " + not_(f"ldap-group cn=outer,{BASE}"), HERE, {"bob": 200}),
    # A slip of the pen in the suffix; a group of another directory.
    "suffix": (not_("ldap-group cn=banned,o=se"), HERE, {"ann": 500, "bob": 500}),
    "suffix-plain": (any_of("ldap-group cn=banned,o=se"), HERE, {"ann": 403}),
    "domains": (not_("ldap-group cn=banned,o=corp"), "", {"bob": 200}),
    # Another name of the same server, which has the entry too.
    "by-name": (not_("by-name"), HERE, {"ann": 403, "bob": 200}),
    # An alias of the group, or of the entry, that is banned: a compare does not follow it.
    "alias": (not_(f"ldap-group cn=banned-alias,{BASE}"), HERE, {"ann": 403, "eve": 200}),
    **{f"alias-posix{depth}": (more + POSIX + not_(f"ldap-group cn=posix-alias,{BASE}"), HERE, {"ann": 403, "eve": 200})
       for depth, more in (("", ""), ("-flat", "AuthLDAPMaxSubGroupDepth 0\n    "))},
    "alias-dn": (not_(f"ldap-dn cn=ann-alias,{BASE}"), HERE, {"ann": 403, "bob": 200}),
    "alias-plain": ("AuthLDAPMaxSubGroupDepth 0\n    " + any_of(f"ldap-group cn=contractors-alias,{OTHER}"), HERE,
                    {"ann": 200, "bob": 403}),
    **{f"alias-never-{kind}-{name}": (f"AuthLDAPDereferenceAliases never\n    {more}"
                                      + not_(f"ldap-{kind} cn={name}-alias,{BASE}"), HERE, {"ann": 500, "bob": 500})
       for kind, name, more in (("group", "banned", ""), ("group", "posix", POSIX), ("dn", "ann", ""),
                                ("group", "banned", "AuthStatusGroups MemberOf\n    "))},
    # Names that only one of two people has.
    "exact-user": (any_of("ldap-user A"), EXACT, {"A": 200, "a": 403}),
    "exact-dn": (any_of(f"ldap-dn labeledURI=A,{BASE}"), EXACT, {"A": 200, "a": 403}),
    "exact-group": (any_of(f"ldap-group cn=exact,{BASE}"), EXACT, {"A": 200, "a": 403}),
    # Another name of the entry than the one that is banned.
    "names": (POSIX + not_(f"ldap-group cn=posix,{BASE}"), HERE, {"two": 403, "zwei": 500, "duo": 200, "deux": 200}),
    "names-plain": (POSIX + any_of(f"ldap-group cn=posix,{BASE}"), HERE, {"two": 200, "zwei": 403, "deux": 403}),
    # Other spellings of the name that the group has.
    "posix": (POSIX + not_(f"ldap-group cn=posix,{BASE}"), HERE, {"ann": 403, "ANN": 403, "\uff41\uff4e\uff4e": 403,
                                                                 "bob": 200}),
}
CASES = [(name, user, status) for name, (_, _, statuses) in ROWS.items() for user, status in statuses.items()]


@pytest.fixture(scope="module")
def site(start, slapd):
    conf = "LogLevel warn authstatus:debug\n" + ALIASES
    for name, (lines, directory, _) in ROWS.items():
        conf += section(name, lines, provider="authstatus" if directory else "here", directory=directory)
    return start(conf, defines={"LDAP": slapd.port})


@pytest.mark.parametrize("name, user, status", CASES)
def test_row(site, name, user, status):
    site.log.allow("AH0163[01]", "AS0032", "AS0062", "AS0094")
    answer = site.get(f"/in/{name}", login=(user, RIGHT))
    told = [line.text for line in site.log.of(answer.row)]
    assert answer.status == status, (ROWS[name][0], answer, told)
    assert not answer.all("WWW-Authenticate")
    assert site.access(answer).outcome == {200: "granted", 403: "not-authorized", 500: "directory-misconfigured"}[status]
