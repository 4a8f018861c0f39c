"""The portal: pages for administrators, and the REST API, in one Flask application.

Pages and API call the same functions of `services.smc`; what a page can do, a program can do.
"""

from collections.abc import Mapping
from typing import Any

from flask import Flask
from werkzeug.middleware.proxy_fix import ProxyFix

from portal import (
    about,
    account,
    backups,
    certificates,
    changes,
    devices,
    dmz,
    errors,
    exports,
    guard,
    headers,
    home,
    live,
    manager,
    plans,
    playback,
    players,
    ports,
    recovery,
    releases,
    servers,
    shell,
    tasks,
    topology,
    work,
)
from portal.static_files import install as install_static
from services.smc import api, cluster

PAGES = (
    *(
        account,
        recovery,
        home,
        live,
        playback,
        plans,
        exports,
        servers,
        manager,
        topology,
        devices,
        ports,
        dmz,
        changes,
    ),
    *(players, certificates, tasks, backups, releases, about, shell),
)

DEFAULTS: dict[str, Any] = {
    "VERSION": "unknown",
    "SITE": "DSS",
    "NODE": "",
    "HOSTS": frozenset(),
    # Key of the form tokens before login.
    "SECRET": "",
    "MAX_CONTENT_LENGTH": 1024 * 1024,
    "MAX_FORM_MEMORY_SIZE": 256 * 1024,
    "MAX_FORM_PARTS": 200,
    "TEMPLATES_AUTO_RELOAD": False,
}


def create_app(config: Mapping[str, Any]) -> Flask:
    """The application; `config` replaces values of DEFAULTS. SECRET must be given."""
    app = Flask(__name__)
    app.config.update(DEFAULTS)
    app.config.update(config)
    app.jinja_env.trim_blocks = app.jinja_env.lstrip_blocks = True
    # Exactly one hop: our nginx. With more, a caller could choose the address that is locked.
    app.wsgi_app = ProxyFix(app.wsgi_app, x_for=1, x_proto=1, x_host=1)  # type: ignore[method-assign]
    work.install(app)
    headers.install(app)
    errors.install(app)
    guard.install(app)
    install_static(app)
    for page in PAGES:
        app.register_blueprint(page.blueprint)
    app.register_blueprint(api.blueprint)
    app.register_blueprint(cluster.blueprint)
    return app
