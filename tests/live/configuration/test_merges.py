# SPDX-License-Identifier: Apache-2.0
"""Sections that match in more ways than merges of them are kept: each way has its own settings, the first time and again."""
import itertools
import random

import pytest

LETTERS = "abcdefghijkl"  # 2 ** 12 ways
STATUSES = (403, 410, 429, 451, 500, 503)


@pytest.fixture(scope="module")
def site(start):
    sections = "".join(f"""<LocationMatch "^/in/.*{letter}">
AuthStatusMap no-credentials {STATUSES[number]}
AuthStatusHelp no-credentials /help/{letter}
</LocationMatch>
""" for number, letter in enumerate(LETTERS[::2]))
    sections += "".join(f"""<LocationMatch "^/in/.*{letter}">
AuthStatusHelp no-credentials /help/{letter}
</LocationMatch>
""" for letter in LETTERS[1::2])
    return start(f"""
LogLevel warn
Use Login /in "ldap://127.0.0.1:1" o=nowhere
{sections}
Use ShowVariables
""")


def expected(name):
    status, url = "401", None
    for number, letter in enumerate(LETTERS[::2]):
        if letter in name:
            status, url = str(STATUSES[number]), f"/help/{letter}"
    for letter in LETTERS[1::2]:
        if letter in name:
            url = f"/help/{letter}"
    return status, url


def test_every_way_has_its_settings(site):
    names = ["".join(letters) for count in range(len(LETTERS) + 1) for letters in itertools.combinations(LETTERS, count)]
    assert len(names) == 4096
    with site.connection() as connection:
        for name in [*random.sample(names, len(names)), *random.sample(names, 500)]:
            answer = connection.request(f"/in/{name}")
            variables = answer.variables()
            assert (variables["status"], variables.get("help")) == expected(name) and str(answer.status) == variables["status"], name
