#!/bin/sh
# Takes the port mapping of dss:factory away from this router, and nothing else: sh dmz-openwrt-remove.sh
# Only sections whose names start with dss_factory__ are ours.
set -eu

staged=$(uci changes firewall)
if [ -n "$staged" ]; then
    printf '%s\n' "$staged" "These changes of the firewall are not committed yet; commit or revert them first." >&2
    exit 1
fi
for section in $(uci show firewall | sed -n 's/^firewall\.\(dss_factory__[a-z0-9_]*\)=redirect$/\1/p'); do
    uci delete "firewall.$section"
done
uci commit firewall
# The reload ends well too when the rules cannot be loaded.
said=$(/etc/init.d/firewall reload 2>&1) || said="Error: $said"
case $said in
*Error:*)
    printf '%s\n' "$said" "The mapping is deleted, but the firewall did not load; until it does, ports may stay open." >&2
    exit 1
    ;;
esac
