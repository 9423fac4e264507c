#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# The command line as such: help, versions, exit codes, suggestions, `sluice config`.
#   test_cli.sh PROGRAM SOURCE
set -u
sluice=$1
source=$2
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
failed=0
checks=0

# expect NAME CODE WHERE TEXT ARGUMENT...: runs the program; its exit code must be CODE, and TEXT
# stand in WHERE (out or err)
expect() {
    name=$1 code=$2 where=$3 text=$4
    shift 4
    "$sluice" "$@" >"$work/out" 2>"$work/err" </dev/null
    got=$?
    checks=$((checks + 1))
    if [ "$got" -ne "$code" ] || ! grep -qF -e "$text" "$work/$where"; then
        echo "FAILED: $name: exit $got (want $code), or no \"$text\" in $where:"
        cat "$work/out" "$work/err"
        failed=1
    fi
}

expect "no verb is a usage error" 2 err "usage: sluice VERB"
expect "help goes to standard output" 0 out "usage: sluice VERB" --help
expect "the version is told" 0 out "sluice 0." --version
expect "an unknown verb is a usage error" 2 err "unknown verb \"entirely\"" entirely
expect "the nearest verb is suggested" 2 err "did you mean config?" confg
for verb in $("$sluice" --help | sed -n 's/^  \([a-z][a-z-]*\)  .*/\1/p'); do
    expect "$verb has help" 0 out "sluice $verb" "$verb" --help
    expect "$verb refuses an unknown option" 2 err "--no-such-option" "$verb" --no-such-option
    [ -s "$source/docs/man/sluice-$verb.1" ] || {
        echo "FAILED: $verb has no manual page"
        failed=1
    }
done

SLUICE_INSTRUCTIONS=sse2
export SLUICE_INSTRUCTIONS
expect "unknown instructions in the environment are refused" 2 err \
    "SLUICE_INSTRUCTIONS is \"sse2\"; it may be auto, scalar, avx2 or avx512" config
SLUICE_INSTRUCTIONS=scalar
expect "known ones are accepted" 0 out "  instructions: auto # default" config
unset SLUICE_INSTRUCTIONS
expect "config prints every section" 0 out "  images_per_file: 1000 # default" config
expect "an argument too many is refused" 2 err "unexpected argument \"x\"" config x
expect "a wrong value is refused" 2 err "ring.slots: \"0\": want 1 to 65536" \
    config --set ring.slots=0
expect "a file that is not there is named" 2 err "$work/none.yaml: No such file" \
    config -c "$work/none.yaml"
printf 'ring:\n  slots: 512\n  slotz: 1\n' >"$work/bad.yaml"
expect "file and line are named" 2 err "$work/bad.yaml:3: unknown key \"ring.slotz\"" \
    config -c "$work/bad.yaml"
printf 'ring: {slots: 512}\n' >"$work/good.yaml"
expect "--set comes after the file" 0 out "  slots: 64 # --set" \
    config --set ring.slots=64 -c "$work/good.yaml"
expect "the example is accepted" 0 out "tcp://127.0.0.1:31001" config -c "$source/config/sluice.yaml"
expect "the key list has every default" 0 out "writer.flush_idle_us (default 200)" config --keys
expect "ingest without endpoint says what to set" 2 err "--set source.endpoint=tcp://" ingest

"$sluice" config --set writer.directory=/a,/b >"$work/first" &&
    "$sluice" config -c "$work/first" | sed 's/ # .*//' >"$work/second"
sed 's/ # .*//' "$work/first" >"$work/want"
checks=$((checks + 1))
if ! cmp "$work/want" "$work/second"; then
    echo "FAILED: what config prints does not load to the same"
    failed=1
fi
if [ -e /dev/full ]; then
    checks=$((checks + 1))
    if "$sluice" config >/dev/full 2>"$work/err"; then
        echo "FAILED: a full disk went unnoticed"
        failed=1
    fi
fi
echo "$checks checks"
exit $failed
