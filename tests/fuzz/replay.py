#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Each fuzz target reads its corpus once: tests/fuzz/corpus/NAME is for fuzz_NAME, and neither may be there alone. That of
fuzz_record is written by seeds.c, in the format of today."""

import os
import pathlib
import subprocess
import tempfile

HERE = pathlib.Path(os.environ["AUTHSTATUS_SOURCE"]) / "tests/fuzz"
BUILT = pathlib.Path(os.environ["AUTHSTATUS_BUILD"]) / "tests/fuzz"

targets = {path.stem.removeprefix("fuzz_") for path in HERE.glob("fuzz_*.c")}
made = tempfile.TemporaryDirectory(prefix="authstatus-seeds-")
subprocess.run([str(BUILT / "seeds"), made.name], check=True)
corpora = {path.name: path for path in (HERE / "corpus").iterdir()} | {"record": pathlib.Path(made.name)}

failures = 0
names = sorted(targets | set(corpora))
for number, name in enumerate(names, 1):
    try:
        run = subprocess.run(
            [str(BUILT / f"fuzz_{name}"), str(corpora.get(name, "none"))], capture_output=True, text=True, errors="replace", check=False
        )
        code, said = run.returncode, run.stdout + run.stderr
    except OSError as error:
        code, said = 1, str(error)
    failures += code != 0
    lines = said.splitlines()
    print(f"{'not ' if code else ''}ok {number} - {name}: {lines[0] if lines and not code else f'ended with {code}'}")
    if code:
        print("\n".join(f"# {line}" for line in lines))
print(f"1..{len(names)}")
raise SystemExit(1 if failures or not names else 0)
