#!/bin/sh
# Python 3.11, the usual certificate authorities, and the account atelier; with `compiler` a C compiler too.
set -eu
if command -v apt-get > /dev/null; then
    apt-get update
    apt-get install --yes --no-install-recommends python3.11 python3.11-venv ca-certificates \
        ${1:+gcc libc6-dev python3.11-dev}
    rm -rf /var/lib/apt/lists/*
else
    dnf install --assumeyes --setopt=install_weak_deps=0 python3.11 ca-certificates ${1:+gcc python3.11-devel}
    dnf clean all
fi
echo 'atelier:x:10001:10001:Atelier:/tmp:/usr/sbin/nologin' >> /etc/passwd
echo 'atelier:x:10001:' >> /etc/group
