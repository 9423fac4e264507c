#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""House checks, with nothing but Python's standard library:

  includes  every #include stands in the table rooms.txt (who may see whom), names a file that is
            there, and is written from the root ("core/error.h")
  licence   every source file begins with its SPDX line
  size      no source file is longer than 600 lines
  links     what a page (*.md) links to in the tree is there

check_house.py [--root DIR] [includes|licence|size|links]...   exit 1 and a list when something is wrong
check_house.py --self-test   plants one of each fault in a scratch tree: each has to be found
"""
import argparse
import fnmatch
import os
import re
import sys
import tempfile
from pathlib import Path

LINES_MAX = 600
LICENCE = "SPDX-License-Identifier: Apache-2.0"
C_SUFFIXES = {".c", ".h", ".def", ".cc", ".cpp", ".hpp"}
SOURCE_SUFFIXES = C_SUFFIXES | {".py", ".sh", ".cmake", ".pml", ".yaml", ".yml", ".txt", ".awk"}
SCRIPT_FOLDERS = {"scripts", ".ci"}  # files without a suffix
SKIPPED = re.compile(r"^(\.(?!ci$)|build|X$|__pycache__$)")
LINK = re.compile(r"\]\(([^()\s#:]+)(?:#[^()\s]*)?\)")  # neither an address nor only a heading
INCLUDE = re.compile(r'^\s*#\s*include\s*(?:<([^>]+)>|"([^"]+)"|(\S+))')


def files_below(root):
    """Every file of the tree, relative, without build folders and hidden ones."""
    for folder, folders, names in os.walk(root):
        folders[:] = sorted(f for f in folders if not SKIPPED.match(f))
        for name in sorted(names):
            if not name.startswith("."):
                yield (Path(folder) / name).relative_to(root)


def is_source(path):
    return path.suffix in SOURCE_SUFFIXES or (not path.suffix and path.parts[0] in SCRIPT_FOLDERS)


def lines_of(root, path):
    return (root / path).read_text(encoding="utf-8", errors="replace").splitlines()


class Rooms:
    """The table."""

    def __init__(self, text):
        self.sees, self.libraries, self.system = {}, {}, []
        for number, line in enumerate(text.splitlines(), 1):
            if not line.strip() or line.startswith("#"):
                continue
            cells = [cell.strip() for cell in line.split("|")]
            if len(cells) != 3:
                sys.exit(f"rooms.txt:{number}: want three columns")
            room, sees, libraries = cells[0], cells[1].split(), cells[2].split()
            if room == "system":
                self.system += libraries
            elif room in self.sees:
                sys.exit(f"rooms.txt:{number}: {room} stands there twice")
            else:
                self.sees[room], self.libraries[room] = sees, libraries
        for room, sees in self.sees.items():
            for other in sees:
                if other != "all" and other not in self.sees:
                    sys.exit(f"rooms.txt: {room} may include {other}, which is no room")

    def room_of(self, path):
        """The innermost room that the path lies in, or None."""
        parts = Path(path).parts
        for count in range(len(parts), 0, -1):
            name = "/".join(parts[:count])
            if name in self.sees:
                return name
        return None

    def library_allowed(self, room, header):
        return any(fnmatch.fnmatchcase(header, pattern)
                   for pattern in self.system + self.libraries[room])


def judge_include(root, rooms, path, room, match):
    """What is wrong with one #include, or None."""
    library, own, macro = match.groups()
    if macro:
        return f"#include {macro}: name the header itself"
    if library:
        if not rooms.library_allowed(room, library):
            return f"<{library}> is no library of {room}"
        return None
    if room == "tests" and "/" not in own and (root / path.parent / own).is_file():
        return None
    if ".." in own or not (root / own).is_file():
        return f'"{own}" is not a file, written from the root'
    other = rooms.room_of(own)
    if other is None:
        return f'"{own}" lies in no room of the table'
    if other != room and other not in rooms.sees[room] and "all" not in rooms.sees[room]:
        return f'"{own}": {room} may not include {other}'
    return None


def check_includes(root, rooms):
    found = []
    for path in files_below(root):
        if path.suffix not in C_SUFFIXES:
            continue
        room = rooms.room_of(path)
        if room is None:
            found.append(f"{path}:1: lies in no room of the table")
            continue
        for number, line in enumerate(lines_of(root, path), 1):
            match = INCLUDE.match(line)
            wrong = match and judge_include(root, rooms, path, room, match)
            if wrong:
                found.append(f"{path}:{number}: {wrong}")
    return found


def check_licence(root, _rooms):
    return [f"{path}:1: no \"{LICENCE}\" in the first five lines"
            for path in files_below(root)
            if is_source(path) and not any(LICENCE in line for line in lines_of(root, path)[:5])]


def check_size(root, _rooms):
    found = []
    for path in files_below(root):
        count = len(lines_of(root, path)) if is_source(path) else 0
        if count > LINES_MAX:
            found.append(f"{path}:{LINES_MAX + 1}: {count} lines; at most {LINES_MAX}")
    return found


def check_links(root, _rooms):
    return [f"{path}:{number}: \"{link}\" is not there"
            for path in files_below(root) if path.suffix == ".md"
            for number, line in enumerate(lines_of(root, path), 1)
            for link in LINK.findall(line)
            if not (root / path.parent / link).exists()]


CHECKS = {"includes": check_includes, "licence": check_licence, "size": check_size,
          "links": check_links}

# path: (text, the one complaint that must come, or None)
PLANTED = {
    "core/error.h": (f"/* {LICENCE} */\n#include <stdio.h>\n", None),
    "writer/layout/layout.h": (f'/* {LICENCE} */\n#include "core/error.h"\n', None),
    "writer/sink/good.c": (f'/* {LICENCE} */\n#include <hdf5.h>\n#include "writer/layout/layout.h"\n',
                           None),
    "tests/unit/x/help.h": (f"/* {LICENCE} */\n", None),
    "tests/unit/x/test.c": (f'/* {LICENCE} */\n#include <cmocka.h>\n#include "help.h"\n', None),
    "core/up.c": (f'/* {LICENCE} */\n#include "writer/layout/layout.h"\n',
                  "core/up.c:2: \"writer/layout/layout.h\": core may not include writer/layout"),
    "readers/stats/h5.c": (f"/* {LICENCE} */\n#  include <hdf5.h>\n",
                           "readers/stats/h5.c:2: <hdf5.h> is no library of readers/stats"),
    "readers/follow/near.c": (f'/* {LICENCE} */\n#include "follow.h"\n',
                              "readers/follow/near.c:2: \"follow.h\" is not a file"),
    "ingest/ring/dots.c": (f'/* {LICENCE} */\n#include "../../core/error.h"\n',
                           "ingest/ring/dots.c:2: \"../../core/error.h\" is not a file"),
    "config/peek.c": (f'/* {LICENCE} */\n#include "writer/settings.h"\n'
                      '#include "writer/sink/sink.h"\n',
                      "config/peek.c:3: \"writer/sink/sink.h\": config may not include writer/sink"),
    "writer/settings.h": (f"/* {LICENCE} */\n", None),
    "writer/sink/sink.h": (f"/* {LICENCE} */\n", None),
    "attic/old.c": (f"/* {LICENCE} */\n", "attic/old.c:1: lies in no room"),
    "core/macro.c": (f"/* {LICENCE} */\n#include HEADER\n", "core/macro.c:2: #include HEADER"),
    "core/bare.c": ("/* nothing */\n", "core/bare.c:1: no \"SPDX"),
    "scripts/bare": ("#!/bin/sh\n", "scripts/bare:1: no \"SPDX"),
    "cmake/bare.cmake": ("# x\n", "cmake/bare.cmake:1: no \"SPDX"),
    "core/long.c": (f"/* {LICENCE} */\n" + "\n" * 600, "core/long.c:601: 601 lines"),
    "core/limit.c": (f"/* {LICENCE} */\n" + "\n" * 599, None),
    "docs/page.md": ("[there](../core/error.h), [far](https://example.org/x), [below](#below)\n"
                     "[heading](page.md#x) and [lost](results/none.json)\n",
                     "docs/page.md:2: \"results/none.json\" is not there"),
    "build-x/skipped.c": ("#include <hdf5.h>\n", None),
}


def self_test(rooms):
    with tempfile.TemporaryDirectory() as scratch:
        root = Path(scratch)
        for name, (text, _) in PLANTED.items():
            (root / name).parent.mkdir(parents=True, exist_ok=True)
            (root / name).write_text(text, encoding="utf-8")
        found = [line for check in CHECKS.values() for line in check(root, rooms)]
    wanted = [complaint for _, complaint in PLANTED.values() if complaint]
    missed = [complaint for complaint in wanted if not any(f.startswith(complaint) for f in found)]
    surplus = [f for f in found if not any(f.startswith(complaint) for complaint in wanted)]
    for text in missed:
        print(f"not found: {text}")
    for text in surplus:
        print(f"wrongly found: {text}")
    print(f"{len(wanted) - len(missed)} of {len(wanted)} planted faults were found")
    return 1 if missed or surplus else 0


def main():
    parser = argparse.ArgumentParser(description="House checks of Sluice.")
    here = Path(__file__).resolve().parent
    parser.add_argument("--root", type=Path, default=here.parent.parent)
    parser.add_argument("--self-test", action="store_true")
    parser.add_argument("checks", nargs="*", metavar="check", help=", ".join(CHECKS))
    arguments = parser.parse_args()
    unknown = set(arguments.checks) - set(CHECKS)
    if unknown:
        parser.error(f"unknown check {', '.join(sorted(unknown))}")
    rooms = Rooms((here / "rooms.txt").read_text(encoding="utf-8"))
    if arguments.self_test:
        return self_test(rooms)
    seen = sum(1 for path in files_below(arguments.root) if path.suffix in C_SUFFIXES)
    if seen == 0:
        print(f"no C file below {arguments.root}")
        return 1
    found = []
    for name in arguments.checks or CHECKS:
        found += CHECKS[name](arguments.root, rooms)
    for text in found:
        print(text)
    print(f"{seen} C files, {len(found)} faults")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
