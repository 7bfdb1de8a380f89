#!/usr/bin/env bash
# image.sh FOLDER: what the virtual machine boots: FOLDER/vmlinuz, Debian's kernel, and FOLDER/initrd.gz, whose init loads
# v4l2loopback and goes on in this machine's own files. Neither kernel nor module is installed here.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
folder=$(realpath -m "$1")
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
chmod 755 "$work"
cd "$work"

kernel=$(ls /usr/src | sed -n 's/^linux-headers-\([0-9].*-amd64\)$/\1/p' | sort -V | tail -n 1)
[ -n "$kernel" ] || { echo "no headers of a kernel: apt-get install linux-headers-amd64" >&2; exit 1; }
apt-get download -q "linux-image-$kernel" v4l2loopback-dkms >&2
for package in *.deb; do dpkg-deb -x "$package" tree; done

source=$(echo tree/usr/src/v4l2loopback-*)
make -s -C "/usr/src/linux-headers-$kernel" M="$work/$source" modules >&2
install -D -t "tree/lib/modules/$kernel/updates" "$source/v4l2loopback.ko"
depmod -b tree "$kernel"

mkdir -p initrd/{bin,dev,proc,sys,modules,below,above,system}
cp /bin/busybox initrd/bin/
ln -s busybox initrd/bin/sh
install -m 755 "$here/init.sh" initrd/init
for module in virtio_pci virtio_blk virtio_rng squashfs 9pnet_virtio 9p overlay v4l2loopback; do
  modprobe -d tree -S "$kernel" --show-depends "$module"
done | awk '$1 == "insmod" && !seen[$2]++ { print $2 }' | while read -r file; do
  cp "$file" initrd/modules/
  basename "$file" .ko
done > initrd/modules/order

mkdir -p "$folder"
cp "tree/boot/vmlinuz-$kernel" "$folder/vmlinuz"
(cd initrd && find . | cpio -o -H newc --quiet | gzip -1) > "$folder/initrd.part"
mv "$folder/initrd.part" "$folder/initrd.gz"
