# SPDX-License-Identifier: Apache-2.0
"""Properties of every answer, for each outcome."""
from .httpd import tag_of
from .outcomes import OUTCOMES, TAGS

# Lines of httpd's own modules that go with a login that failed; fail2ban reads them, so they are expected exactly
# where the user's credentials are to blame, and unannounced everywhere else.
BLAMED = {
    "unknown-user": ("AH01618",),
    "wrong-password": ("AH01617",),
    "ambiguous-user": ("AH0161[78]",),
    "denied": ("AH0161[78]",),
}
MAY_BE_BLAMED = {
    "malformed-credentials": ("AH0161[78]",),
    "empty-password": ("AH0161[78]",),
    "no-credentials": ("AH01614",),
    "account-locked": ("AH01617",),
    "account-disabled": ("AH01617",),
    "account-restricted": ("AH01617",),
    "not-authorized": ("AH01631",),
    "access-denied": ("AH01630",),
}
LEVELS = {"debug": "debug", "info": "info", "warn": "warn", "err": "error"}


def verify(httpd, answer, outcome, status, ldap=None, retry_after="10", scheme="Basic", blamed=True, proxy=False,
           user=None, client="127.0.0.1"):
    """The outcome is the one meant, and: a challenge exactly on 401, Retry-After exactly on 503 and where
    throttled, one line in the error log under the outcome's tag and level, the truth in the notes, and nothing of other
    levels unannounced. An outage that goes on has its line at debug, if that is shown; outages/test_log.py is about it."""
    told = OUTCOMES[outcome]
    httpd.log.allow(told.tag, *MAY_BE_BLAMED.get(outcome, ()))
    if blamed:
        httpd.log.expect(*BLAMED.get(outcome, ()))
    # Who is granted and then not allowed has two outcomes; the first is not the request's.
    lines = [line for line in httpd.outcome_lines(answer)
             if told.of == "GRANTED" or OUTCOMES[TAGS[tag_of(line)]].of != "GRANTED"]
    record = httpd.access(answer)
    evidence = f"{answer}\n{record}\n" + "\n".join(line.text for line in httpd.log.of(answer.row))
    assert answer.status == status, evidence
    assert record.outcome == outcome, evidence
    assert record.meant == ("-" if status == 200 else str(status)), evidence
    if ldap is not None:
        assert record.ldap == ldap, evidence

    challenges = answer.all("Proxy-Authenticate" if proxy else "WWW-Authenticate")
    other = answer.all("WWW-Authenticate" if proxy else "Proxy-Authenticate")
    assert len(challenges) == (1 if status in (401, 407) else 0) and not other, evidence
    if challenges and scheme:
        assert challenges[0].split(" ")[0] == scheme, evidence
    waits = status == 503 or outcome == "throttled"
    assert answer.all("Retry-After") == ([retry_after] if waits else []), evidence

    if (told.of in ("UNAVAILABLE", "MISCONFIGURED") or outcome == "granted-stale") and all(line.level == "debug" for line in lines):
        assert len(lines) <= 1, evidence
        return record
    assert len(lines) == 1, f"{len(lines)} lines of outcomes\n{evidence}"
    assert (tag_of(lines[0]), lines[0].level) == (told.tag, LEVELS[told.level]), evidence
    assert f"[client {client}:" in lines[0].text, evidence
    if proxy and status != 200:
        assert f", answered {status}" in lines[0].text, evidence
    if user:
        assert user in lines[0].text, evidence
    return record
