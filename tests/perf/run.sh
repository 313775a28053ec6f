#!/bin/bash
# run.sh — prints the performance table of docs/reference/performance.md.
#
#   run.sh [--bin DIR] [--uscstd FILE] [--memory-target] [--seconds N] [--runs N] [--quick] [--no-tgt] [--output FILE]
#
# Every row: one load on one disk (nullio, fileio on tmpfs), CRC on or off, both ends on one processor or on two. Beside it
# the raw limit: request and reply over loopback TCP with the same connections, depth, bytes each way and pinning, by a
# program on the same reactor (perf_tcp_limit). Runs of the two alternate; the best of each counts; the ratio is
# theirs. Then Debian's tgt (iSCSI, the same tmpfs) driven by libiscsi's iscsi-perf, where both are installed.
#
# --memory-target measures perf_memory_target, a target without an engine, instead of uscstd. --quick: one second, one
# run, a few rows; it only shows that everything works. Needs no root except for FUSE mounts of uscstd.
set -euo pipefail

bin=build/release/bin uscstd='' seconds=2 runs=5 quick=0 tgt=1 output=/dev/stdout memory=0
while [ $# -gt 0 ]; do
  case $1 in
    --bin) bin=$2; shift ;;
    --uscstd) uscstd=$2; shift ;;
    --seconds) seconds=$2; shift ;;
    --runs) runs=$2; shift ;;
    --output) output=$2; shift ;;
    --quick) quick=1 seconds=1 runs=1 ;;
    --no-tgt) tgt=0 ;;
    --memory-target) memory=1 ;;
    *) echo "$0: unknown option $1" >&2; exit 2 ;;
  esac
  shift
done
: "${uscstd:=$bin/uscstd}"
initiator=$bin/uscst-initiator raw=$bin/perf_tcp_limit
for program in "$initiator" "$raw"; do [ -x "$program" ] || { echo "$program: not built" >&2; exit 2; }; done

tgt_runs=0 port=${USCST_PERF_PORT:-$((20000 + RANDOM % 20000))}
work=$(mktemp -d)
disk=$(mktemp /dev/shm/uscst-perf-XXXXXX)
disk_mb=256 control=$((port % 32000))  # names the socket that tgtadm uses
target_pid='' raw_pid='' tgt_pid='' server_cpu=0 client_cpu=1 cpus=()

end_process() { [ -z "$1" ] || { kill "$1" 2>/dev/null || true; wait "$1" 2>/dev/null || true; }; }
# tgtd does not mind signals while it has a target.
end_tgt() { [ -z "$tgt_pid" ] || { kill -9 "$tgt_pid" 2>/dev/null || true; wait "$tgt_pid" 2>/dev/null || true; }; tgt_pid=''; }
clean() {
  end_process "$raw_pid"; end_process "$target_pid"; end_tgt
  mountpoint -q "$work/tree" 2>/dev/null && umount -l "$work/tree"
  rm -rf "$work" "$disk"
}
trap clean EXIT
fail() { echo "run.sh: $*" >&2; [ -s "$work/log" ] && tail -20 "$work/log" >&2; exit 1; }

# The processors that may be used, as the kernel lists them: "0-3,8".
allowed_cpus() {
  local part
  for part in $(awk '/^Cpus_allowed_list/ { gsub(",", " ", $2); print $2 }' /proc/self/status | tr ',' ' '); do
    seq "${part%-*}" "${part#*-}"
  done
}
mapfile -t cpus < <(allowed_cpus)

wait_for_port() {
  for _ in $(seq 100); do
    (exec 3<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null && return
    sleep 0.1
  done
  fail "nothing listens on port $1"
}

# --- the targets -----------------------------------------------------------------------------------------------------

start_memory_target() {
  taskset -c "$server_cpu" "$bin/perf_memory_target" "$port" $((disk_mb << 20)) >"$work/log" 2>&1 &
  target_pid=$!
  wait_for_port "$port"
  ids=(--id-ext 11 --ioc-guid 22)
}

start_uscstd() {
  [ -x "$uscstd" ] || fail "$uscstd: not built"
  mkdir -p "$work/tree" "$work/state"
  mkfifo "$work/ready" 2>/dev/null || true
  taskset -c "$server_cpu" "$uscstd" --foreground --sysfs "$work/tree" --state "$work/state" --fabric iwarp \
    --pid-file "$work/pid" --listen "127.0.0.1:$port" --target "perf=127.0.0.1:$port" --ready-fd 3 \
    3>"$work/ready" >"$work/log" 2>&1 &
  target_pid=$!
  read -r -t 30 _ <"$work/ready" || fail "uscstd did not become ready"
  truncate -s ${disk_mb}M "$disk"
  local tree=$work/tree target=$work/tree/targets/ib_srpt/perf
  echo "add_device nullio size_mb=$disk_mb" >"$tree/handlers/vdisk_nullio/mgmt" || fail "add_device nullio"
  echo "add_device fileio filename=$disk" >"$tree/handlers/vdisk_fileio/mgmt" || fail "add_device fileio"
  echo "add nullio 0" >"$target/luns/mgmt" || fail "add LUN 0"
  echo "add fileio 1" >"$target/luns/mgmt" || fail "add LUN 1"
  echo 1 >"$target/enabled" || fail "enable"
  [ ! -e "$tree/targets/ib_srpt/enabled" ] || echo 1 >"$tree/targets/ib_srpt/enabled" || fail "enable the driver"
  local info
  info=$(head -n 1 "$target/login_info")
  ids=(--id-ext "$(sed 's/^tid_ext=\([^,]*\).*/\1/' <<<"$info")" --ioc-guid "$(sed 's/.*ioc_guid=\([^,]*\).*/\1/' <<<"$info")")
  # A file of holes would be read without touching memory.
  "$initiator" verify --dest "127.0.0.1:$port" "${ids[@]}" --lun 1 --write-only >/dev/null || fail "filling the disk"
}

start_target() { if [ "$memory" = 1 ]; then start_memory_target; else start_uscstd; fi; }
stop_target() { end_process "$target_pid"; target_pid=''; }

# --- one measurement -------------------------------------------------------------------------------------------------

# Bytes of a command on the wire, both ways: an SRP_CMD of 64 bytes (68 with immediate data), an SRP_RSP of 36, 24 bytes
# around a Send, 20 around each FPDU of at most 64000 bytes of data, 52 for an RDMA Read request.
wire_bytes() { # size write?
  local size=$1 frames=$((($1 + 63999) / 64000))
  if [ "$2" = 0 ]; then echo 88 $((size + 20 * frames + 60))
  elif [ "$size" -le 8192 ]; then echo $((92 + size)) 60
  else echo $((88 + size + 20 * frames)) 112; fi
}

measure_raw() { # request reply channels depth -> operations per second
  taskset -c "$server_cpu" "$raw" server $((port + 1)) "$1" "$2" &
  raw_pid=$!
  wait_for_port $((port + 1))
  taskset -c "$client_cpu" "$raw" client $((port + 1)) "$1" "$2" "$3" "$4" "$seconds"
  end_process "$raw_pid" >&2; raw_pid=''
}

measure_target() { # lun size write? channels depth order crc -> operations per second
  local options=(--lun "$1" --block-size "$2" --read-percent $((100 - 100 * $3)) --channels "$4" --queue-depth "$5" "$6")
  [ "$7" = off ] || options+=(--crc)
  taskset -c "$client_cpu" "$initiator" bench --json --dest "127.0.0.1:$port" "${ids[@]}" "${options[@]}" \
    --seconds "$seconds" >"$work/bench.json" || fail "bench ${options[*]}"
  sed -n 's/^ *"iops": \([0-9.]*\).*/\1/p' "$work/bench.json"
}

better() { awk -v a="$1" -v b="$2" 'BEGIN { print (a > b) ? a : b }'; }

row() { # title lun size write? channels depth order crc
  local title=$1 lun=$2 size=$3 write=$4 channels=$5 depth=$6 order=$7 crc=$8 best=0 limit=0 request reply
  read -r request reply < <(wire_bytes "$size" "$write")
  for _ in $(seq "$runs"); do
    measure_raw "$request" "$reply" "$channels" "$depth" >"$work/raw"
    limit=$(better "$limit" "$(cat "$work/raw")")
    best=$(better "$best" "$(measure_target "$lun" "$size" "$write" "$channels" "$depth" "$order" "$crc")")
  done
  awk -v t="$title" -v d="$disk_name" -v p="$pinning" -v c="$crc" -v o="$best" -v l="$limit" -v s="$size" 'BEGIN {
    printf "| %s | %s | %s | %s | %.0f | %.1f | %.0f | %.2f |\n", d, t, p, c, o, o * s / 1e6, l, o / l }' >>"$work/table"
  tail -n 1 "$work/table" >&2
}

rows_of_disk() { # name lun
  disk_name=$1
  local crc
  for crc in off on; do
    row "4 KiB random read, 1 x 1" "$2" 4096 0 1 1 --random $crc
    [ "$quick" = 1 ] && [ "$crc" = on ] && continue
    row "4 KiB random write, 1 x 1" "$2" 4096 1 1 1 --random $crc
    row "4 KiB random read, 32 x 4" "$2" 4096 0 4 32 --random $crc
    row "4 KiB random write, 32 x 4" "$2" 4096 1 4 32 --random $crc
    row "128 KiB sequential read, 8 x 1" "$2" 131072 0 1 8 --sequential $crc
    row "128 KiB sequential write, 8 x 1" "$2" 131072 1 1 8 --sequential $crc
  done
}

rows_of_pinning() { # one|two
  pinning=$1
  server_cpu=${cpus[0]} client_cpu=${cpus[0]}
  [ "$pinning" = one ] || client_cpu=${cpus[1]}
  start_target
  if [ "$memory" = 1 ]; then
    rows_of_disk memory 0
  else
    rows_of_disk nullio 0
    [ "$quick" = 1 ] || rows_of_disk fileio 1
  fi
  stop_target
}

# --- Debian's tgt ----------------------------------------------------------------------------------------------------

tgt_admin() { tgtadm -C "$control" --lld iscsi "$@"; }

tgt_row() { # title blocks depth order
  local best=0 result
  for _ in $(seq "$runs"); do
    result=$(taskset -c "$client_cpu" iscsi-perf -b "$2" -m "$3" $4 -t "$seconds" "iscsi://127.0.0.1:$((port + 2 + tgt_runs))/iqn.2026-01.org.uscst:perf/1" |
      tr '\r' '\n' | sed -n 's/^iops average \([0-9]*\).*/\1/p' | tail -n 1)
    best=$(better "$best" "${result:-0}")
  done
  awk -v t="$1" -v p="$pinning" -v o="$best" -v s=$(($2 * 512)) 'BEGIN {
    printf "| %s | %s | %.0f | %.1f |\n", t, p, o, o * s / 1e6 }' >>"$work/tgt"
  tail -n 1 "$work/tgt" >&2
}

tgt_rows() { # one|two; depth is per connection and iscsi-perf has one: 128 stands beside 32 x 4
  pinning=$1 tgt_runs=$((tgt_runs + 1))  # another port: the last one's connections linger
  server_cpu=${cpus[0]} client_cpu=${cpus[0]}
  [ "$pinning" = one ] || client_cpu=${cpus[1]}
  taskset -c "$server_cpu" tgtd -f -C "$control" --iscsi "portal=127.0.0.1:$((port + 2 + tgt_runs))" >"$work/log" 2>&1 &
  tgt_pid=$!
  wait_for_port $((port + 2 + tgt_runs))
  truncate -s ${disk_mb}M "$disk"
  tgt_admin --op new --mode target --tid 1 -T iqn.2026-01.org.uscst:perf
  tgt_admin --op new --mode logicalunit --tid 1 --lun 1 -b "$disk"
  tgt_admin --op bind --mode target --tid 1 -I ALL
  tgt_row "4 KiB random read, 1" 8 1 -r
  tgt_row "4 KiB random read, 128" 8 128 -r
  tgt_row "128 KiB sequential read, 8" 256 8 ''
  end_tgt
}

# --- the table -------------------------------------------------------------------------------------------------------

{
  echo "| disk | load (depth x channels) | processors | CRC | operations/s | MB/s | raw TCP operations/s | ratio |"
  echo "|---|---|---|---|---|---|---|---|"
} >"$work/table"
pinnings=(one two)
[ "${#cpus[@]}" -ge 2 ] || pinnings=(one)
for pinning in "${pinnings[@]}"; do rows_of_pinning "$pinning"; done
if [ "$tgt" = 1 ] && command -v tgtd >/dev/null && command -v iscsi-perf >/dev/null; then
  printf '\n| tgt: load (depth) | processors | operations/s | MB/s |\n|---|---|---|---|\n' >"$work/tgt"
  for pinning in "${pinnings[@]}"; do tgt_rows "$pinning"; done
  cat "$work/tgt" >>"$work/table"
fi
{
  echo "$(sed -n 's/^model name[^:]*: //p' /proc/cpuinfo | head -n 1), ${#cpus[@]} processors, Linux $(uname -r);" \
    "best of $runs runs of $seconds s each, $(date -u +%F)"
  echo
  cat "$work/table"
} >"$output"
