#!/bin/busybox sh
# shellcheck shell=dash disable=SC2050
# initial-ramdisk.sh — pid 1 of the guest until its root is there (see boot.sh, which fills in the @WORDS@): this machine's / over
# 9p below, memory above, then hands over to guest-init or to systemd.
b=/bin/busybox
$b mount -t proc proc /proc
$b mount -t sysfs sysfs /sys
$b mount -t devtmpfs dev /dev
for module in $($b cat /modules/order); do $b insmod "/modules/$module" || echo "insmod $module failed"; done
$b mount -t 9p -o ro,trans=virtio,version=9p2000.L,msize=512000,cache=loose host /host
$b mount -t tmpfs -o size=80% tmpfs /memory
$b mkdir /memory/upper /memory/work
$b mount -t overlay -o lowerdir=/host,upperdir=/memory/upper,workdir=/memory/work overlay /root
for d in out lib/modules run tmp; do $b mkdir -p "/root/$d"; done
$b mount -t 9p -o rw,trans=virtio,version=9p2000.L,msize=512000 out /root/out
$b mount --bind "/root@KERNEL@/lib/modules" /root/lib/modules
$b mount -t tmpfs tmpfs /root/run
$b mkdir -p /root/run/vm
$b cp /job /guest-init /root/run/vm/
for d in proc sys dev; do $b mount --move /$d /root/$d; done
if [ @INIT@ = systemd ]; then
  # A system that is up, but with none of this machine's own services and file systems, and no container.
  : >/root/etc/fstab
  $b rm -rf /root/etc/systemd/system /root/.dockerenv /root/usr/lib/tmpfiles.d/tmp.conf
  $b mkdir -p /root/run/systemd/system /root/etc/systemd/system
  units=/root/run/systemd/system
  printf '[Unit]\nRequires=basic.target uscst-vm.service\nAfter=basic.target\nAllowIsolate=yes\n' >$units/uscst-vm.target
  printf '[Unit]\nAfter=basic.target\n[Service]\nType=oneshot\nEnvironment=HOME=/root\nStandardOutput=tty\nStandardError=tty\nTTYPath=/dev/console\nExecStart=/run/vm/guest-init service\n' \
    >$units/uscst-vm.service
  exec $b switch_root /root /lib/systemd/systemd --unit=uscst-vm.target --show-status=no
fi
exec $b switch_root /root /bin/bash /run/vm/guest-init
