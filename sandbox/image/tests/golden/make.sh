#!/bin/sh
# Makes tests/golden/tiny (an OCI layout of two layers) and tests/golden/tiny.txt (what umoci unpacks from it).
#
# As root, with umoci 0.4.7 and GNU find. Digests differ from one run to the next, as umoci writes the time.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
umoci init --layout tiny
umoci new --image tiny:golden
umoci unpack --image tiny:golden one
cd one/rootfs
umask 022
mkdir -p bin etc/deep/er home/user var/cache/old tmp "name with spaces"
chmod 1777 tmp
printf 'program' >bin/su && chmod 4755 bin/su
ln bin/su bin/sudo
ln -s /bin/su etc/su
ln -s ../.. etc/deep/up
mkfifo etc/pipe
printf 'gone' >etc/gone
printf 'kept' >etc/deep/er/kept
printf 'old' >var/cache/old/file
printf 'mine' >home/user/file
chown -R 1000:1001 home/user
printf 'long' >"$(printf 'n%.0s' $(seq 150))"
cd "$work"
umoci repack --image tiny:golden one
umoci unpack --image tiny:golden two
cd two/rootfs
rm etc/gone
rm -r var/cache/old
printf 'now a file' >var/cache/old
rm -r etc/deep && mkdir -p etc/deep/new
chmod 700 home/user
printf 'more' >>home/user/file
cd "$work"
umoci repack --image tiny:golden two
umoci config --image tiny:golden --config.env A=b --config.entrypoint /bin/su --config.workingdir /home/user --config.user 1000:1001
umoci gc --layout tiny
umoci unpack --image tiny:golden final
rm -rf "$here/tiny"
cp -r tiny "$here/tiny"
cd final/rootfs
find . -mindepth 1 | LC_ALL=C sort | while read -r path; do
    content=-
    if [ ! -L "$path" ] && [ -f "$path" ]; then content=$(sha256sum <"$path" | cut -d' ' -f1); fi
    find "$path" -maxdepth 0 -printf "%P|%y|%m|%U:%G|%l|$content\n" | sed "s|^|${path#./}|"
done >"$here/tiny.txt"
