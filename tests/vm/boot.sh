#!/bin/bash
# boot.sh — boot Debian's kernel in qemu and run one script in it as root.
#
#   boot.sh [-i script|systemd] [-t SECONDS] [-o DIR] [-c CPUS] [-m MEGABYTES] SCRIPT [ARGUMENT...]
#
# The guest's root is an overlay: below it this machine's / (9p, read-only), above it memory. So every file of this machine, this
# checkout and its build among them, is where it is here, and nothing the guest does reaches it, but for /out: what SCRIPT
# writes there is in DIR afterwards (by default it is thrown away).
#   -i script   SCRIPT is the child of a pid 1 that does nothing else (default)
#   -i systemd  systemd is pid 1; SCRIPT runs as a service once the system is up
# Environment: USCST_VM_ACCEL=tcg (software emulation, the default) or kvm; USCST_CACHE as in kernel.sh.
# Exit status: SCRIPT's; 124 the time was up; 125 the guest ended without one; 77 this machine cannot (the reason is printed).
# Nothing stays behind: qemu dies with this script, however it ends.
set -euo pipefail
here=$(dirname "$(realpath "$0")")
init=script limit=900 out='' cpus=2 memory=2048
say() { printf 'boot.sh: %s\n' "$*" >&2; }
while getopts i:t:o:c:m: option; do
  case $option in
    i) init=$OPTARG ;; t) limit=$OPTARG ;; o) out=$OPTARG ;; c) cpus=$OPTARG ;; m) memory=$OPTARG ;;
    *) exit 2 ;;
  esac
done
shift $((OPTIND - 1))
[ $# -gt 0 ] && [[ $init = script || $init = systemd ]] || { sed -n '2,4p' "$0" >&2; exit 2; }
for tool in qemu-system-x86_64 busybox cpio depmod setpriv; do
  command -v "$tool" >/dev/null || { say "skipped: no $tool on this machine (tests/vm/packages.txt)"; exit 77; }
done

kernel=$("$here/kernel.sh") || exit
version=$(cat "$kernel/version")
work=$(mktemp -d)
qemu=''
finish() {
  [ -z "$qemu" ] || kill "$qemu" 2>/dev/null || true
  rm -rf "$work"
}
trap finish EXIT
trap 'exit 143' TERM INT HUP
keep=$out
out=$(realpath "${out:-$(mktemp -d "$work/out.XXXX")}")
mkdir -p "$out"
rm -f "$out/status"

# The initial ramdisk: busybox, the modules that the root needs, the job.
ramdisk() {
  local root=$work/ramdisk module
  mkdir -p "$root"/{bin,dev,proc,sys,modules,host,memory,root}
  cp "$(command -v busybox)" "$root/bin/busybox"
  for module in virtio_pci 9pnet_virtio 9p overlay; do
    modprobe -d "$kernel" -S "$version" --show-depends "$module"
  done | sed -n 's/^insmod //p' | while read -r module _; do
    module=$(basename "$module")
    grep -qsx "$module" "$root/modules/order" || echo "$module" >>"$root/modules/order"
    find "$kernel/lib/modules/$version" -name "$module" -exec cp {} "$root/modules/" \;
  done
  sed "s|@KERNEL@|$kernel|; s|@INIT@|$init|" "$here/initial-ramdisk.sh" >"$root/init"
  { echo '#!/bin/bash'; printf 'cd %q\nexec' "$PWD"; printf ' %q' "$(realpath "$1")" "${@:2}"; echo; } >"$root/job"
  cp "$here/guest-init.sh" "$root/guest-init"
  chmod +x "$root"/{init,job,guest-init}
  (cd "$root" && find . | cpio -o -H newc --quiet) >"$work/ramdisk.cpio"
}

accelerate() { # qemu's arguments for the processor
  case ${USCST_VM_ACCEL:-tcg} in
    tcg) echo -accel tcg,thread=multi -cpu max ;;
    kvm) echo -accel kvm -cpu host ;;
    *) say "USCST_VM_ACCEL=$USCST_VM_ACCEL is neither tcg nor kvm"; return 2 ;;
  esac
}

ramdisk "$@"
processor=$(accelerate)
# The parent's death is the guest's: setpriv tells timeout, timeout tells qemu.
# shellcheck disable=SC2086
setpriv --pdeathsig TERM timeout -k 5 "$limit" qemu-system-x86_64 $processor -machine q35 -smp "$cpus" -m "$memory" \
  -nodefaults -display none -serial stdio -no-reboot \
  -kernel "$kernel/boot/vmlinuz-$version" -initrd "$work/ramdisk.cpio" \
  -append "console=ttyS0 panic=-1 quiet loglevel=3 mitigations=off" \
  -virtfs "local,path=/,mount_tag=host,security_model=none,readonly=on,multidevs=remap" \
  -virtfs "local,path=$out,mount_tag=out,security_model=none" </dev/null &
qemu=$!
ended=0
wait "$qemu" || ended=$?
qemu=''

[ $ended != 124 ] && [ $ended != 137 ] || { say "the time of $limit s was up; what there is of /out: ${keep:-nothing kept}"; exit 124; }
[ -s "$out/status" ] || { say "the guest ended without a status (qemu: $ended)"; exit 125; }
exit "$(cat "$out/status")"
