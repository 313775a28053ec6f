#!/bin/bash
# guest-init.sh — runs the job in the guest and turns it off (see boot.sh). As pid 1 it makes the mounts that systemd would make.
export PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin HOME=/root LANG=C.UTF-8
if [ "${1:-}" != service ]; then
  for n in "fd fd" "stdin fd/0" "stdout fd/1" "stderr fd/2"; do ln -s "/proc/self/${n#* }" "/dev/${n% *}"; done
  mkdir -p /dev/pts /dev/shm
  mount -t devpts devpts /dev/pts
  mount -t tmpfs tmpfs /dev/shm
  mount -t cgroup2 cgroup2 /sys/fs/cgroup
  modprobe -q configfs
  mount -t configfs configfs /sys/kernel/config
  mount -t debugfs debugfs /sys/kernel/debug
  hostname uscst-vm
  ip link set lo up
fi
/run/vm/job
echo $? >/out/status
sync
# The overlay's changes live in memory: there is nothing to shut down orderly.
busybox poweroff -f
sleep 60
