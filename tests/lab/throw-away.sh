#!/bin/sh
# Turns the namespaces it is started in into a throw-away copy of this machine, says "ready" and stays
# until its standard input closes. Called by ThrowAwayHost:
#
#   unshare --net --mount --uts --ipc --pid --fork sh throw-away.sh SCRATCH [copy:DIRECTORY | keep:DIRECTORY]...
#
# SCRATCH is an empty directory. A `copy` is a further file system of the machine: what is written there is
# thrown away too. A `keep` is a directory that is seen as it is, read-only.
set -eu

over() { # over DIRECTORY NAME: shows a copy of the directory, whose changes stay in memory
    mkdir -p "$scratch/changes/$2" "$scratch/overlaid/$2"
    mount -t overlay overlay "$root$1" \
        -o "lowerdir=$1,upperdir=$scratch/changes/$2,workdir=$scratch/overlaid/$2,redirect_dir=on"
}

keep() { # keep DIRECTORY
    mkdir -p "$root$1"
    mount --bind "$1" "$root$1"
    mount -o remount,bind,ro "$root$1"
}

file_systems() {
    count=0
    over / root
    for argument; do
        count=$((count + 1))
        case $argument in copy:*) over "${argument#copy:}" "$count" ;; esac
    done
    mount -t proc proc "$root/proc"
    mount --rbind /sys "$root/sys"
    mount -o remount,bind,ro "$root/sys"
    mount --rbind /dev "$root/dev"
    mount -t tmpfs tmpfs "$root/dev/shm"
    mount -t tmpfs -o mode=0755 tmpfs "$root/run"
    mount -t tmpfs -o mode=1777 tmpfs "$root/tmp"
    mkdir "$root/run/lock" "$root/run/machine"
    for argument; do
        case $argument in keep:*) keep "${argument#keep:}" ;; esac
    done
}

network() {
    ip link set lo up
    ip address add 198.18.0.10/32 dev lo
    ip address add fd10::10/128 dev lo
    hostname matrix
    # The machine's own file may be a link, or a mount.
    rm -f /etc/resolv.conf /etc/hosts
    echo 'nameserver 127.0.0.1' >/etc/resolv.conf
    printf '127.0.0.1 localhost\n::1 localhost ip6-localhost ip6-loopback\n' >/etc/hosts
}

main() {
    scratch=$1
    root=$scratch/root
    shift
    mount -t tmpfs tmpfs "$scratch"
    mkdir "$root"
    file_systems "$@"
    cd "$root"
    pivot_root . run/machine
    umount -l /run/machine
    rmdir /run/machine
    network
    # A developer's own installation is not part of a fresh host.
    rm -rf /etc/palpo-installer /var/lib/palpo-installer /var/log/palpo-installer
    echo ready
    # An ignored SIGCHLD lets the kernel bury orphans: process 1 of these namespaces is a mere cat.
    exec env --ignore-signal=CHLD cat
}

main "$@"
