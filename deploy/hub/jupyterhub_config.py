"""JupyterHub on one machine, for voxloop: several users, one installation, one line in front of each device.

Started by root with ``jupyterhub -f deploy/hub/jupyterhub_config.py``. What an installation has to decide comes from
the environment; README.md beside this file names each variable. Users are those of the machine.
"""

import os
import sys
from pathlib import Path

c = get_config()  # noqa: F821  (JupyterHub puts it here)

#: the installation that everybody uses, read-only: the one that runs this hub
BIN = Path(sys.prefix) / "bin"
#: folder of the lines in front of the devices; sticky and open to all, like /tmp
QUEUE = Path(os.environ.get("VOXLOOP_HUB_QUEUE", "/var/lib/voxloop/queue"))
#: where the hub keeps its database and its secrets; root's alone
STATE = Path(os.environ.get("VOXLOOP_HUB_STATE", "/srv/jupyterhub"))

# ------------------------------------------------------------------------------------------------ addresses

c.JupyterHub.bind_url = os.environ.get("VOXLOOP_HUB_URL", "http://127.0.0.1:8000/")
c.JupyterHub.hub_bind_url = os.environ.get("VOXLOOP_HUB_INNER_URL", "http://127.0.0.1:8081/")
c.ConfigurableHTTPProxy.api_url = os.environ.get("VOXLOOP_HUB_PROXY_URL", "http://127.0.0.1:8001/")
c.ConfigurableHTTPProxy.command = os.environ.get("VOXLOOP_HUB_PROXY", "configurable-http-proxy").split()

STATE.mkdir(parents=True, exist_ok=True, mode=0o700)
c.JupyterHub.db_url = f"sqlite:///{STATE / 'jupyterhub.sqlite'}"
c.JupyterHub.cookie_secret_file = str(STATE / "cookie_secret")
c.ConfigurableHTTPProxy.pid_file = str(STATE / "proxy.pid")

# ------------------------------------------------------------------------------------------------ who

# PAM, the users of this machine, is JupyterHub's own choice; whoever may log in here may use the hub
c.Authenticator.allow_all = True
if os.environ.get("VOXLOOP_HUB_ADMINS"):
    c.Authenticator.admin_users = set(os.environ["VOXLOOP_HUB_ADMINS"].split(","))

# ------------------------------------------------------------------------------------------------ their servers

c.JupyterHub.spawner_class = "jupyterhub.spawner.LocalProcessSpawner"
c.Spawner.default_url = "/lab"
c.Spawner.notebook_dir = "~"
# Files of a folder that a group shares stay open to the group. Where each user has a group of their own, as Debian and
# Red Hat make users, their other files stay theirs.
c.Spawner.cmd = ["/bin/sh", "-c", 'umask 002; exec "$0" "$@"', str(BIN / "python"), "-m", "jupyterhub.singleuser"]
c.Spawner.environment = {
    # one running run a device, whoever's it is; without it each user has a line of their own, and they meet in memory
    "VOXLOOP_QUEUE": str(QUEUE),
    "PATH": f"{BIN}:/usr/local/bin:/usr/bin:/bin",
}
# JupyterHub passes few variables on; those that a GPU node sets for everybody
c.Spawner.env_keep = ["LANG", "LC_ALL", "TZ", "CUDA_VISIBLE_DEVICES", "LD_LIBRARY_PATH", "VOXLOOP_DATA"]
# The first import of an installation on a network disk takes its time
c.Spawner.start_timeout = 120
c.Spawner.http_timeout = 120

if not QUEUE.is_dir():
    QUEUE.mkdir(parents=True)
    QUEUE.chmod(0o1777)

# ------------------------------------------------------------------------------------------------ idle servers

# A server that nobody uses is ended; runs go on, since they are processes of their own (docs/hub.md says where not).
if int(os.environ.get("VOXLOOP_HUB_IDLE_SECONDS", "3600")):
    c.Spawner.args = [
        f"--ServerApp.shutdown_no_activity_timeout={os.environ.get('VOXLOOP_HUB_IDLE_SECONDS', '3600')}",
        "--MappingKernelManager.cull_idle_timeout=3600",
        "--MappingKernelManager.cull_interval=300",
        "--MappingKernelManager.cull_connected=False",
        "--LabApp.news_url=",
    ]
