# SPDX-License-Identifier: Apache-2.0
"""A program: puts accounts and password policies into a domain whose server is not running.

usage: samba_accounts.py smb.conf, with JSON on standard input:
    {"policies": [{"name": ..., "attributes": {...}}], "units": [...], "accounts": [...]}
    an account: name, unit, password, attributes (added with it), forced (set behind the password module's back: what it
    keeps for itself, pwdLastSet above all), policy (its name).
Samba's modules live in a process of their own: they bring their own event loops and signal handlers.
"""
import json
import sys

import ldb
from samba import dsdb
from samba.auth import system_session
from samba.param import LoadParm
from samba.samdb import SamDB

BEHIND_ITS_BACK = [f"local_oid:{dsdb.DSDB_CONTROL_BYPASS_PASSWORD_HASH_OID}:0"]


def encoded(attributes):
    return {name: value.encode("latin-1") for name, value in attributes.items()}


def main():
    settings = LoadParm()
    settings.load(sys.argv[1])
    database = SamDB(session_info=system_session(), lp=settings)
    domain = str(database.domain_dn())
    wanted = json.load(sys.stdin)

    for unit in wanted["units"]:
        database.add({"dn": f"OU={unit},{domain}", "objectClass": "organizationalUnit"})
    subject_to = {}
    for account in wanted["accounts"]:
        dn = f"CN={account['name']},OU={account['unit']},{domain}"
        database.add({
            "dn": dn, "objectClass": "user", "sAMAccountName": account["name"], "userAccountControl": "512",
            "unicodePwd": f'"{account["password"]}"'.encode("utf-16-le"), **encoded(account["attributes"])})
        if account["forced"]:
            change = ldb.Message(ldb.Dn(database, dn))
            for name, value in encoded(account["forced"]).items():
                change[name] = ldb.MessageElement(value, ldb.FLAG_MOD_REPLACE, name)
            database.modify(change, BEHIND_ITS_BACK)
        if account["policy"]:
            subject_to.setdefault(account["policy"], []).append(dn)
    for policy in wanted["policies"]:
        database.add({
            "dn": f"CN={policy['name']},CN=Password Settings Container,CN=System,{domain}",
            "objectClass": "msDS-PasswordSettings", "msDS-PSOAppliesTo": subject_to[policy["name"]],
            **encoded(policy["attributes"])})


if __name__ == "__main__":
    main()
