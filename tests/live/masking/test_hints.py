# SPDX-License-Identifier: Apache-2.0
"""Early hints (103, H2EarlyHints): as many for what is hidden as for what is missing, whatever walks are made for them."""
import pytest

from lab import raw

import sites
import test_attacks as attacks
import test_differential as differential

NAMES = ("directory, a file", "directory, itself", "directory in a directory", "location", "files", "order deny", "file permissions", "no listing",
         "rewrite, server", "rewrite, directory", "symlink", "cgi denied", "cgi says 403")
WAYS = [way for way in sites.WAYS if way.name in NAMES]


@pytest.fixture(scope="module")
def site(start):
    pytest.importorskip("h2", reason="HTTP/2 needs python3-h2")
    host = "\n".join(sites.host("plain", "HTTP", True, "h2c http/1.1"))
    # Where HTTP/2 is spoken from the beginning, its settings are those of the first virtual host.
    httpd = start.make("H2EarlyHints on\nH2PushResource /open/page.html\n" + host, modules=sites.modules_for("event"), listen=("HTTP", "BACK"), files=sites.FILES)
    return sites.start_furnished(httpd)


@pytest.fixture(autouse=True)
def httpds_own_lines(site):
    differential.allow_httpds_lines(site)


def statuses(site, path, method):
    """Of all of its answers, the interim ones too. The client wants nothing pushed."""
    connection = raw.Http2(site.port)
    connection.http2.update_settings({2: 0})
    answer = connection.request(attacks.fields_of(method, path, "plain", None, {}))
    connection.close()
    return [dict(headers)[b":status"] for headers in answer if isinstance(headers, tuple)]


@pytest.mark.parametrize("method", ("GET", "OPTIONS"))
@pytest.mark.parametrize("way", WAYS, ids=[way.name for way in WAYS])
def test_hints_are_sent_once(site, way, method):
    hidden, missing = (statuses(site, path, method) for path in (way.path, differential.twin_of(way)))
    if way.methods is None or method in way.methods:
        assert hidden == missing == [b"103", b"404" if method == "GET" else b"200"]


def test_hints_of_what_may_be_seen(site):
    assert statuses(site, "/open/page.html", "GET") == [b"103", b"200"]
