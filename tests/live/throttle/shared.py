# SPDX-License-Identifier: Apache-2.0
"""Accounts of a test's own, and how many wrong passwords reached the directory."""
import itertools
import re
import unicodedata

from lab.process import poll

RIGHT, WRONG = "Pw!right", "Pw!wrong"
LIMIT, LOCKED = 4, 8  # of AuthStatusThrottle, and of slapd

_numbers = itertools.count(1)


def root_of(suffix):
    return f"cn=root,{suffix}"


def options_of(suffix):
    return ("ppolicy_use_lockout", f'rootdn "{root_of(suffix)}"', "rootpw Pw!service")


class Account:
    """The same name, and the same password unless told otherwise, in each of the suffixes. `special`: a character of the name
    that is escaped in a DN."""

    def __init__(self, slapd, *suffixes, passwords=None, special="", **attributes):
        self.slapd = slapd
        self.uid = f"useri{next(_numbers)}x{special}"
        escaped = self.uid.replace(special, f"\\{ord(special):02X}") if special else self.uid
        self.dns = [f"uid={escaped},ou=people,{suffix}" for suffix in suffixes]
        for number, (dn, suffix) in enumerate(zip(self.dns, suffixes)):
            password = passwords[number] if passwords else RIGHT
            entry = {"objectClass": "inetOrgPerson", "cn": self.uid, "sn": self.uid, "userPassword": password, **attributes}
            client = slapd.client(root_of(suffix))
            client.add_s(dn, [(name, [value.encode()]) for name, value in entry.items()])
            client.unbind_s()

    def set_password(self, password, suffix):
        self.slapd.client(root_of(suffix)).modify_s(self.dns[0], [(2, "userPassword", [password.encode()])])

    def is_locked(self, number=0):
        dn = self.dns[number]
        client = self.slapd.client(root_of(dn.partition("ou=people,")[2]))
        return bool(client.search_s(dn, 0, attrlist=["pwdAccountLockedTime"])[0][1])


def _normal(dn):
    """As slapd's log has it, in one spelling: octets beyond ASCII are escaped there. U+0130 is "i" for slapd."""
    octets = re.sub(rb"\\([0-9A-Fa-f]{2})", lambda match: bytes([int(match[1], 16)]), dn.encode())
    parts = unicodedata.normalize("NFKC", octets.decode()).casefold().replace("\u0307", "").split(",")
    return ",".join("=".join(" ".join(piece.split()) for piece in part.split("=")) for part in parts)


def _count_wrong(lines, dn):
    """(wrong binds since the last right one, binds without a result)"""
    pending, wrong = set(), 0
    for line in lines:
        if bind := re.search(r' (conn=\d+ op=\d+) BIND dn="([^"]*)" method=', line):
            if _normal(bind[2]) == _normal(dn):
                pending.add(bind[1])
        elif result := re.search(r" (conn=\d+ op=\d+) RESULT tag=97 err=(\d+)", line):
            if result[1] in pending:
                pending.discard(result[1])
                wrong = wrong + 1 if result[2] == "49" else 0
    return wrong, pending


def wrong_binds(slapd, dn):
    """How many binds as this entry, in any spelling, slapd refused; since its last success. slapd writes a result behind
    its answer."""
    poll(lambda: not _count_wrong(slapd.lines(), dn)[1], 10, "results in slapd's log")
    return _count_wrong(slapd.lines(), dn)[0]


def spellings(name):
    """Ways to write a name that slapd takes for the same."""
    wide = "".join(chr(ord(letter) - 0x20 + 0xFF00) for letter in name)
    return [name, name.upper(), name.title(), f" {name}", f"{name}  ", f"{name}\u00a0", f"{name}\u00a0\u00a0", f"\u3000{name}",
            wide, wide.upper(), name[:2] + wide[2:], f"{name}\u2003", name.replace("i", "\u0130")]
