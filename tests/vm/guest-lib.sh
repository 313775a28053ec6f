# shellcheck shell=bash disable=SC2034
# guest-lib.sh — what the jobs in the guest share: steps and checks, the network, siw, ib_srp's logins, disks. Sourced by bash.
# A failed check ends the job with a message, the target's log and the kernel's.
set -uo pipefail

kPort=5000
kTree=/sys/kernel/scst_tgt
kLogFile=${kLogFile:-/out/target.log}

# ---- steps and checks ----------------------------------------------------------------------------------------------------------
vm_seconds() { cut -d' ' -f1 /proc/uptime; }
step() { printf '[%6.1f] == %s\n' "$(vm_seconds)" "$*"; }
say() { printf '[%6.1f]    %s\n' "$(vm_seconds)" "$*"; }
fail() {
  printf '[%6.1f] FAILED: %s (line %s)\n' "$(vm_seconds)" "$*" "${BASH_LINENO[*]}"
  dmesg >/out/dmesg.txt
  echo '--- the kernel, last lines'; tail -n 25 /out/dmesg.txt
  [ ! -s "$kLogFile" ] || { echo '--- the target, last lines'; tail -n 40 "$kLogFile"; }
  exit 1
}
check() { # WHAT COMMAND...: the command succeeds, or the job ends
  local what=$1 answer
  shift
  answer=$("$@" 2>&1) || fail "$what: '$*': $answer"
}
check_not() { # WHAT COMMAND...
  local what=$1
  shift
  ! "$@" >/dev/null 2>&1 || fail "$what: '$*' succeeded"
}
check_equal() { # WHAT EXPECTED FOUND
  [ "$2" = "$3" ] || fail "$1: expected '$2', found '$3'"
}
# Emulated on a busy machine the guest may be ten times slower than on an idle one, and its clock is not.
wait_for() { # SECONDS WHAT COMMAND...: until the command succeeds; SECONDS as on an idle machine
  local end=$((SECONDS + 5 * $1)) what=$2
  shift 2
  until "$@" >/dev/null 2>&1; do
    [ $SECONDS -lt $end ] || fail "waited in vain: $what ('$*')"
    sleep .1
  done
}
finish_job() { # the last line of a job: no warning of the kernel came up meanwhile
  dmesg >/out/dmesg.txt
  check_not "the kernel warned" grep -E 'WARNING:|BUG:|Oops|EXT4-fs error|JBD2: Detected' /out/dmesg.txt
  step "done"
}

# ---- the network and the initiators' devices --------------------------------------------------------------------------------------
# Initiator N (1, 2) is siw on a netdev of its own with the address 10.71.N.1. The target listens on every address; initiator N
# dials 10.71.N.9, which has to be on that netdev too: RDMA/CM looks for the route there only. TCP then stays inside the kernel.
initiator_address() { echo "10.71.$1.1"; }
target_address() { echo "10.71.$1.9"; }
network_up() {
  local n
  modprobe -a dummy siw rdma_cm sd_mod sg ext4 || fail "a module does not load"
  ip link set lo up
  for n in 1 2; do
    check "netdev ini$n" ip link add "ini$n" type dummy
    ip addr add "$(initiator_address $n)/24" dev "ini$n"
    ip addr add "$(target_address $n)/24" dev "ini$n"
    ip link set "ini$n" up
    check "siw on ini$n" rdma link add "siw$n" type siw netdev "ini$n"
  done
}

# ---- ib_srp ----------------------------------------------------------------------------------------------------------------------
# Reconnects every second and never gives I/O back as failed for lack of a connection.
load_initiator() { # [PARAMETER=VALUE...]
  check "ib_srp" modprobe ib_srp reconnect_delay=1 fast_io_fail_tmo=off dev_loss_tmo=300 "$@"
  wait_for 10 "add_target of siw2" test -e /sys/class/infiniband_srp/srp-siw2-1/add_target
}
target_identity() { # TARGET: id_ext and ioc_guid as add_target wants them
  sed -n '1s/^t\(id_ext=[0-9a-f]*,ioc_guid=[0-9a-f]*\),.*/\1/p' "$kTree/targets/ib_srpt/$1/login_info"
}
try_login() { # INITIATOR IDENTITY [MORE]: HOST is the new SCSI host's number; fails as add_target does
  local before answer
  before=$(ls /sys/class/srp_remote_ports 2>/dev/null)
  answer=$({ echo "src=$(initiator_address "$1"),$2,dest=$(target_address "$1"):$kPort,ch_count=4${3:+,$3}" \
    >"/sys/class/infiniband_srp/srp-siw$1-1/add_target"; } 2>&1) || { echo "$answer"; return 1; }
  HOST=$(comm -13 <(echo "$before") <(ls /sys/class/srp_remote_ports) | sed 's/^port-\([0-9]*\):.*/\1/' | head -1)
  [ -n "$HOST" ]
}
login() {
  local begin=$EPOCHREALTIME
  try_login "$@" >/run/vm/login.txt || fail "login of initiator $1: $(cat /run/vm/login.txt)"
  say "initiator $1 is in as host $HOST after $(((${EPOCHREALTIME/./} - ${begin/./}) / 1000)) ms"
}
logout() { # HOST
  echo 1 >"/sys/class/srp_remote_ports/port-$1:1/delete" || fail "delete of host $1"
  wait_for 30 "host $1 to go" test ! -e "/sys/class/scsi_host/host$1"
}
remote_port_state() { cat "/sys/class/srp_remote_ports/port-$1:1/state"; }
connected() { [ "$(remote_port_state "$1")" = running ]; }

# ---- disks -----------------------------------------------------------------------------------------------------------------------
scsi_device() { echo "/sys/class/scsi_device/$1:0:0:$2/device"; } # HOST LUN
disk_of() { # HOST LUN: /dev/sdX
  local name
  name=$(ls "$(scsi_device "$1" "$2")/block" 2>/dev/null) && [ -b "/dev/$name" ] && echo "/dev/$name"
}
wait_disk() { # HOST LUN: DISK is its device (not printed: a failure in $(...) would not end the job)
  wait_for 20 "the disk at LUN $2 of host $1" disk_of "$1" "$2"
  DISK=$(disk_of "$1" "$2")
}
disk_bytes() { blockdev --getsize64 "$1"; }
rescan() { echo '- - -' >"/sys/class/scsi_host/host$1/scan"; }
# What REPORT LUNS says, as numbers on one line.
reported_luns() { # HOST LUN
  sg_luns -d "/dev/$(ls "$(scsi_device "$1" "$2")/scsi_generic")" |
    sed -n 's/.*Peripheral device addressing: lun=\([0-9]*\).*/\1/p' | sort -n | xargs
}
make_file_system() { # DISK
  check "mkfs.ext4" mkfs.ext4 -q -F -E lazy_itable_init=1,nodiscard "$1"
}
fio_verified() { # FILE SIZE: writes at random, in blocks of many sizes, and reads all of it back against checksums
  check "fio with verify" fio --name=verified --filename="$1" --size="$2" --rw=randwrite --bsrange=4k-128k --blockalign=4k \
    --ioengine=libaio --direct=1 --iodepth=16 --verify=crc32c --do_verify=1 --verify_fatal=1 --output=/out/fio.txt
}
drop_caches() { sync; echo 3 >/proc/sys/vm/drop_caches; }

# A writer that goes on through everything: file after file, each synced before its checksum is noted in /run/vm/synced.
writer_start() { # DIRECTORY
  rm -f /run/vm/stop
  : >/run/vm/synced
  (
    n=0
    until [ -e /run/vm/stop ]; do
      n=$((n + 1))
      seq $n $((n + 2000)) >/run/vm/piece
      dd if=/run/vm/piece of="$1/piece$((n % 200))" bs=4k conv=fsync status=none || { echo "piece $n" >/run/vm/writer-failed; exit 1; }
      echo "$n $(sha256sum </run/vm/piece)" >>/run/vm/synced
    done
  ) &
  writer=$!
}
pieces() { wc -l </run/vm/synced; }
wait_progress() { # WHAT: the writer gets further
  local from
  from=$(pieces)
  wait_for 30 "writing $1" eval "[ -e /run/vm/writer-failed ] || [ \$(pieces) -gt $((from + 3)) ]"
  [ ! -e /run/vm/writer-failed ] || fail "writing $1: $(cat /run/vm/writer-failed)"
}
writer_stop() {
  touch /run/vm/stop
  wait "$writer" || fail "the writer: $(cat /run/vm/writer-failed)"
}
check_pieces() { # DIRECTORY: all that was noted as synced is there
  local n sum
  drop_caches
  while read -r n sum; do
    check_equal "piece $n" "$sum" "$(sha256sum <"$1/piece$((n % 200))")"
  done < <(tail -n 199 /run/vm/synced)
  say "$(pieces) pieces written, the last $(tail -n 199 /run/vm/synced | wc -l) compared"
}
