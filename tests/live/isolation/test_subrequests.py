# SPDX-License-Identifier: Apache-2.0
"""A directory of a .htaccess goes with the subrequest that read it; what was answered is read later, by others."""
import pytest

from lab.fake import BASE, Fake, answer
from lab.process import reserve_port

RIGHT = "Pw!right"
INCLUDES = "".join(f'<!--#include virtual="/his/{number}.html" -->' for number in range(12))


def directory(port):
    return (f'AuthType Basic\nAuthName x\nAuthBasicProvider authstatus\nAuthLDAPURL "ldap://127.0.0.1:{port}/{BASE}?uid,cn"\n'
            "Require valid-user\n")


@pytest.mark.parametrize("state", ["dead", "busy", "granted"])
@pytest.mark.parametrize("cache", ["Off", "shmcb"])
def test_one_page_of_twelve_subrequests(start, state, cache):
    """An outage is one line; and nothing that went with the first of them is read for the others. build/inspect pools runs
    it where that would show."""
    script = {"busy": {"search": answer(51)}, "granted": {}}.get(state)
    fake = Fake(script) if script is not None else None
    files = {f"his/{number}.html": f"[{number}]" for number in range(12)}
    files |= {"his/.htaccess": directory(fake.port if fake else reserve_port()), "page.shtml": INCLUDES}
    # Asks for the page in a subrequest, before the request itself is asked.
    httpd = start('RewriteEngine On\nRewriteCond %{REQUEST_URI} -U\nRewriteRule ^/his/ - [E=there:1]\nAddOutputFilter INCLUDES .shtml\nAuthStatusBreaker 5 1h\n<Directory "${DOCS}">\nOptions +Includes\n</Directory>\n'
                  '<Directory "${DOCS}/his">\nAllowOverride AuthConfig\nAuthStatus On\n</Directory>\n'
                  "<Location /report>\nSetHandler authstatus-report\nRequire ip 127.0.0.1\n</Location>",
                  files=files, cache=cache, modules=("include", "rewrite", "socache_shmcb"))
    httpd.log.allow("AS005[0-3]", "AH01374", "AH0161[78]", "unable to include")
    for _ in range(6):
        assert httpd.get("/page.shtml", login=("ann", RIGHT)).status == 200
        direct = httpd.get("/his/0.html", login=("ann", RIGHT))
        assert direct.status == (401 if state == "granted" else 503)
    lines = [line for line in httpd.log.lines() if line.module == "authstatus" and line.level in ("error", "warn")
             and line.text.count("AS005")]
    assert (state != "granted") <= len(lines) <= 1 + (state == "busy"), lines
    assert httpd.get("/report?metrics").status == 200
    httpd.stop()
    if fake:
        fake.stop()
