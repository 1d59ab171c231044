# SPDX-License-Identifier: Apache-2.0
"""A directory whose index is hidden is answered as a missing one, whichever module refuses the index and in which phase."""
import pytest

REFUSALS = {"authz_core": "Require all denied", "access_compat": "Order allow,deny\n    Deny from all",
            "login": 'AuthType Basic\n    AuthName x\n    AuthUserFile "${WORKDIR}/nobody"\n    Require user nobody'}
PLACES = {"files": ("/has/", "/has.too/"), "location": ("/has/",)}


@pytest.mark.parametrize("refusal", REFUSALS)
@pytest.mark.parametrize("place", PLACES)
def test_an_index_that_is_hidden(start, refusal, place):
    opens = {"files": 'Files "secret.html"', "location": 'Location "/has/secret.html"'}[place]
    httpd = start(f"""AuthStatus On
DirectoryIndex secret.html
<{opens}>
    {REFUSALS[refusal]}
    AuthStatusMask All
</{opens.split()[0]}>""", modules=("access_compat", "dir"), files={
        "has/secret.html": "secret", "has.too/secret.html": "secret", "open/page.html": "page"})
    httpd.log.allow("AH01630", "AH01797", "AH01276", "AH01618")

    def answer(path, method="GET"):
        got = httpd.get(path, method=method)
        return got.status, got.body.replace(path.encode(), b"")
    for path in PLACES[place]:
        for method in ("GET", "POST"):
            got = answer(path, method)
            assert got == answer(path.replace("has", "hasnt"), method) and got[0] == 404, (path, method)
