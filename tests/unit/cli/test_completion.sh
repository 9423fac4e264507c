#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# The completion scripts, used as a shell uses them: every verb, every option of its --help and
# every key is offered, and nothing is offered that --help does not name.
#   test_completion.sh PROGRAM
set -u
sluice=$1
failed=0
checks=0

fail() {
    echo "FAILED: $*"
    failed=1
}

# offered WORD...: what bash offers for the last of these words
offered() {
    COMP_WORDS=("$@")
    COMP_CWORD=$(($# - 1))
    _sluice
    printf '%s\n' "${COMPREPLY[@]}"
}

# same NAME WANTED GOT: two lists of lines, in any order
same() {
    checks=$((checks + 1))
    if [ "$(sort -u <<<"$2")" != "$(sort -u <<<"$3")" ] || [ -z "$3" ]; then
        fail "$1:"
        diff <(sort -u <<<"$2") <(sort -u <<<"$3")
    fi
}

source /dev/stdin <<<"$("$sluice" config --completion bash)"
declare -F _sluice >/dev/null || fail "the bash script defines no _sluice"

verbs=$("$sluice" --help | sed -n 's/^  \([a-z][a-z-]*\)  .*/\1/p')
same "the verbs" "$verbs"$'\n--help\n--version' "$(offered sluice '')"
same "a verb begun" config "$(offered sluice conf)"
for verb in $verbs; do
    help=$("$sluice" "$verb" --help)
    options=$(offered sluice "$verb" -)
    # what begins a line of help (after a short option, or another one) is offered …
    listed=$(grep -oE '^ +(-[a-z], +)?--[a-z][a-z-]*(, --[a-z-]+)*' <<<"$help" |
        grep -oE -- '--[a-z][a-z-]*')
    for option in $listed; do
        checks=$((checks + 1))
        grep -qxe "$option" <<<"$options" || fail "$verb: $option of --help is not offered"
    done
    # … and what is offered stands in the help
    for option in $options; do
        checks=$((checks + 1))
        grep -qwe "$option" <<<"$help" || fail "$verb: $option is not in --help"
    done
done

keys=$("$sluice" config --keys | sed -n 's/^\([a-z][a-z0-9_.]*\) (default.*/\1=/p')
same "the keys" "$keys" "$(offered sluice ingest --set '')"
same "a key begun" "source.mode=" "$(offered sluice ingest --set source.mo)"
same "the words of a key" $'connect\nbind' "$(offered sluice ingest --set source.mode =)"
same "a word of a key begun" bind "$(offered sluice ingest --set source.mode = b)"
same "detectors" "$("$sluice" simulate --list | awk 'NR > 1 {print $1}')" \
    "$(offered sluice simulate --detector '')"
same "benchmark sets are no keys" "$("$sluice" bench --list | awk 'NR > 1 {print $1}')" \
    "$(offered sluice bench --set '')"
cd "$(dirname "$0")" || exit 1
same "files" "$(basename "$0")" "$(offered sluice ingest -c test_compl)"

checks=$((checks + 1))
"$sluice" config --completion tcsh 2>/dev/null
[ $? -eq 2 ] || fail "a shell that is not known is no usage error"

if command -v zsh >/dev/null; then
    # offered_zsh WORD...: the same with zsh's builtins of completion standing in
    offered_zsh() {
        zsh -f -c 'compadd() { while [[ $1 != -- ]]; do shift; done; shift; print -l -- "$@" }
            compset() { : }; _files() { print -- FILES }
            words=("$@"); CURRENT=$#
            _sluice() { eval "$script" }; _sluice' zsh "$@"
    }
    script=$("$sluice" config --completion zsh)
    export script
    same "zsh: the verbs" "$verbs"$'\n--help\n--version' "$(offered_zsh sluice '')"
    for verb in $verbs; do
        same "zsh: the options of $verb" "$(offered sluice "$verb" -)" "$(offered_zsh sluice "$verb" -)"
    done
    same "zsh: the keys" "$keys" "$(offered_zsh sluice ingest --set '')"
    same "zsh: the words of a key" $'connect\nbind' "$(offered_zsh sluice ingest --set source.mode=)"
    same "zsh: files" FILES "$(offered_zsh sluice ingest -c '')"
else
    echo "no zsh here: its script is not tried"
fi
echo "$checks checks"
exit $failed
