#!/bin/bash
# systemd-job.sh BIN CHECKOUT — in a guest whose pid 1 is systemd, where every mount is shared: the unit scst.service starts,
# reloads and stops uscstd, and the mounts are the same before and after, whatever was mounted below /sys/kernel meanwhile.
# shellcheck disable=SC1091,SC2011,SC2012,SC2154
here=$(dirname "$(realpath "$0")")
. "$here/guest-lib.sh"
. "$here/target-lib.sh"
bin=$1 checkout=$2

fail_with_journal() { journalctl -b --no-pager -u scst.service | tail -n 30; }
unit() { # VERB
  systemctl "$@" scst.service >>"$kLogFile" 2>&1 || { fail_with_journal; fail "systemctl $* scst.service: $?"; }
}
is_another_process() { systemctl is-active scst.service && [ "$(main_pid)" != "$1" ]; }
main_pid() { systemctl show -P MainPID scst.service; }
is_up() {
  check "the unit is active" systemctl is-active scst.service
  check_equal "times the tree is mounted" 1 "$(times_mounted)"
  check_equal "the target is enabled" 1 "$(attribute $kTargetDir/enabled)"
  check "what stood below /sys/kernel before is there" test -e /sys/kernel/debug/bdi -a -e /sys/kernel/mm -a -e /sys/kernel/tracing/trace
}
mounts_are_as_before() {
  [ "$before" = "$(mounts)" ] || fail "mounts differ: $(diff <(echo "$before") <(mounts))"
  check_not "the tree is there after the stop" test -e $kTree
}

step "systemd is up, with shared mounts: $(systemctl is-system-running)"
check_equal "pid 1" systemd "$(cat /proc/1/comm)"
check_equal "propagation of /sys" shared "$(findmnt -no PROPAGATION /sys)"
install_uscst "$bin" "$checkout"
systemctl daemon-reload
write_config
before=$(mounts)

step "start"
unit start
is_up
check_equal "devices" "one two" "$(ls $kTree/devices | xargs)"

step "reload takes a new device from /etc/scst.conf"
sed -i "s|^HANDLER vdisk_fileio {|&\n\tDEVICE more {\n\t\tfilename $kDisks/more\n\t}|" /etc/scst.conf
pid=$(main_pid)
unit reload
is_up
check_equal "devices" "more one two" "$(ls $kTree/devices | sort | xargs)"
check_equal "the daemon's pid after reload" "$pid" "$(main_pid)"

step "stop, with something mounted below /sys/kernel meanwhile: it stays, and goes as any other mount"
check "a mount that comes" mount -t tmpfs meanwhile /sys/kernel/debug/bdi
echo kept >/sys/kernel/debug/bdi/file
check "a mount that comes" mount -t tmpfs meanwhile /sys/kernel/debug/block
check "and goes" umount /sys/kernel/debug/block
unit stop
check_equal "what was mounted meanwhile" kept "$(cat /sys/kernel/debug/bdi/file)"
check "umount" umount /sys/kernel/debug/bdi
mounts_are_as_before

step "killed: systemd starts it again, and the tree is mounted once"
unit start
pid=$(main_pid)
kill -KILL "$pid"
wait_for 60 "the unit to be active again" is_another_process "$pid"
is_up
unit stop
mounts_are_as_before

step "restart"
unit start
unit restart
is_up
unit stop
mounts_are_as_before
finish_job
