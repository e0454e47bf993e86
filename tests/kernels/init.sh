#!/bin/busybox sh
# A guest's first process: finds the machine's root, puts a writable layer over it, and goes there.
/bin/busybox mkdir /proc /sys /lower /layer /root
/bin/busybox mount -t proc proc /proc
/bin/busybox mount -t sysfs sysfs /sys
/bin/busybox mount -t devtmpfs devtmpfs /dev
/bin/busybox sh /insert

over_9p=trans=virtio,version=9p2000.L,msize=1048576
/bin/busybox mount -t 9p -o "$over_9p,cache=loose,ro" root /lower
/bin/busybox mount -t tmpfs tmpfs /layer
/bin/busybox mkdir /layer/upper /layer/work
/bin/busybox mount -t overlay -o lowerdir=/lower,upperdir=/layer/upper,workdir=/layer/work \
    overlay /root
/bin/busybox mkdir /root/from_outside
/bin/busybox mount -t 9p -o "$over_9p" exchange /root/from_outside
for place in proc sys dev; do
    /bin/busybox mount --move "/$place" "/root/$place"
done
exec /bin/busybox switch_root /root /bin/sh /from_outside/root.sh
