"""What gunicorn serves: the portal of this node, built from the deployed configuration."""

from portal import create_app
from portal.settings import deployed

app = create_app(deployed())
