#!/bin/bash
# kernel.sh — the kernel that the VM test boots, from Debian's packages alone.
#
#   kernel.sh [--refresh]
#
# Fetches the image that linux-image-amd64 depends on and unpacks it (nothing is installed), then builds siw, which
# Debian leaves out, from the linux-source package of the very same version. Prints the directory of the result:
#   boot/vmlinuz-VERSION  lib/modules/VERSION/ (with extra/siw.ko, depmod done)
# It lives in ${USCST_CACHE:-CHECKOUT/.cache}/vm/kernel and is used again as it is until --refresh. What is fetched and built on
# the way there is thrown away. Several runs at once wait for one another.
# Exit status: 0 done; 77 this machine cannot (the reason is printed); 1 failed.
set -euo pipefail
here=$(dirname "$(realpath "$0")")
cache=${USCST_CACHE:-$(realpath "$here/../..")/.cache}/vm
siw=drivers/infiniband/sw/siw

say() { printf 'kernel.sh: %s\n' "$*" >&2; }
cannot() { say "skipped: $*"; exit 77; }

complete() { # a kernel, its modules and our siw for it
  local version
  version=$(cat "$result/version" 2>/dev/null) || return 1
  [ -s "$result/boot/vmlinuz-$version" ] && [ -s "$result/lib/modules/$version/extra/siw.ko" ] &&
    [ -s "$result/lib/modules/$version/modules.dep" ]
}

fetch() { # PACKAGE...: the .deb files, into the current directory
  # As root apt would hand the download to a user who may not write here; it then says so and does it as root.
  apt-get download -q -o APT::Sandbox::User=root "$@" >&2
}

fetch_image() {
  local package
  package=$(apt-cache depends linux-image-amd64 | sed -n 's/^ *Depends: \(linux-image-.*\)$/\1/p' | head -1)
  [ -n "$package" ] || { say "apt knows no linux-image-amd64 (apt-get update?)"; return 1; }
  version=${package#linux-image-}
  fetch "$package"
  dpkg -x "$package"_*.deb tree
  release=$(dpkg-deb -f "$package"_*.deb Version)
  say "Debian's kernel $version ($release)"
}

# The headers' Makefile names its neighbour by absolute path; unpacked here, it has to name this one.
fetch_headers() {
  local series=$1
  fetch "linux-headers-$version=$release" "linux-headers-${version%-*}-common=$release" "linux-kbuild-$series=$release"
  for deb in linux-headers-*.deb linux-kbuild-*.deb; do dpkg -x "$deb" headers; done
  sed -i "s,/usr/src/,$PWD/headers/usr/src/," "headers/usr/src/linux-headers-$version/Makefile"
}

# Out of the whole source only siw's folder is written to the disk.
build_siw() {
  local series
  series=$(cut -d. -f1,2 <<<"$version")
  fetch_headers "$series"
  fetch "linux-source-$series=$release"
  mkdir siw
  dpkg-deb --fsys-tarfile "linux-source-${series}"_*.deb | tar -xO "./usr/src/linux-source-$series.tar.xz" |
    tar -xJ -C siw --strip-components=5 --wildcards "linux-source-$series/$siw/*"
  make -s -C "headers/usr/src/linux-headers-$version" M="$PWD/siw" CONFIG_RDMA_SIW=m modules >&2
  install -D -m 644 siw/siw.ko "tree/lib/modules/$version/extra/siw.ko"
}

build() {
  work=$(mktemp -d "$cache/work.XXXXXX")
  trap 'rm -rf "$work"' EXIT
  cd "$work"
  fetch_image
  build_siw
  depmod -b "$work/tree" "$version"
  echo "$version" >tree/version
  rm -rf "$result"
  mv tree "$result"
}

mkdir -p "$cache"
cache=$(realpath "$cache")
result=$cache/kernel
exec 9>"$cache/lock"
flock 9
if [ "${1:-}" = --refresh ] || ! complete; then
  [ "$(dpkg --print-architecture 2>/dev/null)" = amd64 ] || cannot "the VM test knows Debian on amd64 only"
  build
  complete || { say "the kernel in $result is not complete"; exit 1; }
fi
echo "$result"
