#!/bin/sh
# Brings the Chromium that the status page is tested in, where there is none: Debian's package.
set -eu

for name in chromium chromium-browser google-chrome; do
    if command -v "$name" >/dev/null 2>&1; then exit 0; fi
done

as_root=
if [ "$(id -u)" != 0 ]; then
    if ! sudo -n true 2>/dev/null; then
        echo "tests: Chromium is missing, and only root can install it: apt-get install chromium" >&2
        exit 1
    fi
    as_root="sudo -n"
fi
if ! command -v apt-get >/dev/null 2>&1; then
    echo "tests: Chromium is missing, and there is no apt-get to install it: bring a chromium on the PATH" >&2
    exit 1
fi
$as_root apt-get update -qq
$as_root env DEBIAN_FRONTEND=noninteractive apt-get install -qq -y --no-install-recommends chromium >/dev/null
