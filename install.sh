#!/bin/sh
# Installs palpo-installer, or a newer one in its place, and starts it.
#
#   sh install.sh                          from a checkout, or a downloaded one of a release
#   curl -fsSL ADDRESS/install.sh | sh     as root
#   wget -qO- ADDRESS/install.sh | sh
#
# All of it is one group, from here to the brace at the end: a download that broke off is a syntax error, and
# nothing of it runs.
{
set -u
umask 022

# A release writes these two: where it is served, and the SHA-256 and name of each bundle. Empty in a checkout.
RELEASED_AT=''
BUNDLES=''
URL=${PALPO_INSTALLER_URL:-$RELEASED_AT}
URL=${URL%/}

PREFIX=${PALPO_INSTALLER_PREFIX:-/opt/palpo-installer}
BIN=${PALPO_INSTALLER_BIN:-/usr/local/bin}
# What pip installs: a directory, a wheel, a .tar.gz (never a .zip: it loses the links), or the https address of
# one, best with #sha256=... Empty means the checkout around this script, or what the release brings.
SOURCE=${PALPO_INSTALLER_SOURCE:-}
UNITS=/etc/systemd/system

usage() {
    cat <<'USAGE'
Usage: install.sh [OPTION]... [-- ARGUMENT...]

Installs palpo-installer into a virtual environment of its own and starts it, with the arguments.

  --unattended FILE   apply the answers in FILE afterwards, without questions
  --no-run            install only
  --demo              go the whole way on a made-up host in a temporary directory; nothing else is changed
  --with-packages     install a missing Python with the system's package manager, without asking
  --uninstall         take back what it set up, after a review and a question, and remove the program
  --yes               with --uninstall: ask nothing, and stop where something must be taken back first
  -h, --help          this text

Environment:
  PALPO_INSTALLER_URL      where a release is served, if not where it was made for
  PALPO_INSTALLER_SOURCE   directory, wheel, .tar.gz or https address to install from instead
  PALPO_INSTALLER_PREFIX   where to install, /opt/palpo-installer by default
  PALPO_INSTALLER_BIN      where the command goes, /usr/local/bin by default

Exit codes: 0 done, 1 failed and as before, 2 nothing could be done, 4 needs root; then the program's own.
USAGE
}

say() { printf '%s\n' "$*" >&2; }

# fail STATUS TEXT
fail() {
    status=$1
    shift
    say "install.sh: $*"
    exit "$status"
}

need() { command -v "$1" >/dev/null 2>&1 || fail 2 "needs the command $1, which is not there."; }

# The person's terminal, also where standard input is the pipe this script comes through.
terminal() { (: </dev/tty) 2>/dev/null; }

main() {
    for command in cat date dirname env id mkdir readlink rm rmdir tail; do need "$command"; done
    parse "$@"
    [ "$action" != help ] || { usage; return; }
    [ "$action" != demo ] || settle_at_home
    elevate "$@"
    shift "$parsed"
    [ -z "$answers" ] || [ -r "$answers" ] || fail 2 "$answers cannot be read."
    case $action in
        uninstall) uninstall ;;
        *)
            find_source
            check_command
            find_python
            announce
            build
            activate
            watch_over_boots
            hand_over "$@"
            ;;
    esac
}

# Sets action, answers, packages, and in parsed how many arguments were ours.
parse() {
    action=wizard answers='' packages=ask parsed=0 asking=yes
    while [ $# -gt 0 ]; do
        parsed=$((parsed + 1))
        case $1 in
            --unattended)
                [ $# -ge 2 ] || fail 2 "--unattended needs a file of answers."
                action=unattended answers=$2 parsed=$((parsed + 1))
                shift
                ;;
            --no-run) action=install ;;
            --demo) action=demo ;;
            --with-packages) packages=install ;;
            --uninstall) action=uninstall ;;
            --yes) asking='' ;;
            -h | --help) action=help ;;
            --) return ;;
            *) fail 2 "does not know $1; install.sh --help lists what it knows." ;;
        esac
        shift
    done
    [ -n "$asking" ] || [ "$action" = uninstall ] || fail 2 "--yes goes with --uninstall only."
}

# Whether this script lies somewhere, or came through a pipe.
is_a_file() { [ "${0##*/}" = install.sh ] && [ -f "$0" ]; }

# Whether a path, or what must hold it, can be written.
writable() {
    place=$1
    while [ ! -e "$place" ]; do place=$(dirname "$place"); done
    [ -w "$place" ]
}

# The demonstration needs no root: where the usual places cannot be written, the person's own will do.
settle_at_home() {
    if writable "$PREFIX" && writable "$BIN"; then return; fi
    [ -n "${HOME:-}" ] && writable "$HOME" || return 0
    PREFIX=$HOME/.local/share/palpo-installer BIN=$HOME/.local/bin
}

# Goes on as root, where that is needed and this script is a file that can be started again.
elevate() {
    if writable "$PREFIX" && writable "$BIN"; then return; fi
    [ "$(id -u)" -ne 0 ] || fail 1 "$PREFIX or $BIN cannot be written, not even by root."
    is_a_file ||
        fail 4 "writes to $PREFIX and $BIN, so it needs root: curl -fsSL ${URL:-ADDRESS}/install.sh | sudo sh"
    for helper in sudo doas; do
        command -v "$helper" >/dev/null 2>&1 || continue
        say "Writing to $PREFIX and $BIN needs root; asking $helper for it."
        terminal || helper="$helper -n"
        # shellcheck disable=SC2086 # the option is a word of its own
        exec $helper env "PALPO_INSTALLER_PREFIX=$PREFIX" "PALPO_INSTALLER_BIN=$BIN" \
            "PALPO_INSTALLER_SOURCE=$SOURCE" "PALPO_INSTALLER_URL=$URL" sh "$0" "$@"
    done
    fail 4 "writes to $PREFIX and $BIN, so it needs root, and there is neither sudo nor doas: run it as root."
}

# Sets SOURCE, or leaves it empty for what the release brings.
find_source() {
    here='' bundle=''
    ! is_a_file || here=$(cd "$(dirname "$0")" && pwd)
    [ -n "$SOURCE" ] || [ -z "$here" ] || [ ! -f "$here/pyproject.toml" ] || SOURCE=$here
    case $SOURCE in
        '') check_release; return ;;
        https://*) return ;;
        *://*) fail 2 "installs from https addresses only, not from $SOURCE" ;;
    esac
    [ -e "$SOURCE" ] || fail 2 "$SOURCE is not there."
    # Links that became text files build a package with parts missing, without a word.
    [ ! -d "$SOURCE" ] || [ -d "$SOURCE/palpo_installer/screens" ] ||
        fail 2 "the links in $SOURCE are broken; get it by git clone or as .tar.gz, not as .zip."
}

check_release() {
    [ -n "$BUNDLES" ] ||
        fail 2 "does not lie in a checkout and is no release: PALPO_INSTALLER_SOURCE must name what to install."
    case $URL in
        *@*) ;;
        https://* | http://localhost[:/]* | http://127.0.0.1[:/]* | 'http://[::1]'[:/]*) return ;;
    esac
    fail 2 "fetches from https addresses only, or from this machine itself, not from $URL"
}

# A program of that name that is not ours stays.
check_command() {
    [ -e "$BIN/palpo-installer" ] || [ -L "$BIN/palpo-installer" ] || return 0
    is_ours "$BIN/palpo-installer" || fail 2 "$BIN/palpo-installer is there and not from here; move it away first."
}

is_ours() { [ "$(readlink "$1")" = "$PREFIX/current/bin/palpo-installer" ]; }

# Sets python, and in pip how it gets its pip, or in bundle what the release brings for it.
find_python() {
    unserved=''
    choose_python && return
    [ -z "$unserved" ] || fail 2 "this release brings nothing for$unserved. A checkout of the source installs there."
    offer_packages
    choose_python || fail 2 "still finds no Python 3.11 or newer that can make a virtual environment."
}

choose_python() {
    for python in python3.13 python3.12 python3.11 python3 python3.14; do
        ask_python 'import sys; sys.exit(sys.version_info < (3, 11))' || continue
        ask_python 'import venv' || continue
        if [ -z "$SOURCE" ]; then choose_bundle && return; else pip=$(way_to_pip) && return; fi
    done
    return 1
}

# A Python's C interface is named by version, machine and C library; so are the bundles.
choose_bundle() {
    interface=$("$python" -c 'import sysconfig; print(sysconfig.get_config_var("SOABI"))' </dev/null)
    for word in $BUNDLES; do
        case $word in
            *"-$interface.tar.gz") bundle=$word; return ;;
            *) sum=$word ;;
        esac
    done
    unserved="$unserved $interface"
    return 1
}

ask_python() { "$python" -c "$1" </dev/null >/dev/null 2>&1; }

# Prints own (the environment brings it), a wheel of pip (Debian keeps one), or outside (pip of that Python).
way_to_pip() {
    if ask_python 'import ensurepip'; then echo own; return; fi
    for wheel in "${here:-/nowhere}"/pip-*.whl /usr/share/python-wheels/pip-*.whl; do
        if [ -f "$wheel" ]; then echo "$wheel"; return; fi
    done
    # Since 22.3 a pip can install into another environment.
    ask_python 'import pip, sys; sys.exit([int(n) for n in pip.__version__.split(".")[:2]] < [22, 3])' && echo outside
}

# Prints the command that brings a Python with venv, nothing where we do not know the package manager.
packages_command() {
    if command -v apt-get >/dev/null 2>&1; then echo 'apt-get update && apt-get install -y python3-venv'
    elif command -v dnf >/dev/null 2>&1; then echo 'dnf install -y python3.12'
    elif command -v apk >/dev/null 2>&1; then echo 'apk add python3'
    elif command -v zypper >/dev/null 2>&1; then echo 'zypper --non-interactive install python312'
    elif command -v pacman >/dev/null 2>&1; then echo 'pacman -S --noconfirm python'
    fi
}

offer_packages() {
    found=$(python3 --version 2>/dev/null </dev/null) || found='no python3'
    say "palpo-installer needs Python 3.11 or newer with venv and pip. Here: $found."
    command=$(packages_command)
    [ -n "$command" ] || fail 2 "install such a Python and run this again."
    if [ "$packages" = ask ]; then
        say "This installs it:  $command"
        agreed || fail 2 "installed nothing. Run that command, or this again with --with-packages."
    fi
    say "Running: $command"
    sh -c "$command" </dev/null >&2 || fail 2 "the packages could not be installed; nothing else was done."
}

agreed() {
    [ "$action" != unattended ] && terminal || return 1
    printf 'Run this now? [y/N] ' >/dev/tty
    read -r reply </dev/tty || return 1
    case $reply in [Yy]*) ;; *) return 1 ;; esac
}

announce() {
    say "Installing palpo-installer:"
    say "  from     ${SOURCE:-$URL/$bundle}"
    say "  with     $("$python" --version 2>&1 </dev/null) ($(command -v "$python"))"
    say "  into     $PREFIX, a virtual environment of its own"
    say "  command  $BIN/palpo-installer"
    ! boots || say "  units    $UNITS/palpo-installer-recover*.service, for a boot after a power cut"
    [ ! -L "$PREFIX/current" ] || say "The installed one stays in use until the new one has proven that it starts."
    say "Nothing else on this machine changes. This takes about half a minute."
}

run_pip() {
    case $pip in
        own) "$environment/bin/python" -m pip "$@" ;;
        outside) "$python" -m pip --python "$environment/bin/python" "$@" ;;
        *) "$environment/bin/python" "$pip/pip" "$@" ;;
    esac </dev/null
}

# Gets the bundle, and compares its sum before anything in it is used.
fetch() {
    wheels=$environment/wheels
    say "Fetching $URL/$bundle"
    download "$URL/$bundle" "$environment/bundle" 2>>"$log" || abandon "$URL/$bundle could not be fetched"
    [ "$(sum_of "$environment/bundle")" = "$sum" ] ||
        abandon "$URL/$bundle is damaged, or not what this release was made of: its SHA-256 is not $sum"
    "$python" -m tarfile --extract "$environment/bundle" "$wheels" </dev/null >>"$log" 2>&1 ||
        abandon "$bundle could not be unpacked"
    rm "$environment/bundle"
    pip=$(echo "$wheels"/pip-*.whl)
}

# download ADDRESS FILE
download() {
    if command -v curl >/dev/null 2>&1
    then curl --fail --silent --show-error --location --proto "=${1%%:*}" --retry 2 --output "$2" "$1" </dev/null
    else wget -q -O "$2" "$1" </dev/null
    fi
}

sum_of() {
    "$python" -c 'import hashlib, sys
print(hashlib.sha256(open(sys.argv[1], "rb").read()).hexdigest())' "$1" </dev/null
}

# Builds a new environment beside the one in use; removed again unless it is complete.
build() {
    environment=$PREFIX/$(date -u +%Y%m%dT%H%M%SZ)-$$
    log=$environment/install.log
    trap 'rm -rf "$environment"' EXIT
    trap 'exit 1' HUP INT TERM
    mkdir -p "$environment" || fail 1 "$environment cannot be made."
    without=''
    [ -n "$SOURCE" ] || fetch
    [ "$pip" = own ] || without=--without-pip
    "$python" -m venv $without "$environment" </dev/null >>"$log" 2>&1 || abandon "the environment could not be made"
    if [ -n "$SOURCE" ]; then set -- --prefer-binary "$SOURCE"
    else set -- --isolated --no-index --find-links "$wheels" --require-hashes --requirement "$wheels/requirements.txt"
    fi
    run_pip install --disable-pip-version-check --no-input "$@" >>"$log" 2>&1 || abandon "pip could not install it"
    [ -n "$SOURCE" ] || rm -rf "$wheels"
    "$environment/bin/palpo-installer" --help </dev/null >/dev/null 2>>"$log" || abandon "it does not start"
    : >"$environment/complete"
}

abandon() {
    tail -n 20 "$log" >&2
    if [ -L "$PREFIX/current" ]; then fail 1 "$1 (see above); the installed one stays as it was."; fi
    rm -rf "$environment"
    rmdir "$PREFIX" 2>/dev/null
    fail 1 "$1 (see above); nothing was installed."
}

# link TARGET PATH: makes or replaces a link in one step; mv would move into the directory it points to.
link() {
    "$environment/bin/python" -c 'import os, sys
target, path = sys.argv[1:]
os.makedirs(os.path.dirname(path), exist_ok=True)
os.symlink(target, f"{path}.new")
os.replace(f"{path}.new", path)' "$1" "$2" || fail 1 "the link $2 could not be made."
}

activate() {
    previous=$(readlink "$PREFIX/current")
    link "${environment##*/}" "$PREFIX/current"
    trap - EXIT HUP INT TERM
    is_ours "$BIN/palpo-installer" || link "$PREFIX/current/bin/palpo-installer" "$BIN/palpo-installer"
    # A run that is under way may still load modules from the previous one.
    for old in "$PREFIX"/*Z-*; do
        case ${old##*/} in "${environment##*/}" | "$previous") continue ;; esac
        [ ! -f "$old/complete" ] || rm -rf "$old"
    done
}

# Whether this is the host's own installation, where systemd can start it at boot.
boots() { [ "$PREFIX $BIN" = '/opt/palpo-installer /usr/local/bin' ] && [ -d /run/systemd/system ]; }

# A run that a reboot or a power cut ended is taken back at boot: its files before any service starts.
watch_over_boots() {
    boots || return 0
    if "$PREFIX/current/bin/python" -I -m palpo_installer.engine.boot "$UNITS" "$BIN/palpo-installer" </dev/null &&
        systemctl daemon-reload &&
        systemctl --quiet enable palpo-installer-recover.service palpo-installer-recover-rest.service
    then return; fi
    say "A boot does not take back a run that was cut off; after one, run: palpo-installer recover"
}

forget_boots() {
    [ -e "$UNITS/palpo-installer-recover.service" ] && boots || return 0
    systemctl --quiet disable palpo-installer-recover.service palpo-installer-recover-rest.service
    rm -f "$UNITS/palpo-installer-recover.service" "$UNITS/palpo-installer-recover-rest.service"
    systemctl daemon-reload
}

# In a pipe sudo runs us in the background of its own terminal (use_pty), until the kernel stops us for setting that
# terminal. Were it left to the wizard, whose answer is a stop of its own kind, sudo would stop as well, and for good.
come_forward() { stty "$(stty -g </dev/tty)" </dev/tty 2>/dev/null; }

hand_over() {
    tool=$BIN/palpo-installer
    case $action in
        unattended) exec "$tool" apply --answers "$answers" --yes "$@" </dev/null ;;
        demo)
            if ! is_a_file && terminal; then
                come_forward
                exec "$tool" demo "$@" </dev/tty
            fi
            exec "$tool" demo "$@"
            ;;
        install) say "Installed. Start it with: $tool" ;;
        wizard)
            if [ $# -gt 0 ] && terminal; then exec "$tool" "$@" </dev/tty; fi
            if [ $# -gt 0 ]; then exec "$tool" "$@" </dev/null; fi
            if terminal; then
                come_forward
                exec "$tool" </dev/tty >/dev/tty 2>/dev/tty
            fi
            say "Installed. There is no terminal here, so nothing was started. In a terminal:  $tool"
            say "Without one:  $tool apply --answers FILE --yes"
            ;;
    esac
}

# Whether it keeps a record of something that it set up.
keeps_a_record() {
    for run in /var/lib/palpo-installer/runs/*/plan.json; do
        [ ! -e "$run" ] || return 0
    done
    return 1
}

# Only the program can take back what it set up, and it asks before it does.
take_back() {
    keeps_a_record || return 0
    tool=$BIN/palpo-installer
    is_ours "$tool" ||
        fail 1 "what palpo-installer set up is still there, but not the program. Install it again, then: palpo-installer uninstall"
    if [ -z "$asking" ] || ! terminal; then
        fail 1 "what it set up is still there. First take it back: $tool uninstall --yes"
    fi
    come_forward
    "$tool" uninstall </dev/tty >/dev/tty 2>/dev/tty || fail 1 "the program stays, as not all that it set up is taken back."
    ! keeps_a_record || fail 1 "the program stays, as what it set up does."
}

uninstall() {
    take_back
    for user in "$UNITS"/palpo-installer*.timer /etc/cron.d/palpo-installer*; do
        [ ! -e "$user" ] || fail 1 "$user still renews certificates with it, and no record tells why. Remove it first."
    done
    [ -L "$PREFIX/current" ] || is_ours "$BIN/palpo-installer" || { say "palpo-installer is not installed."; return; }
    say "Removing palpo-installer from $PREFIX and $BIN."
    forget_boots
    ! is_ours "$BIN/palpo-installer" || rm -f "$BIN/palpo-installer"
    for environment in "$PREFIX"/*Z-*; do
        [ ! -f "$environment/pyvenv.cfg" ] || rm -rf "$environment"
    done
    rm -f "$PREFIX/current"
    [ ! -d "$PREFIX" ] || rmdir "$PREFIX" 2>/dev/null || say "Other things lie in $PREFIX; they stay."
    for place in /etc/palpo-installer /var/lib/palpo-installer /var/log/palpo-installer; do
        [ ! -e "$place" ] || say "Left as it is: $place"
    done
}

main "$@"
exit
}
