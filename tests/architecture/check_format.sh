#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Every C file is as clang-format leaves it. Only version 14 (Debian 12's) is asked: others format
# the same file in another way.
#   check_format.sh ROOT
set -eu
cd "$1"
for tool in clang-format-14 clang-format; do
    case $("$tool" --version 2>/dev/null || true) in
    *"version 14."*)
        find core config ingest writer readers bench cli tests -name '*.[ch]' -print0 |
            xargs -0 "$tool" --dry-run --Werror
        exit 0
        ;;
    esac
done
echo "SKIPPED: clang-format 14 is not installed (apt-get install clang-format)"
exit 77
