# shellcheck shell=bash disable=SC2034,SC2154
# target-lib.sh — the target's side of the jobs in the guest: uscstd, its configuration, its tree. Sourced after guest-lib.sh.
kTarget=5553:4353:5400:0000:0000:0000:0000:0000
kTargetDir=$kTree/targets/ib_srpt/$kTarget
kDisks=/var/uscst-vm

install_uscst() { # BIN CHECKOUT: what an administrator's machine has, from the build
  local program
  for program in uscstd uscst-initiator scstadmin; do
    [ -x "$1/$program" ] || fail "no $1/$program"
    ln -sf "$1/$program" "/usr/sbin/$program"
  done
  install -m 755 "$2/init.d/scst" /etc/init.d/scst || fail "no init.d/scst"
  sed 's,@USCST_SYSCONFDIR@,/etc,; s,@USCST_SBINDIR@,/usr/sbin,' "$2/init.d/scst.service.in" >/etc/systemd/system/scst.service ||
    fail "no init.d/scst.service.in"
  echo "options ib_srpt rdma_cm_port=$kPort" >/etc/modprobe.d/scst.conf
  echo "SCST_DAEMON_OPTIONS=\"--target $kTarget\"" >/etc/default/scst
  mkdir -p $kDisks /var/lib/scst
  modprobe -a fuse loop
}
write_config() { # /etc/scst.conf with the disks one, two, and more of different sizes
  local n=0 name
  for name in one two more; do
    n=$((n + 1))
    [ -e "$kDisks/$name" ] || truncate -s $((48 + n * 16))M "$kDisks/$name"
  done
  cat >/etc/scst.conf <<END
HANDLER vdisk_fileio {
	DEVICE one {
		filename $kDisks/one
	}
	DEVICE two {
		filename $kDisks/two
	}
}
TARGET_DRIVER ib_srpt {
	TARGET $kTarget {
		LUN 7 two

		GROUP first {
			LUN 0 one
			INITIATOR $(initiator_address 1)
		}
		GROUP second {
			LUN 0 two
			INITIATOR 10.71.2.*
		}
		enabled 1
	}
}
END
}
configure() { check "scstadmin -config" scstadmin -config /etc/scst.conf; }

# The daemon without a script around it, as a developer starts it; its messages go to kLogFile.
start_daemon() {
  mkfifo -m 600 /run/vm/ready 2>/dev/null
  uscstd --foreground --target "$kTarget" --module-option "ib_srpt rdma_cm_port=$kPort" --ready-fd 3 3<>/run/vm/ready >>"$kLogFile" 2>&1 &
  daemon=$!
  read -r -t 150 _ <>/run/vm/ready || fail "uscstd did not say that it is ready"
  check "uscstd runs" kill -0 "$daemon"
  check "the tree answers" cat $kTree/version
}
stop_daemon() {
  kill -TERM "$daemon"
  wait_for 30 "uscstd to end" eval "! kill -0 $daemon"
  wait "$daemon" || fail "uscstd ended with $?"
  check_not "the tree is gone" test -e $kTree
}
# What it logs when it runs in the background.
collect_syslog() { busybox syslogd -O "$kLogFile"; }
daemon_pid() { pgrep -x uscstd | head -1; }
scst() { # start, stop, ...
  /etc/init.d/scst "$@" >>"$kLogFile" 2>&1 </dev/null || fail "init.d/scst $*: $?"
}

attribute() { head -n 1 "$1"; }
manage() { # FILE COMMAND: one write to a file of the tree
  printf '%s' "$2" >"$1" || fail "'$2' to $1"
}
sessions_of() { # INITIATOR: names on one line
  (cd "$kTargetDir/sessions" && ls -d "$(initiator_address "$1")"* 2>/dev/null | sort | xargs)
}
four_sessions() { local a; a=$(initiator_address "$1"); echo "$a ${a}_1 ${a}_2 ${a}_3"; }
has_four_sessions() { [ "$(sessions_of "$1")" = "$(four_sessions "$1")" ]; }
has_no_sessions_of() { [ -z "$(sessions_of "$1")" ]; }
has_no_sessions() { [ -z "$(ls "$kTargetDir/sessions")" ]; }
mounts() { grep -v ' /run/credentials/' /proc/self/mountinfo; }
times_mounted() { grep -c " $kTree " /proc/self/mountinfo; }
