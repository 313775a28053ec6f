#!/bin/bash
# program_test.sh BIN_DIR: uscst-initiator as a user runs it, against the target in memory: what it prints, exit codes.
set -euo pipefail
bin=$1 work=$(mktemp -d) port=$((20000 + RANDOM % 20000))
"$bin/perf_memory_target" $port $((8 << 20)) & target=$!
trap 'kill $target 2>/dev/null || true; rm -rf "$work"' EXIT
for _ in $(seq 100); do (exec 3<>/dev/tcp/127.0.0.1/$port) 2>/dev/null && break; sleep 0.05; done

fail() { echo "FAILED: $*" >&2; cat "$work/out" "$work/err" >&2; exit 1; }
expect() { # exit-code text-of-output-or-error command...
  local wanted=$1 text=$2 code=0; shift 2
  "$bin/uscst-initiator" "$@" >"$work/out" 2>"$work/err" || code=$?
  [ "$code" = "$wanted" ] || fail "exit $code, not $wanted: $*"
  grep -qF -- "$text" "$work/out" "$work/err" || fail "no '$text': $*"
}
to=(--dest 127.0.0.1:$port --id-ext 11 --ioc-guid 0x22)

expect 0 'Exit codes' --help
expect 0 '16384 blocks of 512 bytes' discover "${to[@]}" --channels 3
expect 0 '"credits": 128' discover "${to[@]}" --json
expect 0 'MEMORY' inquiry "${to[@]}"
expect 0 '"bytes": 8388608' capacity "${to[@]}" --json
expect 0 'LUN     0' luns "${to[@]}" --source 127.0.0.2
expect 0 '10000 blocks of 512 bytes verified' verify "${to[@]}" --blocks 10000 --lba 100 --seed 9 --channels 2
expect 0 'verified' verify "${to[@]}" --blocks 10000 --lba 100 --seed 9 --read-only --crc
expect 7 'written with seed 9, not 10' verify "${to[@]}" --blocks 10 --lba 100 --seed 10 --read-only
head -c 100000 /dev/urandom >"$work/a"
expect 0 '196 blocks of 512 bytes written' write "${to[@]}" --lba 5 --file "$work/a" --descriptors 3
expect 0 'read' read "${to[@]}" --lba 5 --blocks 196 --file "$work/b" --no-immediate
cmp -n 100000 "$work/a" "$work/b" || fail 'other bytes came back'
expect 0 'IOPS' bench "${to[@]}" --seconds 0.2 --queue-depth 8 --read-percent 50 --size 1m
expect 0 'function complete' reset "${to[@]}"
expect 0 'GOOD, residual 0' raw "${to[@]}" --cdb 000000000000
expect 0 'holding the session' hold "${to[@]}" --hold 0.1
printf 'capacity 0\nread 0 8 8\nwrite 0 16380 4\nread 0 16380 5\nread 0\nreset 0\n' >"$work/lines"
"$bin/uscst-initiator" hold "${to[@]}" --commands --channels 2 <"$work/lines" >"$work/out" 2>"$work/err" || fail 'hold --commands'
[ "$(cut -d' ' -f1 "$work/out" | tr '\n' ' ')" = 'ok ok ok ok error error error ' ] || fail 'answers to lines'
grep -qx 'ok 16384 512' "$work/out" || fail 'no capacity'
expect 2 'at most 16 hexadecimal' luns --dest x:1 --id-ext zz --ioc-guid 1
expect 2 'required' luns --dest 127.0.0.1:1
expect 2 '--dest or --local is required' luns
expect 2 'exclude each other' luns "${to[@]}" --local t
expect 2 'one channel' luns --local t --channels 2
expect 2 '4 MiB' --local t verify --transfer-size 8m
expect 3 'No such file' --control "$work/none.sock" --local t/s luns
expect 2 'beyond the disk' read "${to[@]}" --lba 16380 --blocks 5 --file "$work/c"
expect 3 'Connection refused' luns --dest 127.0.0.1:1 --id-ext 11 --ioc-guid 22
expect 4 'wrong id_ext or ioc_guid' discover --dest 127.0.0.1:$port
expect 5 'invalid command operation code (5/20/00)' raw "${to[@]}" --cdb ff0000000000
expect 8 'No such file' write "${to[@]}" --file "$work/none/a"
echo "all as expected"
