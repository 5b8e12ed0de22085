#!/bin/sh
# What logs an ordinary user in on a machine that systemd did not boot: run as root, as the first
# process of new mount and pid namespaces, of which nothing is left when it ends.
#
#   login.sh NAME UID WORK CHECKOUT VENV PYTHON PTH CGROUP...
#
# NAME gets WORK/home as /home/NAME. The checkout and its virtual environment lie in there, too,
# as if they had cloned it and run `make`, read-only; PYTHON is what the environment was made of,
# and PTH its file that names the checkout (or nothing). CGROUPs are folders of theirs.
set -eu
name=$1 uid=$2 work=$3 checkout=$4 venv=$5 python=$6 pth=$7
shift 7

# What lies under folders that are about to be covered is kept in sight.
mkdir -p "$work/checkout" "$work/venv" "$work/python"
mount --bind "$checkout" "$work/checkout"
mount --bind "$venv" "$work/venv"
mount --bind "$python" "$work/python"

# Nothing of this machine's users, nor of its services, if there are any.
for folder in /home /root /run /var/log; do
    mount -t tmpfs -o mode=755 tmpfs "$folder"
done
mkdir /var/log/journal
case $python/ in
/home/* | /root/*)
    mkdir -p "$python"
    mount --bind "$work/python" "$python"
    ;;
esac

home=/home/$name
runtime=/run/user/$uid
mkdir -p "$home" "$work/home/src" "$work/home/venv"
chown "$uid:$uid" "$work/home"
mount --bind "$work/home" "$home"
mount --bind -o ro "$work/checkout" "$home/src"
mount --bind -o ro "$work/venv" "$home/venv"
if [ -n "$pth" ]; then
    echo "$home/src/daemon" >"$work/pth"
    mount --bind "$work/pth" "$home/venv/$pth"
fi
for file in passwd group; do
    cp "/etc/$file" "$work/$file"
done
echo "$name:x:$uid:$uid::$home:/bin/sh" >>"$work/passwd"
echo "$name:x:$uid:" >>"$work/group"
mount --bind "$work/passwd" /etc/passwd
mount --bind "$work/group" /etc/group

# What the first systemd of a machine makes, and its managers of users count on.
mkdir -p /run/systemd/system /run/systemd/unit-root /run/systemd/journald.conf.d
mkdir -p -m 700 "$runtime"
chown "$uid:$uid" "$runtime"
cat >/run/systemd/journald.conf.d/tests.conf <<END
[Journal]
Storage=persistent
ReadKMsg=no
Audit=no
RateLimitBurst=0
END
# It has not to wait for a file system to be mounted.
mkdir -p /run/systemd/journal
touch /run/systemd/journal/flushed
/usr/lib/systemd/systemd-journald &
while ! [ -S /run/systemd/journal/stdout ]; do
    sleep 0.02
done
export HOME="$home" USER="$name" LOGNAME="$name" SHELL=/bin/sh LANG=C.UTF-8
export XDG_RUNTIME_DIR="$runtime" PATH=/usr/local/bin:/usr/bin:/bin SYSTEMD_LOG_TARGET=journal
# Only what becomes the manager moves into the groups: it takes all that it finds there for its own.
sh -c 'for group; do echo $$ >"$group/cgroup.procs"; done
    exec setpriv --reuid "$USER" --regid "$USER" --init-groups /usr/lib/systemd/systemd --user' \
    sh "$@" &
# Reaps what is orphaned, until the tests are done.
wait
