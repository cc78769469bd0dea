"""Makes Roundup's classic tracker with one more field of an issue; prints a bearer token of a user."""

import os
import subprocess
import sys
import time
from pathlib import Path

import jwt

WEB = "http://127.0.0.1/tracker/"
home = Path(os.environ["BENCH_TRACKER"])
name, user, port = os.environ["BENCH_DATABASE"].split()
secret = os.environ["BENCH_SECRET"]
admin = [str(Path(sys.executable).parent / "roundup-admin"), "-i", str(home)]


def run(*command: str) -> str:
    done = subprocess.run([*admin, *command], check=False, capture_output=True, text=True)
    if done.returncode:
        sys.exit(f"{command[0]}: {done.stdout}{done.stderr}")
    return done.stdout


settings = {
    "rdbms_name": name,
    "rdbms_user": user,
    "rdbms_host": "127.0.0.1",
    "rdbms_port": port,
    "tracker_web": WEB,
    "mail_domain": "example.com",
    "mail_host": "127.0.0.1",
    "web_jwt_secret": secret,
}
run("install", "classic", "postgresql", ",".join(f"{key}={value}" for key, value in settings.items()))
schema = home / "schema.py"
lines = schema.read_text()
assert lines.count('IssueClass(db, "issue",') == 1
schema.write_text(lines.replace('IssueClass(db, "issue",', 'IssueClass(db, "issue", narrative=String(),'))
run("initialise", secret[:20])
agent = run("create", "user", "username=bench", "address=bench@example.com", "roles=User").split()[-1]
now = int(time.time())
claim = {"sub": agent, "iss": WEB, "aud": WEB, "roles": ["User"], "iat": now, "exp": now + 7 * 24 * 3600}
print(jwt.encode(claim, secret, algorithm="HS256"))
