#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# `cmake --install` into a prefix of one's own gives a program that runs, and all that belongs to it.
#   test_install.sh CMAKE BUILD
set -eu
cmake=$1
build=$2
root=$(mktemp -d)
trap 'rm -rf "$root"' EXIT
"$cmake" --install "$build" --prefix "$root/sluice" >"$root/log" 2>&1 || {
    cat "$root/log"
    exit 1
}
cd "$root/sluice"
bin/sluice --version
bin/sluice config -c share/doc/sluice/examples/sluice.yaml >/dev/null
for path in lib/systemd/system/sluice.service lib/systemd/system/sluice@.service \
    lib/sysusers.d/sluice.conf share/bash-completion/completions/sluice \
    share/zsh/vendor-completions/_sluice share/doc/sluice/LICENSE share/man/man1/sluice.1.gz; do
    [ -s "$path" ] || {
        echo "FAILED: $path is not installed"
        exit 1
    }
done
for verb in $(bin/sluice --help | sed -n 's/^  \([a-z][a-z-]*\)  .*/\1/p'); do
    [ -s "share/man/man1/sluice-$verb.1.gz" ] || {
        echo "FAILED: sluice-$verb.1.gz is not installed"
        exit 1
    }
done
