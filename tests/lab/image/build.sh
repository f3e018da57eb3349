#!/usr/bin/env bash
# Builds the root folder of a lab host and imports it as a Docker image. usage: build.sh IMAGE CACHE-FOLDER COMPOSE-BINARY SOPS-BINARY
# Root, debootstrap and a Docker engine are needed; the root folder is cached as a tarball.
set -euo pipefail
image=$1 cache=$2 compose=$3 sops=$4
here=$(cd "$(dirname "$0")" && pwd)
packages=systemd,systemd-sysv,dbus,openssh-server,libdbi-perl,nix-bin,nix-setup-systemd,git,age,docker.io,docker-cli,iproute2
packages+=,docker-registry,ca-certificates,procps,iptables,sudo,jq,yq,strace,curl,busybox-static,xz-utils,diffutils
key=$({ cat "$here/build.sh" "$here/lab-init" "$compose" "$sops"; } | sha256sum | cut -c 1-16)
tarball=$cache/lab/host-$key.tar
if id=$(docker image inspect --format '{{.Id}}' "$image:$key" 2>/dev/null); then
  echo "$image:$key $id"
  exit 0
fi
mkdir -p "$cache/lab/debs"

if [ ! -e "$tarball" ]; then
  root=$(mktemp -d "$cache/lab/root.XXXXXX")
  trap 'rm -rf "$root"' EXIT
  debootstrap --variant=minbase --cache-dir="$cache/lab/debs" --include="$packages" trixie "$root" >"$cache/lab/debootstrap.log" 2>&1 || {
    tail -n 20 "$cache/lab/debootstrap.log" >&2
    exit 1
  }
  rm -rf "$root"/var/cache/apt/archives/*.deb "$root"/usr/share/doc "$root"/usr/share/man "$root"/usr/share/locale
  install -D -m 755 "$compose" "$root/usr/libexec/docker/cli-plugins/docker-compose"
  install -m 755 "$sops" "$root/usr/bin/sops"
  install -m 755 "$here/lab-init" "$root/sbin/lab-init"
  chroot "$root" useradd -m -u 900 -s /bin/bash -G docker,systemd-journal,nix-users cockpit 2>/dev/null
  chroot "$root" usermod -p "*" cockpit # sshd without PAM takes ! for locked
  install -d -m 700 -o 900 -g 900 "$root/home/cockpit/.ssh" "$root/root/.ssh"
  chroot "$root" chown -R cockpit: /home/cockpit
  chown -R 0:0 "$root/root/.ssh"
  # /etc/systemd/system belongs to the generation: what Debian enabled moves to the vendor's folder
  (cd "$root/etc/systemd/system" && find . -type l -path '*.wants/*' -print) | while IFS= read -r link; do
    mkdir -p "$root/usr/lib/systemd/system/$(dirname "$link")"
    cp -a "$root/etc/systemd/system/$link" "$root/usr/lib/systemd/system/$link"
  done
  rm -rf "$root"/etc/systemd/system/* "$root"/etc/ssh/ssh_host_* # every host makes its own keys
  for unit in systemd-udevd systemd-networkd systemd-resolved getty@tty1 systemd-pstore e2scrub_reap apt-daily apt-daily-upgrade fstrim dpkg-db-backup systemd-journal-flush docker-registry; do
    ln -sf /dev/null "$root/usr/lib/systemd/system/$unit.service"
  done
  for timer in apt-daily apt-daily-upgrade fstrim dpkg-db-backup e2scrub_all systemd-tmpfiles-clean; do ln -sf /dev/null "$root/usr/lib/systemd/system/$timer.timer"; done
  printf '%s\n' 'build-users-group =' 'sandbox = false' 'experimental-features = nix-command flakes' 'substituters =' 'require-sigs = false' 'trusted-users = root cockpit' 'warn-dirty = false' >"$root/etc/nix/nix.conf"
  printf '%s\n' 'PasswordAuthentication no' 'UseDNS no' 'UsePAM no' 'MaxStartups 100' >"$root/etc/ssh/sshd_config.d/lab.conf"
  # programs of the lab that can be slowed down by a test come first on root's and the units' PATH
  mkdir -p "$root/usr/local/sbin" "$root/boot/loader/entries"
  tar -C "$root" -c . >"$tarball.$$"
  mv "$tarball.$$" "$tarball"
fi
id=$(docker import --change 'CMD ["/sbin/lab-init"]' --change 'LABEL cockpit.lab=host' "$tarball" "$image:$key")
echo "$image:$key $id"
