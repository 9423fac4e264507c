#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Checks ring.pml with spin: the model as it is must be free of errors, and each variant with
# something broken must be found wrong, or the model would prove nothing.
#   check.sh MODEL WORKDIR CC
set -eu
model=$1
work=$2
cc=$3

if ! command -v spin >/dev/null; then
    echo "SKIPPED: spin is not installed (apt-get install spin)"
    exit 77
fi
mkdir -p "$work"
cd "$work"
failed=0

# verify NAME "SPIN FLAGS" "CC FLAGS" "PAN FLAGS": leaves pan's report in report.txt
verify() {
    rm -f pan pan.* ./*.trail report.txt
    # shellcheck disable=SC2086  # the flags are lists
    if ! spin $2 -a "$model" >spin.txt 2>&1 || ! "$cc" -O2 -w -DMEMLIM=2048 $3 -o pan pan.c; then
        cat spin.txt
        echo "FAILED: $1: spin or the compiler refused the model"
        exit 1
    fi
    # shellcheck disable=SC2086
    ./pan -m1000000 $4 >report.txt 2>&1 || true
    if ! grep -q 'errors: ' report.txt || grep -qi -e 'too small' -e 'out of memory' \
        -e 'memory limit' report.txt; then
        cat report.txt
        echo "FAILED: $1: the search did not finish"
        exit 1
    fi
}

must_hold() {
    verify "$1" "$2" "$3" "$4"
    if grep -q 'errors: 0' report.txt; then
        echo "ok: $1: $(awk '/states, stored/ {print $1; exit}' report.txt) states"
    else
        cat report.txt
        echo "FAILED: $1: spin found an error"
        failed=1
    fi
}

must_fail() {
    verify "$1" "$2" -DSAFETY ""
    if grep -q 'errors: 0' report.txt; then
        echo "FAILED: $1: spin found nothing wrong"
        failed=1
    else
        echo "ok: $1: spin says: $(sed -n 's/^pan:1: //p' report.txt | cut -c1-60)"
    fi
}

must_hold "one producer, 2 places" "-DP=1 -DK=6 -DN=2" -DSAFETY ""
must_hold "one producer, 4 places" "-DP=1 -DK=6 -DN=4" -DSAFETY ""
must_hold "one producer, 1 place" "-DP=1 -DK=6 -DN=1" -DSAFETY ""
must_hold "two producers, 1 place" "-DP=2 -DK=2 -DN=1" -DSAFETY ""
must_hold "two producers, 2 places" "-DP=2 -DK=2 -DN=2" -DSAFETY ""
must_hold "one producer: no cycle" "-DP=1 -DK=6 -DN=2" -DNP -l
must_hold "two producers: no cycle" "-DP=2 -DK=2 -DN=1" -DNP -l

must_fail "the consumer does sleep" "-DFIND_SLEEP"
for break in SECOND_LOOK COMPARE SIGNAL_FIRST SLEEP_RELAXED STORE_ORDER PUBLISH_RELAXED \
    RECYCLE_RELAXED FULL; do
    must_fail "without it: $break" "-DBREAK_$break"
done
exit $failed
