# SPDX-License-Identifier: Apache-2.0
"""A person of a test's own, what a login cost the directory, and how many are waiting."""
import itertools
import re
import threading

from lab.fake import answer
from lab.process import poll

ADMINISTRATOR = "cn=root,o=memory"
RIGHT, WRONG = "Pw!right", "Pw!wrong"
LOGIN = """LogLevel warn authstatus:trace8
Use ShowVariables
Use Login /in "ldap://127.0.0.1:${LDAP}" o=memory
"""
SHMCB = {"cache": "shmcb", "modules": ("socache_shmcb",)}

_numbers = itertools.count(1)


class Person:
    def __init__(self, slapd, password=RIGHT, **attributes):
        self.uid = f"person{next(_numbers)}"
        self.dn = f"uid={self.uid},ou=people,o=memory"
        self.slapd = slapd
        self._do("add_s", [(name, [value.encode()]) for name, value in {
            "objectClass": "inetOrgPerson", "cn": self.uid, "sn": self.uid, "userPassword": password,
            **attributes}.items()])

    def _do(self, operation, *arguments):
        getattr(self.slapd.client(ADMINISTRATOR), operation)(self.dn, *arguments)

    def set(self, attribute, value):
        """None: takes the attribute away."""
        self._do("modify_s", [(2, attribute, None if value is None else [value.encode()])])

    def delete(self):
        self._do("delete_s")

    def move(self, superior):
        self._do("rename_s", f"uid={self.uid}", superior)
        self.dn = f"uid={self.uid},{superior}"


def cost(slapd, connection, *login, path="/in/"):
    """(the answer's status, slapd's operations meanwhile)"""
    mark = slapd.mark()
    answer = connection.request(path, login=login)
    print(*slapd.lines(mark), sep="\n")  # shown where a test fails
    return answer.status, slapd.operations(mark)


def operations(connections=0, service_binds=0, searches=0, user_binds=0):
    return {"connections": connections, "service_binds": service_binds, "searches": searches,
            "user_binds": user_binds, "other": 0}


NOTHING = operations()
QUERIED = operations(searches=1, user_binds=1)
FIRST = operations(connections=2, service_binds=1, searches=1, user_binds=1)

STATUS = """ExtendedStatus On
<Location /status>
    SetHandler server-status
</Location>
"""


def busy(httpd):
    """The number of requests in progress, without this one. Needs STATUS, mod_status and a free thread."""
    report = httpd.get("/status?auto").body.decode()
    return int(re.search(r"^BusyWorkers: (\d+)", report, re.M)[1]) - 1


def wait_for_busy(httpd, number):
    poll(lambda: busy(httpd) == number, 10, f"{number} requests at work")


class Held:
    """An action of a fake: the answer comes when the test says so."""

    def __init__(self, code=0):
        self.code = code
        self.released = threading.Event()

    def release(self):
        self.released.set()

    def __call__(self, connection, message_id, tag):
        self.released.wait(120)
        answer(self.code)(connection, message_id, tag)
