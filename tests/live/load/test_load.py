# SPDX-License-Identifier: Apache-2.0
"""A short one of tests/load: mixed traffic, an outage, graceful restarts; every answer is judged."""
import sys

from lab.httpd import SANITIZE
from lab.outcomes import SOURCE

sys.path.insert(0, str(SOURCE / "tests/load"))

from trial import Plan, run  # noqa: E402


def test_half_a_minute(workdirs, mpm):
    # There is an outage if half of it is left for what comes behind.
    plan = Plan(28 if SANITIZE else 26, rate=200, restart_every=2, outage_every=2, outage_lasts=4)
    problems = run(workdirs, mpm, plan, print)
    assert not problems, "\n".join(problems)
