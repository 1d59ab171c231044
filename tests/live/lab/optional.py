# SPDX-License-Identifier: Apache-2.0
"""Optional programs of the tests besides httpd and slapd, which a run may omit by name only: `pytest --without samba`,
or the same words in AUTHSTATUS_WITHOUT. What starts one of these asks here first, so that a test cannot forget to."""
import os

import pytest

OPTIONAL = ("samba", "389ds", "browser")

_left_out = set()


def leave_out(names):
    unknown = sorted(set(names) - set(OPTIONAL))
    if unknown:
        raise pytest.UsageError(f"--without {', '.join(unknown)}: it is one of {', '.join(OPTIONAL)}")
    _left_out.update(names)


def leave_out_of_environment():
    leave_out(os.environ.get("AUTHSTATUS_WITHOUT", "").split())


def require(name):
    """Skips the test if this was omitted."""
    assert name in OPTIONAL
    if name in _left_out:
        pytest.skip(f"left out: {name}")
