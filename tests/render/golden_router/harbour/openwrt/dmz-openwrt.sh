#!/bin/sh
# Written by the deployment from the inventory; changes made here are undone by the next one.
# Port mapping of dss:harbour. Run it on the router as root, as often as you like: sh dmz-openwrt.sh
# Only sections whose names start with dss_harbour__ are ours.
set -eu

staged=$(uci changes firewall)
if [ -n "$staged" ]; then
    printf '%s\n' "$staged" "These changes of the firewall are not committed yet; commit or revert them first." >&2
    exit 1
fi
for section in $(uci show firewall | sed -n 's/^firewall\.\(dss_harbour__[a-z0-9_]*\)=redirect$/\1/p'); do
    uci delete "firewall.$section"
done
# uci goes on after a line that it refuses, and ends well.
said=$(uci batch 2>&1 <<'END'
set firewall.dss_harbour__main_a_mts_rtsp=redirect
set firewall.dss_harbour__main_a_mts_rtsp.dest='lan'
set firewall.dss_harbour__main_a_mts_rtsp.dest_ip='198.18.0.10'
set firewall.dss_harbour__main_a_mts_rtsp.dest_port='9100'
set firewall.dss_harbour__main_a_mts_rtsp.family='ipv4'
set firewall.dss_harbour__main_a_mts_rtsp.name='dss:harbour/main-a/mts.rtsp'
set firewall.dss_harbour__main_a_mts_rtsp.proto='tcp'
set firewall.dss_harbour__main_a_mts_rtsp.reflection='1'
set firewall.dss_harbour__main_a_mts_rtsp.reflection_src='internal'
set firewall.dss_harbour__main_a_mts_rtsp.src='wan'
set firewall.dss_harbour__main_a_mts_rtsp.src_dip='203.0.113.254'
set firewall.dss_harbour__main_a_mts_rtsp.src_dport='9100'
set firewall.dss_harbour__main_a_mts_rtsp.target='DNAT'
set firewall.dss_harbour__main_a_mts_rtsps=redirect
set firewall.dss_harbour__main_a_mts_rtsps.dest='lan'
set firewall.dss_harbour__main_a_mts_rtsps.dest_ip='198.18.0.10'
set firewall.dss_harbour__main_a_mts_rtsps.dest_port='9102'
set firewall.dss_harbour__main_a_mts_rtsps.family='ipv4'
set firewall.dss_harbour__main_a_mts_rtsps.name='dss:harbour/main-a/mts.rtsps'
set firewall.dss_harbour__main_a_mts_rtsps.proto='tcp'
set firewall.dss_harbour__main_a_mts_rtsps.reflection='1'
set firewall.dss_harbour__main_a_mts_rtsps.reflection_src='internal'
set firewall.dss_harbour__main_a_mts_rtsps.src='wan'
set firewall.dss_harbour__main_a_mts_rtsps.src_dip='203.0.113.254'
set firewall.dss_harbour__main_a_mts_rtsps.src_dport='9102'
set firewall.dss_harbour__main_a_mts_rtsps.target='DNAT'
set firewall.dss_harbour__main_a_mts_webrtc=redirect
set firewall.dss_harbour__main_a_mts_webrtc.dest='lan'
set firewall.dss_harbour__main_a_mts_webrtc.dest_ip='198.18.0.10'
set firewall.dss_harbour__main_a_mts_webrtc.dest_port='9103'
set firewall.dss_harbour__main_a_mts_webrtc.family='ipv4'
set firewall.dss_harbour__main_a_mts_webrtc.name='dss:harbour/main-a/mts.webrtc'
set firewall.dss_harbour__main_a_mts_webrtc.proto='udp'
set firewall.dss_harbour__main_a_mts_webrtc.reflection='1'
set firewall.dss_harbour__main_a_mts_webrtc.reflection_src='internal'
set firewall.dss_harbour__main_a_mts_webrtc.src='wan'
set firewall.dss_harbour__main_a_mts_webrtc.src_dip='203.0.113.254'
set firewall.dss_harbour__main_a_mts_webrtc.src_dport='9103'
set firewall.dss_harbour__main_a_mts_webrtc.target='DNAT'
set firewall.dss_harbour__main_a_nginx_http=redirect
set firewall.dss_harbour__main_a_nginx_http.dest='lan'
set firewall.dss_harbour__main_a_nginx_http.dest_ip='198.18.0.10'
set firewall.dss_harbour__main_a_nginx_http.dest_port='80'
set firewall.dss_harbour__main_a_nginx_http.family='ipv4'
set firewall.dss_harbour__main_a_nginx_http.name='dss:harbour/main-a/nginx.http'
set firewall.dss_harbour__main_a_nginx_http.proto='tcp'
set firewall.dss_harbour__main_a_nginx_http.reflection='1'
set firewall.dss_harbour__main_a_nginx_http.reflection_src='internal'
set firewall.dss_harbour__main_a_nginx_http.src='wan'
set firewall.dss_harbour__main_a_nginx_http.src_dip='203.0.113.254'
set firewall.dss_harbour__main_a_nginx_http.src_dport='80'
set firewall.dss_harbour__main_a_nginx_http.target='DNAT'
set firewall.dss_harbour__main_a_nginx_https=redirect
set firewall.dss_harbour__main_a_nginx_https.dest='lan'
set firewall.dss_harbour__main_a_nginx_https.dest_ip='198.18.0.10'
set firewall.dss_harbour__main_a_nginx_https.dest_port='443'
set firewall.dss_harbour__main_a_nginx_https.family='ipv4'
set firewall.dss_harbour__main_a_nginx_https.name='dss:harbour/main-a/nginx.https'
set firewall.dss_harbour__main_a_nginx_https.proto='tcp'
set firewall.dss_harbour__main_a_nginx_https.reflection='1'
set firewall.dss_harbour__main_a_nginx_https.reflection_src='internal'
set firewall.dss_harbour__main_a_nginx_https.src='wan'
set firewall.dss_harbour__main_a_nginx_https.src_dip='203.0.113.254'
set firewall.dss_harbour__main_a_nginx_https.src_dport='443'
set firewall.dss_harbour__main_a_nginx_https.target='DNAT'
set firewall.dss_harbour__main_a_ss_rtsp=redirect
set firewall.dss_harbour__main_a_ss_rtsp.dest='lan'
set firewall.dss_harbour__main_a_ss_rtsp.dest_ip='198.18.0.10'
set firewall.dss_harbour__main_a_ss_rtsp.dest_port='9320'
set firewall.dss_harbour__main_a_ss_rtsp.family='ipv4'
set firewall.dss_harbour__main_a_ss_rtsp.name='dss:harbour/main-a/ss.rtsp'
set firewall.dss_harbour__main_a_ss_rtsp.proto='tcp'
set firewall.dss_harbour__main_a_ss_rtsp.reflection='1'
set firewall.dss_harbour__main_a_ss_rtsp.reflection_src='internal'
set firewall.dss_harbour__main_a_ss_rtsp.src='wan'
set firewall.dss_harbour__main_a_ss_rtsp.src_dip='203.0.113.254'
set firewall.dss_harbour__main_a_ss_rtsp.src_dport='9320'
set firewall.dss_harbour__main_a_ss_rtsp.target='DNAT'
set firewall.dss_harbour__main_a_ss_rtsps=redirect
set firewall.dss_harbour__main_a_ss_rtsps.dest='lan'
set firewall.dss_harbour__main_a_ss_rtsps.dest_ip='198.18.0.10'
set firewall.dss_harbour__main_a_ss_rtsps.dest_port='9322'
set firewall.dss_harbour__main_a_ss_rtsps.family='ipv4'
set firewall.dss_harbour__main_a_ss_rtsps.name='dss:harbour/main-a/ss.rtsps'
set firewall.dss_harbour__main_a_ss_rtsps.proto='tcp'
set firewall.dss_harbour__main_a_ss_rtsps.reflection='1'
set firewall.dss_harbour__main_a_ss_rtsps.reflection_src='internal'
set firewall.dss_harbour__main_a_ss_rtsps.src='wan'
set firewall.dss_harbour__main_a_ss_rtsps.src_dip='203.0.113.254'
set firewall.dss_harbour__main_a_ss_rtsps.src_dport='9322'
set firewall.dss_harbour__main_a_ss_rtsps.target='DNAT'
set firewall.dss_harbour__sub_1_mts_rtsp=redirect
set firewall.dss_harbour__sub_1_mts_rtsp.dest='lan'
set firewall.dss_harbour__sub_1_mts_rtsp.dest_ip='198.18.0.21'
set firewall.dss_harbour__sub_1_mts_rtsp.dest_port='9100'
set firewall.dss_harbour__sub_1_mts_rtsp.family='ipv4'
set firewall.dss_harbour__sub_1_mts_rtsp.name='dss:harbour/sub-1/mts.rtsp'
set firewall.dss_harbour__sub_1_mts_rtsp.proto='tcp'
set firewall.dss_harbour__sub_1_mts_rtsp.reflection='1'
set firewall.dss_harbour__sub_1_mts_rtsp.reflection_src='internal'
set firewall.dss_harbour__sub_1_mts_rtsp.src='wan'
set firewall.dss_harbour__sub_1_mts_rtsp.src_dip='203.0.113.22'
set firewall.dss_harbour__sub_1_mts_rtsp.src_dport='9100'
set firewall.dss_harbour__sub_1_mts_rtsp.target='DNAT'
set firewall.dss_harbour__sub_1_mts_rtsps=redirect
set firewall.dss_harbour__sub_1_mts_rtsps.dest='lan'
set firewall.dss_harbour__sub_1_mts_rtsps.dest_ip='198.18.0.21'
set firewall.dss_harbour__sub_1_mts_rtsps.dest_port='9102'
set firewall.dss_harbour__sub_1_mts_rtsps.family='ipv4'
set firewall.dss_harbour__sub_1_mts_rtsps.name='dss:harbour/sub-1/mts.rtsps'
set firewall.dss_harbour__sub_1_mts_rtsps.proto='tcp'
set firewall.dss_harbour__sub_1_mts_rtsps.reflection='1'
set firewall.dss_harbour__sub_1_mts_rtsps.reflection_src='internal'
set firewall.dss_harbour__sub_1_mts_rtsps.src='wan'
set firewall.dss_harbour__sub_1_mts_rtsps.src_dip='203.0.113.22'
set firewall.dss_harbour__sub_1_mts_rtsps.src_dport='9102'
set firewall.dss_harbour__sub_1_mts_rtsps.target='DNAT'
set firewall.dss_harbour__sub_1_mts_webrtc=redirect
set firewall.dss_harbour__sub_1_mts_webrtc.dest='lan'
set firewall.dss_harbour__sub_1_mts_webrtc.dest_ip='198.18.0.21'
set firewall.dss_harbour__sub_1_mts_webrtc.dest_port='9103'
set firewall.dss_harbour__sub_1_mts_webrtc.family='ipv4'
set firewall.dss_harbour__sub_1_mts_webrtc.name='dss:harbour/sub-1/mts.webrtc'
set firewall.dss_harbour__sub_1_mts_webrtc.proto='udp'
set firewall.dss_harbour__sub_1_mts_webrtc.reflection='1'
set firewall.dss_harbour__sub_1_mts_webrtc.reflection_src='internal'
set firewall.dss_harbour__sub_1_mts_webrtc.src='wan'
set firewall.dss_harbour__sub_1_mts_webrtc.src_dip='203.0.113.22'
set firewall.dss_harbour__sub_1_mts_webrtc.src_dport='9103'
set firewall.dss_harbour__sub_1_mts_webrtc.target='DNAT'
set firewall.dss_harbour__sub_1_nginx_http=redirect
set firewall.dss_harbour__sub_1_nginx_http.dest='lan'
set firewall.dss_harbour__sub_1_nginx_http.dest_ip='198.18.0.21'
set firewall.dss_harbour__sub_1_nginx_http.dest_port='80'
set firewall.dss_harbour__sub_1_nginx_http.family='ipv4'
set firewall.dss_harbour__sub_1_nginx_http.name='dss:harbour/sub-1/nginx.http'
set firewall.dss_harbour__sub_1_nginx_http.proto='tcp'
set firewall.dss_harbour__sub_1_nginx_http.reflection='1'
set firewall.dss_harbour__sub_1_nginx_http.reflection_src='internal'
set firewall.dss_harbour__sub_1_nginx_http.src='wan'
set firewall.dss_harbour__sub_1_nginx_http.src_dip='203.0.113.22'
set firewall.dss_harbour__sub_1_nginx_http.src_dport='80'
set firewall.dss_harbour__sub_1_nginx_http.target='DNAT'
set firewall.dss_harbour__sub_1_nginx_https=redirect
set firewall.dss_harbour__sub_1_nginx_https.dest='lan'
set firewall.dss_harbour__sub_1_nginx_https.dest_ip='198.18.0.21'
set firewall.dss_harbour__sub_1_nginx_https.dest_port='443'
set firewall.dss_harbour__sub_1_nginx_https.family='ipv4'
set firewall.dss_harbour__sub_1_nginx_https.name='dss:harbour/sub-1/nginx.https'
set firewall.dss_harbour__sub_1_nginx_https.proto='tcp'
set firewall.dss_harbour__sub_1_nginx_https.reflection='1'
set firewall.dss_harbour__sub_1_nginx_https.reflection_src='internal'
set firewall.dss_harbour__sub_1_nginx_https.src='wan'
set firewall.dss_harbour__sub_1_nginx_https.src_dip='203.0.113.22'
set firewall.dss_harbour__sub_1_nginx_https.src_dport='443'
set firewall.dss_harbour__sub_1_nginx_https.target='DNAT'
set firewall.dss_harbour__sub_1_ss_rtsp=redirect
set firewall.dss_harbour__sub_1_ss_rtsp.dest='lan'
set firewall.dss_harbour__sub_1_ss_rtsp.dest_ip='198.18.0.21'
set firewall.dss_harbour__sub_1_ss_rtsp.dest_port='9320'
set firewall.dss_harbour__sub_1_ss_rtsp.family='ipv4'
set firewall.dss_harbour__sub_1_ss_rtsp.name='dss:harbour/sub-1/ss.rtsp'
set firewall.dss_harbour__sub_1_ss_rtsp.proto='tcp'
set firewall.dss_harbour__sub_1_ss_rtsp.reflection='1'
set firewall.dss_harbour__sub_1_ss_rtsp.reflection_src='internal'
set firewall.dss_harbour__sub_1_ss_rtsp.src='wan'
set firewall.dss_harbour__sub_1_ss_rtsp.src_dip='203.0.113.22'
set firewall.dss_harbour__sub_1_ss_rtsp.src_dport='9320'
set firewall.dss_harbour__sub_1_ss_rtsp.target='DNAT'
set firewall.dss_harbour__sub_1_ss_rtsps=redirect
set firewall.dss_harbour__sub_1_ss_rtsps.dest='lan'
set firewall.dss_harbour__sub_1_ss_rtsps.dest_ip='198.18.0.21'
set firewall.dss_harbour__sub_1_ss_rtsps.dest_port='9322'
set firewall.dss_harbour__sub_1_ss_rtsps.family='ipv4'
set firewall.dss_harbour__sub_1_ss_rtsps.name='dss:harbour/sub-1/ss.rtsps'
set firewall.dss_harbour__sub_1_ss_rtsps.proto='tcp'
set firewall.dss_harbour__sub_1_ss_rtsps.reflection='1'
set firewall.dss_harbour__sub_1_ss_rtsps.reflection_src='internal'
set firewall.dss_harbour__sub_1_ss_rtsps.src='wan'
set firewall.dss_harbour__sub_1_ss_rtsps.src_dip='203.0.113.22'
set firewall.dss_harbour__sub_1_ss_rtsps.src_dport='9322'
set firewall.dss_harbour__sub_1_ss_rtsps.target='DNAT'
END
)
if [ -n "$said" ]; then
    uci revert firewall
    printf '%s\n' "$said" "The router refused this; nothing was changed." >&2
    exit 1
fi
uci commit firewall
# The reload ends well too when rules are left out or cannot be loaded.
said=$(/etc/init.d/firewall reload 2>&1) || said="Error: $said"
case $said in
*Error:* | *dss_harbour__*)
    printf '%s\n' "$said" "The firewall did not load all of this; dmz-openwrt-remove.sh takes it away." >&2
    exit 1
    ;;
esac
