#!/bin/sh
# Takes the port mapping of dss:harbour away from this router, and nothing else. Run it as root, as often as you like.
set -eu

table=$(nft list table inet dss_dmz 2>/dev/null || true)
if [ -n "$table" ] && ! printf '%s' "$table" | grep -qF 'comment "dss:harbour '; then
    echo "The table dss_dmz on this router belongs to another site; nothing was changed." >&2
    exit 1
fi
end() {
    # The kernel goes on translating connections that are open already: whatever they still send is answered by a reset.
    nft -f - <<'RULES'
table inet dss_dmz_end {}
delete table inet dss_dmz_end
table inet dss_dmz_end {
    comment "dss:harbour"
    chain forwarded {
        type filter hook forward priority filter - 1; policy accept;
        ct status dnat ct original ip daddr 203.0.113.254 tcp dport { 443 } reject with tcp reset
        ct status dnat ct original ip daddr 203.0.113.254 tcp sport { 443 } reject with tcp reset
        ct status dnat ct original ip daddr 203.0.113.254 tcp dport { 80 } reject with tcp reset
        ct status dnat ct original ip daddr 203.0.113.254 tcp sport { 80 } reject with tcp reset
        ct status dnat ct original ip daddr 203.0.113.254 tcp dport { 9100 } reject with tcp reset
        ct status dnat ct original ip daddr 203.0.113.254 tcp sport { 9100 } reject with tcp reset
        ct status dnat ct original ip daddr 203.0.113.254 tcp dport { 9102 } reject with tcp reset
        ct status dnat ct original ip daddr 203.0.113.254 tcp sport { 9102 } reject with tcp reset
        ct status dnat ct original ip daddr 203.0.113.254 tcp dport { 9320 } reject with tcp reset
        ct status dnat ct original ip daddr 203.0.113.254 tcp sport { 9320 } reject with tcp reset
        ct status dnat ct original ip daddr 203.0.113.254 tcp dport { 9322 } reject with tcp reset
        ct status dnat ct original ip daddr 203.0.113.254 tcp sport { 9322 } reject with tcp reset
        ct status dnat ct original ip daddr 203.0.113.22 tcp dport { 443 } reject with tcp reset
        ct status dnat ct original ip daddr 203.0.113.22 tcp sport { 443 } reject with tcp reset
        ct status dnat ct original ip daddr 203.0.113.22 tcp dport { 80 } reject with tcp reset
        ct status dnat ct original ip daddr 203.0.113.22 tcp sport { 80 } reject with tcp reset
        ct status dnat ct original ip daddr 203.0.113.22 tcp dport { 9100 } reject with tcp reset
        ct status dnat ct original ip daddr 203.0.113.22 tcp sport { 9100 } reject with tcp reset
        ct status dnat ct original ip daddr 203.0.113.22 tcp dport { 9102 } reject with tcp reset
        ct status dnat ct original ip daddr 203.0.113.22 tcp sport { 9102 } reject with tcp reset
        ct status dnat ct original ip daddr 203.0.113.22 tcp dport { 9320 } reject with tcp reset
        ct status dnat ct original ip daddr 203.0.113.22 tcp sport { 9320 } reject with tcp reset
        ct status dnat ct original ip daddr 203.0.113.22 tcp dport { 9322 } reject with tcp reset
        ct status dnat ct original ip daddr 203.0.113.22 tcp sport { 9322 } reject with tcp reset
    }
}
RULES
    nft delete table inet dss_dmz
    echo "Open connections are ended; this takes 30 seconds."
    # Longer than the pause between two keep-alives of a device that registered.
    sleep 30
}
# Before anything else: a boot in the middle must not bring the mapping back.
systemctl disable dss-dmz.service 2>/dev/null || true
[ -z "$table" ] || end
systemctl stop dss-dmz.service 2>/dev/null || true
[ -z "$(nft list table inet dss_dmz_end 2>/dev/null || true)" ] || nft delete table inet dss_dmz_end
rm -f /etc/systemd/system/dss-dmz.service /etc/dss/dmz.nft /etc/sysctl.d/60-dss-dmz.conf
systemctl daemon-reload
# Forwarding was off before us only if nothing else on this router asks for it.
if ! grep -rqsE '^[[:space:]]*net[./]ipv4[./]ip_forward[[:space:]]*=[[:space:]]*1' \
    /etc/sysctl.conf /etc/sysctl.d /run/sysctl.d /usr/lib/sysctl.d; then
    echo "Forwarding stays on until the next boot; nothing but DSS asked for it in sysctl.d."
fi
echo "The port mapping of dss:harbour is gone."
