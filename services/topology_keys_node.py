"""Variables about what a node keeps, shows and asks for."""

from services.topology_key import NODES, row

KEYS = (
    row(
        "dss_install_path",
        "path",
        NODES,
        "/srv/dss",
        "Folder for what grows: database, messages, recordings. It should not be on the system disk.",
        "/srv/dss",
    ),
    row(
        "dss_picture_paths",
        "path list",
        NODES,
        [],
        "Folders for face pictures, on neither the system disk nor the disk of the installation path.",
        "[/srv/pictures]",
    ),
    row(
        "dss_recording_paths",
        "path list",
        NODES,
        [],
        "Folders for recordings, best one per disk; each file goes where most room is. Empty: "
        "`recordings` below the installation path.",
        "[/mnt/disk1/recordings, /mnt/disk2/recordings]",
    ),
    row(
        "dss_recording_encryption",
        "bool",
        NODES,
        False,
        "Whether new recordings and exports are encrypted on their disks. What lies there stays as it is, "
        "and all of it stays readable.",
        "true",
    ),
    row(
        "dss_recording_days",
        "number",
        NODES,
        None,
        "Days for which recordings are kept at most. If absent: as long as there is room.",
        "30",
    ),
    row(
        "dss_recording_gigabytes",
        "number",
        NODES,
        None,
        "Gigabytes that the recordings of the node may take in all. If absent: all but a reserve of a "
        "twentieth of each disk, 10 GB at most.",
        "2000",
    ),
    row(
        "dss_export_days",
        "number",
        NODES,
        7,
        "Days for which the results of exports are kept.",
        "30",
    ),
    row(
        "dss_export_gigabytes",
        "number",
        NODES,
        None,
        "Gigabytes that exports may take on the first folder for recordings; recordings leave them free. If "
        "absent: a twentieth of that disk, 50 GB at most.",
        "200",
    ),
    row(
        "dss_converted_streams",
        "number",
        NODES,
        4,
        "Camera streams that the node converts at once for browsers that cannot decode H.265; 0 for none. "
        "Each takes up to one core, behind everything else.",
        "8",
    ),
    row(
        "dss_webrtc_viewers",
        "number",
        NODES,
        8,
        "How many may watch the node's cameras by WebRTC at once, with the lowest delay; 0 for nobody. Each "
        "takes about 1 % of a core for 4 Mbit/s.",
        "16",
    ),
    row(
        "dss_portal_certificate",
        "text",
        "main",
        None,
        "PEM file on the deploying machine: the customer's certificate for the portal and its chain. If "
        "absent, the portal shows the certificate of the site's own authority.",
        "secrets/portal-chain.pem",
    ),
    row(
        "dss_portal_key",
        "text",
        "main",
        None,
        "PEM file with the key of `dss_portal_certificate`; it may be encrypted by ansible-vault.",
        "secrets/portal.key",
    ),
    row(
        "dss_password_profile",
        "choice",
        "main standby cascade",
        "classic",
        "Rules for passwords. `classic`: 8 to 32 characters of two kinds, and protection questions. "
        "`modern`: 15 characters or more, none that attackers know, and recovery codes.",
        "modern",
        "classic",
        "modern",
    ),
    row(
        "dss_confirm_seconds",
        "number",
        NODES,
        300,
        "Seconds after which a change that was made in the portal is undone unless it is confirmed.",
        "300",
    ),
    row(
        "dss_backup_key",
        "seal key",
        NODES,
        None,
        "Public key for which backups are encrypted; `./dss backup key` makes it. If absent: no backups.",
        "x25519:N3sGzr7nQhjDBHCjXGkzIzJ5l9a0wU0uQkHyyc3Bv2Q=",
    ),
    row(
        "dss_backup_path",
        "path",
        NODES,
        "/var/backups/dss",
        "Folder that backups are written to, best on another disk or machine than the data.",
        "/mnt/backups",
    ),
    row("dss_backup_keep", "number", NODES, 14, "How many backups of a node are kept.", "14"),
    row("dss_backup_time", "time", NODES, "02:30", "Time of day at which backups are made.", "02:30"),
)
