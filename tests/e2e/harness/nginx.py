"""nginx as a real origin, on a private configuration."""
import os
import signal
import subprocess
from pathlib import Path

from harness.ports import free_port
from harness.waiting import until

CONFIGURATION = """
daemon off;
worker_processes 1;
pid {folder}/nginx.pid;
error_log {folder}/error.log;
{user}
events {{ worker_connections 512; }}
http {{
  log_format one '$status $request_length $request';
  access_log {log};
  client_body_temp_path {folder}/t1; proxy_temp_path {folder}/t2; fastcgi_temp_path {folder}/t3;
  uwsgi_temp_path {folder}/t4; scgi_temp_path {folder}/t5;
  server {{ listen 127.0.0.1:{port}; root {folder}/files; }}
}}
"""


class Nginx:
    def __init__(self, folder, access_log=False):
        self.port, top = free_port(), Path(folder)
        self.log = top / "access.log"
        self.folder = top / "files"
        self.folder.mkdir()
        (self.folder / "big").write_bytes(os.urandom(1 << 20))
        conf = top / "nginx.conf"
        user = "user root;" if os.geteuid() == 0 else ""
        conf.write_text(CONFIGURATION.format(folder=top, port=self.port, user=user,
                                             log=f"{self.log} one" if access_log else "off"))
        self.process = subprocess.Popen(["nginx", "-c", str(conf), "-e", str(top / "error.log")],
                                        stderr=subprocess.DEVNULL)
        until(lambda: (top / "nginx.pid").exists(), "nginx to start")

    def close(self):
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(10)
