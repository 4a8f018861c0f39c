"""The inventory's vocabulary: one row per key drives validation, suggestions and docs/guide/inventory.md."""

from services import topology_keys_network, topology_keys_node, topology_keys_router, topology_keys_site
from services.topology_key import Key

KEYS: dict[str, Key] = {
    key.name: key
    for part in (topology_keys_site, topology_keys_node, topology_keys_network, topology_keys_router)
    for key in part.KEYS
}

RENAMED = {
    "dss_agreement": "dss_accept_agreement",
    "dss_center_ip": "dss_center",
    "dss_cms_ip": "dss_address",
    "dss_data_path": "dss_install_path",
    "dss_external_ip": "dss_mapping_ip",
    "dss_mapping_address": "dss_mapping_ip",
    "dss_service_ip": "dss_address",
    "dss_standby_for": "dss_covers",
    "dss_tls_1_0": "dss_tls10",
    "dss_vip": "dss_virtual_ip",
}
"""Names from earlier drafts and from other products, each with the name that is right."""
