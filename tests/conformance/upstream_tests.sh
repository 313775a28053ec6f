#!/bin/bash
# SCST's own tests of scstadmin and SCST.pm, unmodified, against uscstd. Needs SCST_SOURCE (a source tree of SCST) and root.
#
#   SCST_SOURCE=DIR tests/conformance/upstream_tests.sh [BUILD]      default build/release
#
# Prints a line a file: plan, passed, the numbers that failed; beside it what the kernel's SCST had (UPSTREAM_EXPECTED below).
# The iscsi driver is not there: what needs it differs. Exit status 77: skipped. What failed does not make it fail: read the table.
set -eu

build=$(readlink -f "${1:-build/release}")
skip() {
  echo "skipped: $1"
  exit 77
}
[[ -n ${SCST_SOURCE:-} ]] || skip "SCST_SOURCE is not set"
[[ $(id -u) == 0 && -e /dev/fuse ]] || skip "root and /dev/fuse are needed"
command -v perl > /dev/null || skip "perl is needed"
[[ -x $build/bin/uscstd ]] || skip "$build/bin/uscstd is not built"
if [[ -z ${USCST_INSIDE:-} ]]; then
  exec env USCST_INSIDE=1 unshare --mount --net --pid --kill-child=KILL --mount-proc --propagation private "$0" "$build"
fi

place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT
mkdir "$place/bin"
cp -a "$SCST_SOURCE/scstadmin/scstadmin.sysfs" "$place/scstadmin.sysfs"
mkdir -p "$place/scstadmin.sysfs/scst-1.0.0/blib/lib"
cp -a "$place/scstadmin.sysfs/scst-1.0.0/lib/." "$place/scstadmin.sysfs/scst-1.0.0/blib/lib/"
# 08 uses what only GNU awk has.
if command -v gawk > /dev/null; then ln -s "$(command -v gawk)" "$place/bin/awk"; else echo "no gawk: 08 will differ"; fi
# uscst-modprobe in modprobe's place: the first module that 01 loads starts uscstd, the last that 99 unloads ends it. There is no iscsi
# driver; its module is taken as loaded, so that 01 goes on to the others.
cat > "$place/bin/modprobe" << EOF
#!/bin/sh
case "\$*" in
  *iscsi*|*isert*) exit 0 ;;
esac
exec "$build/bin/uscst-modprobe" --control "$place/control" "\$@"
EOF
chmod +x "$place/bin/modprobe"
export SCST_DEFAULTS=$place/defaults
cat > "$SCST_DEFAULTS" << EOF
USCSTD=$build/bin/uscstd
SCST_DAEMON_OPTIONS="--pid-file $place/pid --listen 127.0.0.1:5000 --scsi-host none --target fe80:0000:0000:0000:0000:00ff:fe00:0001"
EOF
export PATH=$place/bin:$PATH PERL_TEST_DIFF=diff

ip link set lo up
mount -t tmpfs none /var/lib
mkdir -p /var/lib/scst/pr /var/lib/scst/vdev_mode_pages

declare -A expected=([01-start-scst]=3/3 [02-scst-attr]=15/15 [03-targets]=177/177 [04-alua]=62/62 [05-dynattr]=55/55 [06-cont-on-err]=6/6
  [07-scstadmin-args]=56/59 [08-scstadmin-close-dev]=24/24 [09-scstadmin-invalid-args]=43/43 [99-stop-scst]=2/2)
cd "$place/scstadmin.sysfs/scst-1.0.0"
printf '%-28s %-10s %-10s %s\n' file kernel here 'failed here'
total=0 all=0
for file in t/*.t; do
  name=$(basename "$file" .t)
  timeout 300 perl -Iblib/lib "$file" > "$place/$name.out" 2> "$place/$name.err" < /dev/null || true
  plan=$(sed -n 's/^1\.\.\([0-9]*\).*/\1/p' "$place/$name.out")
  passed=$(grep -c '^ok' "$place/$name.out" || true)
  failed=$(sed -n 's/^not ok \([0-9]*\).*/\1/p' "$place/$name.out" | tr '\n' ' ')
  total=$((total + passed)) all=$((all + ${plan:-0}))
  printf '%-28s %-10s %-10s %s\n' "$name" "${expected[$name]:-?}" "$passed/${plan:-?}" "${failed:--}"
  [[ -z ${KEEP:-} ]] || { mkdir -p "$KEEP"; cp "$place/$name.out" "$place/$name.err" "$KEEP/"; }
done
printf '%-28s %-10s %-10s\n' total 443/446 "$total/$all"
if [[ -e $place/pid ]]; then kill "$(cat "$place/pid")" 2> /dev/null || true; fi
