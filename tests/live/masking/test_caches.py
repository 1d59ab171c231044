# SPDX-License-Identifier: Apache-2.0
"""httpd's own cache in front of a hidden place: what it keeps for one is not served to another, whatever the site says of
how long its answers may be kept."""
import pytest

import sites

KINDS = {"disk": 'CacheEnable disk /\nCacheRoot "${WORKDIR}/run/cache"', "socache": "CacheEnable socache /\nCacheSocache shmcb"}
SAYS = {
    "nothing": "", "minutes": 'Header always set Cache-Control "max-age=600"', "seconds for all": "CacheStoreExpired On\nCacheDefaultExpire 600\nCacheIgnoreNoLastMod On",
    "expires": 'ExpiresActive On\nExpiresDefault "access plus 1 hour"\nHeader always set Expires "Fri, 01 Jan 2038 00:00:00 GMT"',
    "everything": 'CacheStoreNoStore On\nCacheIgnoreCacheControl On\nCacheStorePrivate On\nHeader always set Cache-Control "s-maxage=600"',
}
HOSTS = {f"{kind}-{quick}-{number}": (kind, quick, said) for kind in KINDS for quick in ("on", "off") for number, said in enumerate(SAYS)}
HOST = """
<VirtualHost 127.0.0.1:${{HTTP}}>
    ServerName {name}
    DocumentRoot "${{DOCS}}"
    AuthStatus On
    AuthStatusMask All
    CacheQuickHandler {quick}
    CacheHeader On
    {lines}
    <Location /secret>
        AuthType Basic
        AuthName "the lab"
        AuthUserFile "${{WORKDIR}}/users"
        Require user bob
    </Location>
</VirtualHost>
"""


@pytest.fixture(scope="module")
def site(start):
    text = "".join(HOST.format(name=name, quick=quick, lines=f"{KINDS[kind]}\n{SAYS[said]}") for name, (kind, quick, said) in HOSTS.items())
    httpd = start.make(text, modules=("cache", "cache_disk", "cache_socache", "socache_shmcb", "expires"),
                       files={"secret/page.html": "hidden\n", "open/page.html": "open\n"})
    (httpd.workdir / "users").write_text(sites.USERS)
    (httpd.workdir / "run/cache").mkdir()
    (httpd.workdir / "run/cache").chmod(0o777)
    httpd.start()
    return httpd


@pytest.fixture(autouse=True)
def httpds_own_lines(site):
    site.log.allow(r"AH\d{5}: ", "AS00")


@pytest.mark.parametrize("host", HOSTS)
def test_each_gets_his_own(site, host):
    """Nobody's 404 is for who may see the page, his page is for nobody else."""
    for _ in range(2):
        assert site.get("/secret/page.html", host=host).status == 404
    for _ in range(2):
        assert site.get("/secret/page.html", host=host, login=sites.GOOD).body == b"hidden\n"
    hidden, missing = (site.get(f"/{place}/page.html", host=host) for place in ("secret", "absent"))
    assert hidden.status == 404
    assert hidden.comparable() == missing.comparable()


@pytest.mark.parametrize("host", HOSTS)
def test_what_everybody_may_see_is_kept(site, host):
    answers = [site.get("/open/page.html", host=host) for _ in range(2)]
    assert all(answer.status == 200 for answer in answers)
    assert answers[1].header("X-Cache").startswith("HIT") or "nothing" in HOSTS[host] or "off" in host
