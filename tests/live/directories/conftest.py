# SPDX-License-Identifier: Apache-2.0
"""What needs more packages can be left out, by name only: --without samba, --without 389ds; or, for runs that do not
name this folder (pytest reads no options from here then), the same words in AUTHSTATUS_WITHOUT."""
import contextlib
import os

import pytest

OPTIONAL = {"samba": "test_samba.py", "389ds": "test_389ds.py"}


def pytest_addoption(parser):
    with contextlib.suppress(ValueError):  # the conftest.py above has it
        parser.addoption("--without", action="append", default=[], choices=sorted(OPTIONAL),
                         help="leave out the tests with this directory server")


def pytest_collection_modifyitems(config, items):
    left_out = [*(config.getoption("without", default=None) or ()), *os.environ.get("AUTHSTATUS_WITHOUT", "").split()]
    unknown = set(left_out) - set(OPTIONAL)
    if unknown:
        raise pytest.UsageError(f"--without {', '.join(unknown)}: it is one of {', '.join(OPTIONAL)}")
    for item in items:
        for name in left_out:
            if item.path.name == OPTIONAL[name] and item.path.parent.name == "directories":
                item.add_marker(pytest.mark.skip(reason=f"--without {name}"))
