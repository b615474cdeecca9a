#!/bin/sh
# Packages start their services on a running machine (Debian blocks that where
# it sees no init system it knows), but not while the image is built.
grep -q lab-init /proc/1/cmdline || exit 101
