#!/bin/bash
# Power on: runs as PID 1 of new mount, pid, uts and ipc namespaces (and already
# in the machine's network namespace), makes the machine's root the root, and
# becomes its init. Usage: machine-boot.sh MACHINE_FOLDER ROOT_FILE_SYSTEM NAME
set -euo pipefail
folder=$1 root_file_system=$2 name=$3 root=$1/root

# Still the host's /proc: the first field is this process as the host sees it.
# The shell itself reads it, so it is not the pid of some child.
read -r pid _ </proc/self/stat
echo "$pid" >"$folder/init.pid.new"
mv "$folder/init.pid.new" "$folder/init.pid"

mount --make-rprivate /
# Mounted in here only, so nothing is left to unmount when the power goes.
mount -t overlay ikoma-lab -o "lowerdir=$root_file_system,upperdir=$folder/changes,workdir=$folder/overlay-work" "$root"
# Overlay cannot lie on overlay: what the engine and the agent keep is on the real disk.
for path in var/lib/docker var/lib/containerd var/lib/ikoma; do
  mkdir -p "$root/$path" "$folder/disk/$path"
  mount --bind "$folder/disk/$path" "$root/$path"
done
mount -t proc proc "$root/proc"
mount --rbind /sys "$root/sys"
mount --rbind /dev "$root/dev"
mount -t tmpfs -o mode=1777 tmpfs "$root/dev/shm"
mount -t tmpfs -o mode=755 tmpfs "$root/run"
mkdir -m 1777 "$root/run/lock"
echo "$name" >"$root/proc/sys/kernel/hostname"

cd "$root"
mkdir -p .host
pivot_root . .host
umount -l /.host
rmdir /.host
exec env -i "IKOMA_LAB_MACHINE=$name" HOME=/root PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin /sbin/lab-init
