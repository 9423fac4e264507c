#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# The Debian packages: made, unpacked into a scratch root, and the program run from there. lintian
# finds no error, where it is installed.
#   test_deb.sh CPACK BUILD
set -eu
cpack=$1
build=$2
for tool in dpkg-deb dpkg-shlibdeps; do
    command -v $tool >/dev/null || {
        echo "SKIP: there is no $tool (Debian: dpkg-dev)"
        exit 77
    }
done
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
fail() {
    echo "FAILED: $*"
    exit 1
}

"$cpack" -G DEB --config "$build/CPackConfig.cmake" -B "$work/deb" >"$work/log" 2>&1 || {
    cat "$work/log"
    fail "cpack"
}
deb=$(ls "$work"/deb/sluice_*.deb)
root=$work/root
dpkg-deb -x "$deb" "$root"
dpkg-deb -e "$deb" "$work/control"
dpkg-deb -f "$deb" Package Version Architecture Depends
for library in libc6 libzmq5 libhdf5-103 libcbor libyaml libxxhash liblz4 libjansson; do
    dpkg-deb -f "$deb" Depends | grep -q "$library" || fail "the package does not depend on $library"
done

sluice=$root/usr/bin/sluice
"$sluice" --version
"$sluice" config -c "$root/usr/share/doc/sluice/examples/sluice.yaml" >/dev/null
mkdir "$work/data"
"$sluice" ingest --check --set source.endpoint=tcp://127.0.0.1:1 \
    --set "writer.directory=$work/data" --set "instance.state_directory=$work" ||
    fail "ingest --check from the package"

# The user, the units, the scripts, completion
grep -q '^u sluice ' "$root/usr/lib/sysusers.d/sluice.conf" || fail "no user"
if command -v systemd-sysusers >/dev/null && [ "$(id -u)" -eq 0 ]; then
    mkdir -p "$root/etc"
    systemd-sysusers --root="$root" sluice.conf
    grep -q '^sluice:.*:/var/lib/sluice:' "$root/etc/passwd" || fail "the user is not made"
fi
for unit in sluice.service sluice@.service; do
    grep -q '^ExecStart=sluice ingest ' "$root/usr/lib/systemd/system/$unit" || fail "$unit"
done
for script in postinst prerm; do
    sh -n "$work/control/$script"
    [ -x "$work/control/$script" ] || fail "$script cannot be run"
done
bash -c 'source "$1"; COMP_WORDS=(sluice inge); COMP_CWORD=1; _sluice
         [ "${COMPREPLY[*]}" = ingest ]' bash \
    "$root/usr/share/bash-completion/completions/sluice" || fail "completion"
gzip -t "$root/usr/share/man/man1/sluice-ingest.1.gz"

# A program of somebody else's, built against what the two packages hold
dpkg-deb -x "$work"/deb/libsluice-follow-dev_*.deb "$root"
if command -v cc >/dev/null; then
    cc -o "$work/follow_series" -I "$root/usr/include" \
        "$root/usr/share/doc/libsluice-follow-dev/examples/follow_series.c" \
        -L "$(dirname "$(find "$root/usr/lib" -name libsluice-follow.so)")" -lsluice-follow ||
        fail "the example of the library does not build"
fi

if command -v lintian >/dev/null; then
    # Who builds a package for others says who maintains it: -DCPACK_PACKAGE_CONTACT=…
    lintian --allow-root --fail-on error --suppress-tags bogus-mail-host,bogus-mail-host-in-debian-changelog \
        "$work"/deb/*.deb ||
        fail "lintian"
else
    echo "no lintian here: the package is not looked at by it"
fi
