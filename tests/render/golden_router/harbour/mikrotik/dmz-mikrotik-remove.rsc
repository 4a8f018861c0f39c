# Takes the port mapping of dss:harbour away from this router, and nothing else: /import file-name=dmz-mikrotik-remove.rsc
/ip firewall nat remove [find comment~"^dss:harbour/"]
/ip firewall filter remove [find comment~"^dss:harbour/"]
/ip firewall address-list remove [find comment~"^dss:harbour/"]
