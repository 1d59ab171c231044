# SPDX-License-Identifier: Apache-2.0
"""Each directive of the table with each kind of wrong argument: the start stops, and the sentence names the directive, whatever the
length and the octets of the argument. What is taken all the same is listed."""
import re

import pytest
import table

from lab.httpd import Httpd
from lab.outcomes import SOURCE

TABLE = table.directives(SOURCE)
DIRECTIVES = {one.name: one for one in TABLE}
# Without effect here, or mod_auth_basic's.
NOT_OURS = {"AuthBasicProvider", "AuthBasicUseDigestAlgorithm", "AuthLDAPCharsetConfig", "LDAPSharedCacheSize", "LDAPSharedCacheFile",
            "LDAPCacheEntries", "LDAPCacheTTL", "LDAPOpCacheEntries", "LDAPOpCacheTTL", "LDAPRetries", "LDAPRetryDelay", "LDAPLibraryDebug"}
WRONG = {
    "blank": '" "', "word": "Nonsense", "signed": "+1", "too-large": "5124095577h", "long": "x" * 10000, "control": '"\x01\x1b[31m"',
    "not-utf8": '"\udcff\udcfe"', "four": "a b c d",
}
TEXTS = {"blank", "word", "signed", "too-large", "long", "control"}
# The names of attributes and classes may be digits and letters in any order, as in mod_authnz_ldap; lists take many.
NAMES = {"word", "too-large"}
TAKEN = {
    "AuthLDAPBindDN": TEXTS, "AuthLDAPBindPassword": TEXTS | {"not-utf8"}, "AuthLDAPRemoteUserAttribute": NAMES,
    "AuthLDAPAuthorizePrefix": {"word", "signed", "too-large", "long"},
    **{name: NAMES | {"four"} for name in ("AuthLDAPGroupAttribute", "AuthLDAPSubGroupAttribute", "AuthLDAPSubGroupClass")},
}


@pytest.fixture(scope="module")
def httpd(workdirs):
    return Httpd(workdirs.new("argument"), "", cache=None)


def query(httpd, usual, line, where):
    """The exit status of httpd -t, and its sentences."""
    text = f"<Location /x>\n{line}\n</Location>" if where in ("SECTIONS", "OVERRIDE") else line
    httpd.configuration.write_bytes(usual + text.encode("utf-8", "surrogateescape") + b"\n")
    code, said = httpd.configtest()
    return code, [line for line in said.splitlines() if "Syntax error" not in line]


# On or Off is asked for by httpd, one directive like the other.
@pytest.mark.parametrize("name", [one.name for one in TABLE if one.name not in NOT_OURS and (one.arguments != "FLAG" or one is TABLE[0])])
def test_wrong_arguments(httpd, name):
    usual = httpd.configuration.read_bytes().partition(b"# wrong\n")[0] + b"# wrong\n"
    for kind, value in WRONG.items():
        code, said = query(httpd, usual, f"{name} {value}", DIRECTIVES[name].where)
        if kind in TAKEN.get(name, ()):
            assert code == 0, (kind, said)
        else:
            (sentence,) = said
            assert code != 0 and sentence.startswith(name), (kind, said)
            assert len(sentence) < 1200 and not re.search(r"[^ -~]", sentence), (kind, sentence)


def test_the_table_is_read():
    assert len(TABLE) > 40 and TABLE[0].name == "AuthStatus" and NOT_OURS < set(DIRECTIVES)
