#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""httpd loads every module into one name space: ours puts one name there."""

from guard import Guard, nm

guard = Guard()
module = guard.build / ".libs" / "mod_authstatus.so"
if not module.is_file():
    guard.check("mod_authstatus.so was built", [f"{module} is missing"])
    guard.end()
exported = {line.split()[0] for line in nm("--dynamic", "--defined-only", "--format=posix", module) if line.strip()}
guard.check("authstatus_module is exported", [] if "authstatus_module" in exported else ["it is not"])
guard.check("and nothing else", sorted(exported - {"authstatus_module"}))
# A shared object may link without it, and then httpd does not start: a source that is missing in Makefile.am.
undefined = {line.split()[0] for line in nm("--dynamic", "--undefined-only", "--format=posix", module) if line.strip()}
guard.floor("symbols that httpd and libraries resolve", undefined, 50)
guard.check("nothing of ours is left to resolve", sorted(name for name in undefined if name.startswith("as_")))
guard.end()
