#!/bin/sh
# Written by the deployment from the inventory; changes made here are undone by the next one.
# The signal only asks: until its old workers stop listening, nginx answers by the old configuration, too.
set -eu
before=$(cat "/proc/$MAINPID/task/$MAINPID/children")
kill -s HUP "$MAINPID"
turns=100
for worker in $before; do
    while [ -e "/proc/$worker" ] && ! grep -qs 'shutting down' "/proc/$worker/cmdline"; do
        turns=$((turns - 1))
        if [ "$turns" -lt 1 ]; then
            echo "nginx has not replaced its workers within 10 seconds; see its messages above." >&2
            exit 1
        fi
        sleep 0.1
    done
done
