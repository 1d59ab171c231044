# SPDX-License-Identifier: Apache-2.0
"""Calls the floor of logins without httpd: the answer to a line of Require, and the number of operations."""
import json
import os
import subprocess
from collections import namedtuple
from contextlib import contextmanager
from pathlib import Path

PROGRAM = Path(os.environ["AUTHSTATUS_BUILD"]) / "tests/live/authorization/query"

Answer = namedtuple("Answer", "answer outcome searches compares binds unsafe missing bounded cached reason evidence seconds code")


class Querying:
    def __init__(self, child):
        self.child = child

    def send(self, *words):
        self.child.stdin.write("\t".join(str(word) for word in words) + "\n")
        self.child.stdin.flush()

    def _answer(self):
        said = self.child.stdout.readline()
        assert said, "the program ended"
        said = json.loads(said)
        return Answer(said["answer"], said["outcome"], said["searches"], said["compares"], said["binds"],
                      said.get("unsafe"), said.get("missing"), said.get("bounded"), said.get("cached"), said["reason"],
                      said.get("evidence"), said["microseconds"] / 1e6, said["code"])

    def directory(self, url, bind_dn="", password=""):
        self.send("directory", url, bind_dn, password)

    def negated(self, are):
        self.send("negated", int(are))

    def groups(self, mode="Auto", depth=10, classes="groupOfNames,groupOfUniqueNames", attributes="member,uniqueMember",
               is_dn=True, flags=""):
        self.send("groups", mode, depth, classes, attributes, int(is_dn), flags)

    def login(self, user, password):
        self.send("login", user, password)
        answer = self._answer()
        assert answer.answer == "yes", answer
        return answer

    def find(self, user):
        self.send("find", user)
        return self._answer()

    def again(self):
        self.send("again")

    def later(self, seconds):
        self.send("later", seconds)

    def forget(self):
        self.send("forget")

    def decide(self, kind, *words):
        self.send(kind, *words)
        return self._answer()


@contextmanager
def querying():
    child = subprocess.Popen([str(PROGRAM)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, encoding="utf-8")
    try:
        yield Querying(child)
    finally:
        child.stdin.close()
        child.stdout.close()
        assert child.wait(30) == 0


def cost(answer):
    """"2C 1S", "" for nothing."""
    return " ".join(f"{count}{letter}" for count, letter in
                    ((answer.binds, "B"), (answer.compares, "C"), (answer.searches, "S")) if count)
