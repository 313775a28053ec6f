#!/bin/bash
# main-job.sh BIN CHECKOUT [KILLS] — in the guest: a Linux initiator (ib_srp over siw) keeps its file system on a disk that uscstd serves,
# and goes on through what administrators do to a target. BIN holds the programs under test.
# shellcheck disable=SC1091,SC2154
here=$(dirname "$(realpath "$0")")
. "$here/guest-lib.sh"
. "$here/target-lib.sh"
bin=$1 checkout=$2 kills=${3:-1}
file_system=/mnt/disk

two_initiators_see_their_own_luns() {
  step "two initiators whose port ids are both zero: each its own group's LUN, four sessions each"
  local size identity
  identity=$(target_identity $kTarget)
  [ -n "$identity" ] || fail "login_info: $(cat $kTargetDir/login_info)"
  login 1 "$identity"; first=$HOST
  login 2 "$identity"; second=$HOST
  wait_disk "$first" 0; disk=$DISK
  check_equal "size of initiator 1's disk" $((64 << 20)) "$(disk_bytes "$disk")"
  wait_disk "$second" 0; size=$(disk_bytes "$DISK")
  check_equal "size of initiator 2's disk" $((80 << 20)) "$size"
  check_equal "LUNs of initiator 1" 0 "$(reported_luns "$first" 0)"
  check "initiator 1 was not thrown out" connected "$first"
  check_equal "sessions of initiator 1" "$(four_sessions 1)" "$(sessions_of 1)"
  check_equal "sessions of initiator 2" "$(four_sessions 2)" "$(sessions_of 2)"
  check_equal "initiator 1's LUNs" ../../ini_groups/first/luns "$(readlink "$kTargetDir/sessions/$(initiator_address 1)/luns")"
  check_equal "initiator 2's LUNs" ../../ini_groups/second/luns "$(readlink "$kTargetDir/sessions/$(initiator_address 2)/luns")"
  check_equal "a session's initiator" "$(initiator_address 1)" "$(attribute "$kTargetDir/sessions/$(initiator_address 1)_3/initiator_name")"
  logout "$second"
  wait_for 20 "initiator 2's sessions to go" has_no_sessions_of 2
}

file_system_works() {
  step "mkfs.ext4, mount, fio with verify, umount, fsck"
  local writes=0 n
  make_file_system "$disk"
  mkdir -p $file_system
  check "mount" mount "$disk" $file_system
  fio_verified $file_system/fio 12M
  say "fio is content"
  seq 100000 >$file_system/kept
  sum=$(sha256sum <$file_system/kept)
  check "umount" umount $file_system
  check "fsck" e2fsck -fn "$disk"
  for n in "$kTargetDir/sessions/"*/write_cmd_count; do writes=$((writes + $(attribute "$n"))); done
  [ $writes -gt 100 ] || fail "the sessions count $writes write commands"
}

data_survives_a_restart() {
  step "log out, stop the daemon, start it by its script, log in: the data is there"
  logout "$first"
  wait_for 20 "the sessions to go" has_no_sessions
  stop_daemon
  check_equal "mounts as before the start" "$mounts_before" "$(mounts)"
  scst start
  check "status" /etc/init.d/scst status
  login 1 "$(target_identity $kTarget)"; first=$HOST
  wait_disk "$first" 0; disk=$DISK
  check "mount" mount "$disk" $file_system
  check_equal "the file kept" "$sum" "$(sha256sum <$file_system/kept)"
}

luns_come_and_go() {
  step "a LUN added and removed while the initiator is logged in"
  manage $kTree/handlers/vdisk_fileio/mgmt "add_device more filename=$kDisks/more"
  manage $kTargetDir/ini_groups/first/luns/mgmt "add more 1"
  rescan "$first"
  wait_disk "$first" 1
  check_equal "size of the new disk" $((96 << 20)) "$(disk_bytes "$DISK")"
  check_equal "LUNs" "0 1" "$(reported_luns "$first" 0)"
  check "a write to it" dd if=/dev/urandom of="$DISK" bs=64k count=8 oflag=direct status=none
  check "it is in the file" cmp -n $((8 << 16)) "$DISK" $kDisks/more
  manage $kTargetDir/ini_groups/first/luns/mgmt "del 1"
  check_equal "LUNs" 0 "$(reported_luns "$first" 0)"
  check_not "a read of what was removed" dd if="$DISK" of=/dev/null bs=4k count=1 iflag=direct status=none
  echo 1 >"$(scsi_device "$first" 1)/delete"
  rescan "$first"
  check_not "LUN 1 came back" test -e "$(scsi_device "$first" 1)"
  manage $kTree/handlers/vdisk_fileio/mgmt "del_device more"
}

target_disabled_under_io() {
  step "the target disabled and enabled under I/O: the initiator comes back by itself"
  wait_progress "before it is disabled"
  manage $kTargetDir/enabled 0
  wait_for 20 "the initiator to notice" eval "! connected $first"
  wait_for 20 "the sessions to go" has_no_sessions
  sleep 2
  manage $kTargetDir/enabled 1
  wait_for 60 "the initiator to reconnect" connected "$first"
  wait_for 20 "four sessions" has_four_sessions 1
  wait_progress "after it was enabled again"
}

daemon_killed_under_io() {
  step "uscstd killed under I/O, started by its script: the initiator comes back by itself ($1 of $kills)"
  sleep "0.$((RANDOM % 1000))"
  kill -KILL "$(daemon_pid)"
  wait_for 20 "the initiator to notice" eval "! connected $first"
  scst start
  check_equal "times the tree is mounted" 1 "$(times_mounted)"
  wait_for 60 "the initiator to reconnect" connected "$first"
  wait_progress "after the daemon was killed"
}

everything_synced_is_there() {
  step "what was synced is there"
  writer_stop
  check_pieces $file_system
  check_equal "the file kept" "$sum" "$(sha256sum <$file_system/kept)"
  check "umount" umount $file_system
  check "fsck" e2fsck -fn "$disk"
}

step "the initiators' side: two siw devices, ib_srp"
network_up
load_initiator
mounts_before=$(mounts)
step "uscstd, configured by scstadmin from an scst.conf"
collect_syslog
install_uscst "$bin" "$checkout"
write_config
start_daemon
configure
check_equal "the target is enabled" 1 "$(attribute $kTargetDir/enabled)"
two_initiators_see_their_own_luns
file_system_works
data_survives_a_restart
luns_come_and_go
writer_start $file_system
target_disabled_under_io
for kill in $(seq "$kills"); do daemon_killed_under_io "$kill"; done
everything_synced_is_there
step "log out and stop: /sys/kernel is as it was"
logout "$first"
scst stop
check_equal "mounts as before the start" "$mounts_before" "$(mounts)"
check_not "a daemon is left" pgrep -x uscstd
finish_job
