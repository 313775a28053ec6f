#!/bin/bash
# pass-through-job.sh BIN CHECKOUT — SCSI devices of the machine itself (Linux' scsi_debug) as LUNs: they are in the tree from
# their arrival, go to handlers, carry I/O and errors through SG_IO, and leave with their LUNs.
# shellcheck disable=SC1091,SC2154
here=$(dirname "$(realpath "$0")")
. "$here/guest-lib.sh"
. "$here/target-lib.sh"
bin=$1 checkout=$2

kDebug=/sys/bus/pseudo/drivers/scsi_debug
devices() { (cd $kTree/devices && ls) | xargs; }
initiator() {
  local identity
  identity=$(target_identity $kTarget)
  identity=${identity#id_ext=}
  uscst-initiator "$@" --dest 127.0.0.1:$kPort --id-ext "${identity%%,*}" --ioc-guid "${identity##*=}"
}
raw() { # One CDB in a session of its own, after what a new nexus is told; its answer is in /run/vm/answer.
  local code
  for _ in 1 2 3 4; do
    initiator raw "$@" >/run/vm/answer 2>&1
    code=$?
    grep -qi 'unit attention' /run/vm/answer || break
  done
  [ $code = 0 ] || cat /run/vm/answer
  return $code
}
add_host() { echo 1 >$kDebug/add_host; }

step "a disk that was there before the target"
install_uscst "$bin" "$checkout"
mkdir -p /run/vm
modprobe -a sg sd_mod || fail "a module does not load"
others=$(ls /sys/class/scsi_device 2>/dev/null | xargs)
check "scsi_debug" modprobe scsi_debug dev_size_mb=8
check_equal "SCSI devices before" "" "$others"
wait_for 10 "its sg node" test -e /dev/sg0
disk=$(ls /sys/class/scsi_device)
ip link set lo up
start_daemon
check_equal "devices" "$disk" "$(devices)"
check_equal "where scsi_device leads" "$(realpath "/sys/class/scsi_device/$disk")" "$(realpath "$kTree/devices/$disk/scsi_device")"
check_not "it has a handler" test -e "$kTree/devices/$disk/handler"
check_not "a tape handler takes it" eval "echo add_device $disk >$kTree/handlers/dev_tape/mgmt"

step "I/O through dev_disk"
manage $kTree/handlers/dev_disk/mgmt "add_device $disk"
manage $kTargetDir/luns/mgmt "add $disk 0"
manage $kTargetDir/enabled 1
check_equal "its handler" dev_disk "$(basename "$(readlink "$kTree/devices/$disk/handler")")"
check "INQUIRY" raw --cdb 120000002400 --in 36
check "it says what it is" grep -qi 'scsi_debug\|73 63 73 69\|736373695f6465627567' /run/vm/answer
check "8 MiB" raw --cdb 25000000000000000000 --in 8
check "verify" initiator verify --blocks 8192 --transfer-size 65536 --queue-depth 8
check "the whole disk with long transfers" initiator verify --blocks 16384 --transfer-size 1048576 --queue-depth 4
check "what was written is on the disk" cmp -n 4194304 <(initiator read --blocks 8192 --file /run/vm/image >/dev/null 2>&1; cat /run/vm/image) /dev/sda
check "its own list of commands" raw --cdb A30C0000000000001000 --in 4096

step "errors are the device's own"
echo 0x2 >$kDebug/opts && echo -1 >$kDebug/every_nth
check_not "a medium error" raw --cdb 28000000123400000100 --in 512
check "as sense data" grep -Eqi '3/11|11.00|unrecovered|medium error' /run/vm/answer
echo 0 >$kDebug/opts && echo 0 >$kDebug/every_nth
check_not "beyond the end" raw --cdb 28000FFFFFFF00000100 --in 512
check_not "an unknown command" raw --cdb C1000000000000000000 --in 512

step "another handler in place"
manage $kTree/handlers/dev_disk_perf/mgmt "add_device $disk"
check "its LUN stays" test -e "$kTargetDir/luns/0/device/block"
check "reads end at once" raw --cdb 28000000000000000100 --in 512

step "a device comes, and goes with its LUN"
echo 3 >$kDebug/max_luns 2>/dev/null
add_host
wait_for 10 "the second device in the tree" eval "[ \$(ls $kTree/devices | wc -l) -ge 2 ]"
check_equal "devices" "$(cd /sys/class/scsi_device && ls | xargs)" "$(devices)"
second=$(devices | tr ' ' '\n' | grep -vx "$disk" | head -1)
manage $kTree/handlers/dev_disk/mgmt "add_device $second"
manage $kTargetDir/luns/mgmt "add $second 5"
check "its size" raw --cdb 25000000000000000000 --in 8 --lun 5
echo -1 >$kDebug/add_host
wait_for 10 "it to leave" eval "[ ! -e $kTree/devices/$second ]"
check_not "its LUN is there" test -e $kTargetDir/luns/5
echo 1 >"/sys/class/scsi_device/$disk/device/delete"
wait_for 10 "the first to leave" eval "[ -z \"\$(ls $kTree/devices)\" ]"
check_not "its LUN is there" test -e $kTargetDir/luns/0
stop_daemon
finish_job
