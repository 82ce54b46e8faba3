#!/bin/bash
# base-image.sh DIR: makes DIR/rootfs, which stands in for debian:bookworm-slim where no registry answers,
# from the Debian mirrors that this machine's apt uses. Needs root and debootstrap; a minute, once.
set -euo pipefail
dir=$(realpath -m "${1:?usage: base-image.sh DIR}")
root=$dir/rootfs
[ -e "$root/.complete" ] && exit 0

# shellcheck disable=SC2016 # apt expands these
sources=$(apt-get indextargets --format 'deb $(REPO_URI) $(RELEASE) $(COMPONENT)' 'Identifier: Packages' |
    grep -E ' bookworm(-updates|-security)? main$' | sort -u || true)
mirror=$(awk '$3 == "bookworm" { print $2; exit }' <<<"$sources")
rm -rf "$root"
mkdir -p "$dir"
if ! debootstrap --variant=minbase bookworm "$root" ${mirror:+"$mirror"} >"$dir/debootstrap.log" 2>&1; then
    tail -n 5 "$dir/debootstrap.log"
    exit 1
fi
[ -z "$mirror" ] || printf '%s\n' "$sources" >"$root/etc/apt/sources.list"
cd "$root"
rm -rf var/cache/apt/* var/lib/apt/lists/* usr/share/{doc,man,info,locale}/* var/log/*.log var/log/apt/* dev/* \
    etc/{resolv.conf,hostname}
touch .complete
