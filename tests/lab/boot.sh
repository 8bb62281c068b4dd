#!/bin/sh
# Boots a Debian tree below the layers given, as a container of the throw-away host it is started in.
# Called by BootedHost:
#
#   sh boot.sh LAYER:LAYER... CONTROL-GROUP... -- OPTION-OF-SYSTEMD-NSPAWN...
set -eu

mount_root() { # what a boot writes outlives a reboot, but not the throw-away host
    [ ! -d /run/booted ] || return 0
    mkdir /run/booted
    mount -t tmpfs tmpfs /run/booted
    mkdir /run/booted/changes /run/booted/work /run/booted/root
    mount -t overlay overlay /run/booted/root \
        -o "lowerdir=$1,upperdir=/run/booted/changes,workdir=/run/booted/work,redirect_dir=on"
}

main() {
    mount_root "$1"
    shift
    while [ "$1" != -- ]; do
        echo 0 >"$1/cgroup.procs"
        shift
    done
    shift
    exec systemd-nspawn --quiet --register=no --keep-unit --resolv-conf=off --timezone=off --link-journal=no \
        --directory=/run/booted/root --machine=matrix "$@" --boot
}

main "$@"
