#!/bin/sh
# Takes the port mapping of dss:factory away from this router, and nothing else: sh dmz-openwrt-remove.sh
# Only sections whose names start with dss_factory__ are ours.
set -eu

for section in $(uci show firewall | sed -n 's/^firewall\.\(dss_factory__[a-z0-9_]*\)=redirect$/\1/p'); do
    uci delete "firewall.$section"
done
uci commit firewall
/etc/init.d/firewall reload
