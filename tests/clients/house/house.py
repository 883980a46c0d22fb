"""A Narrowgate server of a test's own: the real program over TLS, with an account and the shop in it.

NARROWGATE names the program and NARROWGATE_TEST_DBT dbt; tests/clients/run sets both.

    with House("dbtc") as house:
        house.check("the server answers", house.get("/api/v2/accounts/")["data"] != [])

ends with `dbtc: 1 checks passed`, or with exit code 1.
"""

import json
import os
import pathlib
import shutil
import ssl
import subprocess
import sys
import tempfile
import time
import traceback
import urllib.error
import urllib.request

ROOT = pathlib.Path(__file__).resolve().parents[3]
# One name for each of the three hosts that clients build out of one.
HOST = "narrowgate.localhost"
# What jobs do behind `dbt seed`: enough to have models and SQL, and over in seconds.
BUILD = "dbt run --select +fct_orders"


class House:
    """The server, from `with` to its end."""

    def __init__(self, client):
        self.client, self.passed, self.failed = client, 0, 0

    def __enter__(self):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix=f"narrowgate-{self.client}-"))
        try:
            self._start()
        except BaseException:
            self._stop()
            raise
        return self

    def __exit__(self, kind, error, trace):
        self._stop()
        if error is not None:
            traceback.print_exception(kind, error, trace)
            self.failed += 1
        if self.failed:
            print(f"{self.client}: {self.failed} of {self.passed + self.failed} checks FAILED", flush=True)
            sys.exit(1)
        print(f"{self.client}: {self.passed} checks passed", flush=True)
        sys.exit(0)

    def check(self, sentence, holds, seen=None):
        """Counts a sentence that has to be true; `seen` is shown where it is not."""
        self.passed, self.failed = (self.passed + 1, self.failed) if holds else (self.passed, self.failed + 1)
        print(f"{'ok' if holds else 'NOT OK'}  {sentence}", flush=True)
        if not holds and seen is not None:
            print(f"        seen: {seen}", flush=True)

    # The server.

    def _start(self):
        program = os.environ["NARROWGATE"]
        clean = {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "NARROWGATE"))}
        data, tls = str(self.folder / "data"), self.folder / "tls"
        names = [part for name in ("", "metadata.", "semantic-layer.") for part in ("--name", f"{name}{HOST}")]
        subprocess.run([program, "dev-cert", "--out", str(tls), *names], check=True, env=clean, stdout=subprocess.DEVNULL)
        init = [program, "init", "--data-dir", data, "--account-name", "Acme", "--plan", "enterprise"]
        init += ["--admin-email", "ada@example.com", "--json"]
        made = json.loads(subprocess.run(init, check=True, env=clean, stdout=subprocess.PIPE).stdout)
        self.account, self.admin = made["account_id"], made["personal_token"]
        serve = [program, "serve", "--data-dir", data, "--listen", "127.0.0.1:0", "--log", "warn"]
        serve += ["--dbt", os.environ["NARROWGATE_TEST_DBT"], "--workers", "2"]
        serve += ["--tls-cert", str(tls / "cert.pem"), "--tls-key", str(tls / "key.pem")]
        self._log = open(self.folder / "server.log", "w")
        self._server = subprocess.Popen(serve, env=clean, stdout=subprocess.PIPE, stderr=self._log, text=True)
        said = self._server.stdout.readline()
        if not said.startswith("listening on https://"):
            raise RuntimeError(f"the server did not start: {(self.folder / 'server.log').read_text()}")
        self.port = int(said.rsplit(":", 1)[1])
        self.host = f"{HOST}:{self.port}"
        self.url = f"https://{self.host}"
        self.authority = str(tls / "ca.pem")
        self._trust = ssl.create_default_context(cafile=self.authority)
        # What requests, httpx, aiohttp and OpenSSL trust.
        for name in ("SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"):
            os.environ[name] = self.authority
        for name in ("http_proxy", "https_proxy", "all_proxy"):
            os.environ.pop(name, None)
            os.environ.pop(name.upper(), None)
        os.environ["DO_NOT_TRACK"] = "1"

    def _stop(self):
        server = getattr(self, "_server", None)
        if server is not None:
            server.terminate()
            try:
                server.wait(timeout=20)
            except subprocess.TimeoutExpired:
                server.kill()
                server.wait()
            self._log.close()
            said = (self.folder / "server.log").read_text().strip()
            if said:
                print(f"the server's log:\n{said}", flush=True)
            self.check("the server ends well", server.returncode == 0, server.returncode)
        shutil.rmtree(self.folder, ignore_errors=True)

    # Plain requests, for what a client cannot do itself.

    def ask(self, method, path, body=None, token=None):
        """The status and the body of an answer."""
        request = urllib.request.Request(f"{self.url}{path}", method=method)
        request.add_header("Authorization", f"Bearer {token or self.admin}")
        if body is not None:
            request.add_header("Content-Type", "application/json")
            request.data = json.dumps(body).encode()
        try:
            with urllib.request.urlopen(request, context=self._trust, timeout=60) as answer:
                return answer.status, json.load(answer)
        except urllib.error.HTTPError as error:
            return error.code, json.load(error)

    def get(self, path):
        return self._good("GET", path)

    def post(self, path, body):
        return self._good("POST", path, body)

    def _good(self, method, path, body=None):
        status, answer = self.ask(method, path, body)
        if status not in (200, 201):
            raise RuntimeError(f"{method} {path}: {status} {answer}")
        return answer

    def v2(self, rest):
        return f"/api/v2/accounts/{self.account}{rest}"

    def v3(self, rest):
        return f"/api/v3/accounts/{self.account}{rest}"

    # What a test plays with.

    def repository(self):
        """The shop as a git repository of this test's own; its path."""
        folder = self.folder / "shop"
        if not folder.exists():
            shutil.copytree(ROOT / "examples" / "shop", folder)
            git = ["git", "-C", str(folder), "-c", "user.name=A Test", "-c", "user.email=test@example.com"]
            git += ["-c", "commit.gpgsign=false"]
            subprocess.run([*git, "init", "--quiet", "--initial-branch=main"], check=True)
            subprocess.run([*git, "add", "--all"], check=True)
            subprocess.run([*git, "commit", "--quiet", "--message=The shop"], check=True)
        return str(folder)

    def connection(self):
        """An account connection to a DuckDB file; its id."""
        body = {"name": "warehouse", "adapter_version": "duckdb_v0", "config": {"path": "shop.duckdb"}}
        return self.post(self.v3("/connections/"), body)["data"]["id"]

    def shop(self, name="shop"):
        """A project on the shop with a production environment; their two ids."""
        connection = self.connection()
        project = self.post(self.v3("/projects/"), {"name": name})["data"]["id"]
        repository = self.post(self.v3(f"/projects/{project}/repositories/"), {"remote_url": self.repository()})
        link = {"repository_id": repository["data"]["id"], "connection_id": connection}
        self.post(self.v3(f"/projects/{project}/"), link)
        body = {"name": "Production", "type": "deployment", "deployment_type": "production"}
        environment = self.post(self.v3(f"/projects/{project}/environments/"), {**body, "connection_id": connection})
        return project, environment["data"]["id"]

    def job(self, project, environment, name="nightly", steps=("dbt seed", BUILD), **more):
        """A job; its id."""
        body = {"name": name, "project_id": project, "environment_id": environment, "execute_steps": list(steps)}
        return self.post(self.v2("/jobs/"), {**body, **more})["data"]["id"]

    def token(self, name, *sets, project=None):
        """A service token that holds these permission sets; its secret."""
        grants = [{"permission_set": each, **({"project_id": project} if project else {})} for each in sets]
        body = {"name": name, "permission_grants": grants}
        return self.post(self.v3("/service-tokens/"), body)["data"]["token_string"]

    def finished(self, run, seconds=180):
        """A run once it is over."""
        end = time.monotonic() + seconds
        while True:
            seen = self.get(self.v2(f"/runs/{run}/?include_related=run_steps"))["data"]
            if seen["is_complete"]:
                return seen
            if time.monotonic() > end:
                raise RuntimeError(f"run {run} is not over after {seconds} s: {seen}")
            time.sleep(0.5)
