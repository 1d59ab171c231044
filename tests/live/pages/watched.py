# SPDX-License-Identifier: Apache-2.0
"""A site with the report, and one place to log in."""


def watched(directory):
    """Its configuration. `directory`: the lines of the place that name its directory."""
    return f"""<Location /report>
SetHandler authstatus-report
Require local
</Location>
<Location /in>
AuthType Basic
AuthName x
AuthBasicProvider authstatus
{directory}
Require valid-user
AuthStatus On
</Location>"""
