#!/bin/bash
# The completion of scstadmin on a small tree: completion_test.sh SCSTADMIN COMPLETION
set -u
scstadmin=$1
root=$(mktemp -d)
trap 'rm -rf "$root"' EXIT
mkdir -p "$root"/{devices/{disk1,disk2,other},handlers/vdisk_fileio,targets/ib_srpt/fe80:1/{luns/{0,7},ini_groups/hosts/luns/3}}
touch "$root/targets/ib_srpt/fe80:1/luns/mgmt"
export SCST_SYSFS=$root
# shellcheck disable=SC1090
source "$2"
failed=0

expect() {
  local wanted=$1
  shift
  COMP_WORDS=("$scstadmin" "$@") COMP_CWORD=$# COMPREPLY=()
  _scstadmin
  [[ ${COMPREPLY[*]} == "$wanted" ]] || { echo "$*: '${COMPREPLY[*]}' instead of '$wanted'"; failed=1; }
}

expect '-config -check_config -clear_config -close_dev -clear_inits -clear_luns -cont_on_err' -c
expect '-plan' -pl
expect 'disk1 disk2' -list_device disk
expect 'fe80:1' -driver ib_srpt -target ''
expect '0 7' -driver ib_srpt -target fe80:1 -rem_lun ''
expect '3' -driver ib_srpt -target fe80:1 -group hosts -rem_lun ''
exit $failed
