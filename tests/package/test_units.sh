#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# The systemd units, as systemd reads them: nothing to complain about, and exposed to little.
#   test_units.sh PROGRAM FOLDER
set -u
program=$1
folder=$2
exposure_most=20 # tenths, of `systemd-analyze security`: 0 nothing, 100 everything
if ! command -v systemd-analyze >/dev/null; then
    echo "SKIP: there is no systemd-analyze (Debian: systemd)"
    exit 77
fi
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
failed=0

for unit in sluice.service sluice@.service; do
    # the program where this build has it; an instance for the template
    name=${unit/@./@one.}
    sed "s|^ExecStart=[^ ]*|ExecStart=$program|" "$folder/$unit" >"$work/$name"
    said=$(systemd-analyze verify --man=no "$work/$name" 2>&1)
    code=$?
    if [ $code -ne 0 ] || [ -n "$said" ]; then
        echo "FAILED: verify $unit: exit $code: $said"
        failed=1
    fi
    if ! systemd-analyze security --offline=true --threshold=$exposure_most --no-pager \
        "$work/$name" >"$work/exposure" 2>&1; then
        echo "FAILED: $unit is exposed to more than $exposure_most:"
        grep -v '✓' "$work/exposure"
        failed=1
    fi
    tail -1 "$work/exposure"
    for line in Type=notify WatchdogSec=60 RestartPreventExitStatus=2 User=sluice \
        ProtectSystem=strict NoNewPrivileges=yes; do
        grep -qx "$line" "$folder/$unit" || {
            echo "FAILED: $unit has no $line"
            failed=1
        }
    done
    # what ExecStart says is a command line that the program takes
    arguments=$(sed -n "s|^ExecStart=[^ ]* ||p" "$work/$name")
    arguments=${arguments//%i/one}
    arguments=${arguments//\/etc\/sluice/$work}
    echo "source: {endpoint: 'tcp://127.0.0.1:1'}" | tee "$work/sluice.yaml" >"$work/one.yaml"
    # shellcheck disable=SC2086
    "$program" $arguments --set "instance.state_directory=$work" --check >"$work/check" 2>&1 || {
        echo "FAILED: the command line of $unit:"
        cat "$work/check"
        failed=1
    }
done
exit $failed
