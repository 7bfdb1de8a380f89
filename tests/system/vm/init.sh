#!/bin/busybox sh
# The first process of the virtual machine: modules, then the disk with all that is written kept in memory, then
# /guest/start, which lies in the folder that both machines share.
PATH=/bin
/bin/busybox --install /bin
mount -t proc proc /proc
mount -t sysfs sys /sys
mount -t devtmpfs dev /dev
while read -r module; do
  case $module in
    v4l2loopback) insmod "/modules/$module.ko" exclusive_caps=1 'card_label="LSP Cam"' video_nr=0 ;;
    *) insmod "/modules/$module.ko" ;;
  esac || echo "init: $module does not load"
done < /modules/order
until [ -b /dev/vda ]; do sleep 0.1; done
mount -t squashfs -o ro /dev/vda /below
mount -t tmpfs -o size=80% memory /above
mkdir /above/files /above/work
mount -t overlay -o lowerdir=/below,upperdir=/above/files,workdir=/above/work overlay /system
mkdir -p /system/dev /system/proc /system/sys /system/run /system/tmp /system/guest
mount -t 9p -o trans=virtio,version=9p2000.L,msize=524288 guest /system/guest
for folder in proc sys dev; do mount --move "/$folder" "/system/$folder"; done
mkdir /system/dev/shm
mount -t tmpfs memory /system/dev/shm
mkdir -p /system/run/bin
/bin/busybox --install -s /system/run/bin
ifconfig lo 127.0.0.1 up
exec switch_root /system /bin/sh /guest/start
