# Bare Debian systems in a folder, for the scripts beside this file; to be sourced. Needs root.
# shellcheck shell=bash

# debian_root_make DIR SUITE PACKAGES [SOURCES...]: makes the folder DIR, which must not exist, with mmdebstrap.
# PACKAGES are separated by commas. Without SOURCES (files, or addresses) mmdebstrap chooses them.
debian_root_make() {
  local root=$1 suite=$2 packages=$3
  shift 3
  # sid's archive promises to be a few days old at most; a mirror that stands still is good enough.
  mmdebstrap --quiet --variant=minbase --aptopt='Acquire::Check-Valid-Until "false"' --include="$packages" \
    "$suite" "$root" "$@" || return
  # How this machine reaches the archive: proxies and the like.
  apt-config dump | grep -E '^Acquire::(http|https)::[^ ]+ ".+";' >"$root/etc/apt/apt.conf.d/90host" || true
}

# debian_root_enter ROOT [--bind FOLDER[:INSIDE]]... [--chdir INSIDE] COMMAND...: runs COMMAND as root in there, with an
# environment of its own, and returns its status. When it ends, or this shell does, every process in there is killed and
# every mount gone. --bind shows a folder of this machine, at the same place or at INSIDE.
# Not by chroot: a process in a chroot may not make user namespaces, which Bazel's sandbox and some tests do.
debian_root_enter() {
  local root=$1 binds=() chdir=/
  shift
  while :; do
    case ${1:-} in
      --bind) binds+=("$2"); shift 2 ;;
      --chdir) chdir=$2; shift 2 ;;
      *) break ;;
    esac
  done
  setpriv --pdeathsig KILL unshare --mount --propagation private --pid --ipc --fork --kill-child \
    bash -c "$(declare -f debian_root_inside_)"'; debian_root_inside_ "$@"' bash "$root" "$chdir" "${#binds[@]}" "${binds[@]}" "$@"
}

# The first process in there: mounts, changes the root, runs the command and reaps what the command leaves.
debian_root_inside_() {
  set -e
  local root=$1 chdir=$2 count=$3 bind device
  shift 3
  mount --bind "$root" "$root"
  mount -t proc proc "$root/proc"
  mount --rbind /sys "$root/sys"
  mount -t tmpfs -o mode=755 tmpfs "$root/dev"
  for device in null zero full random urandom tty; do
    touch "$root/dev/$device"
    mount --bind "/dev/$device" "$root/dev/$device"
  done
  ln -s /proc/self/fd "$root/dev/fd"
  ln -s /proc/self/fd/0 "$root/dev/stdin"
  ln -s /proc/self/fd/1 "$root/dev/stdout"
  ln -s /proc/self/fd/2 "$root/dev/stderr"
  mkdir "$root/dev/shm" "$root/dev/mqueue" "$root/dev/pts"
  mount -t tmpfs -o mode=1777 tmpfs "$root/dev/shm"
  mount -t mqueue mqueue "$root/dev/mqueue"
  mount -t devpts -o newinstance,ptmxmode=666,mode=620 devpts "$root/dev/pts"
  ln -s pts/ptmx "$root/dev/ptmx"
  mount -t tmpfs -o mode=1777 tmpfs "$root/tmp"
  for ((; count > 0; count--)); do
    bind=$1
    shift
    mkdir -p "$root${bind##*:}"
    mount --bind "${bind%%:*}" "$root${bind##*:}"
  done
  mkdir -p "$root/.host"
  cd "$root"
  pivot_root . .host
  umount -l /.host
  cd "$chdir"
  set +e
  env -i HOME=/root PATH=/usr/sbin:/usr/bin:/sbin:/bin CI=true LANG=C.UTF-8 "$@"
  # Not the last command of the function by exec: this process has to stay, as the parent of orphans.
  exit $?
}
