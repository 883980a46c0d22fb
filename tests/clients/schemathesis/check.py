"""schemathesis holds our answers against our own OpenAPI document, with a token of each of four permission sets.

No server error, no status code, content type or body that the document does not have. Bounded to 4 minutes
altogether; with --long each set has a quarter of an hour and another seed each time.
"""

import os
import pathlib
import subprocess
import sys
import time

from house import House

PROGRAM = pathlib.Path(sys.executable).with_name("schemathesis")
SETS = ("account_admin", "job_admin", "metadata_only", "readonly")
CHECKS = "not_a_server_error,status_code_conformance,content_type_conformance,response_schema_conformance"
LONG = "--long" in sys.argv

with House("schemathesis") as house:
    project, environment = house.shop()
    job = house.job(project, environment, steps=["dbt seed --select raw_orders"])
    run = house.post(house.v2(f"/jobs/{job}/run/"), {"cause": "schemathesis"})["data"]["id"]
    house.check("there is a run to ask for", house.finished(run)["is_success"])
    step = house.get(house.v2(f"/runs/{run}/?include_related=run_steps"))["data"]["run_steps"][-1]["id"]
    spare = house.post(house.v3("/service-tokens/"), {"name": "spare"})["data"]["id"]
    in_project = f"/projects/{project}"
    made = {
        "credential": (house.v3(f"{in_project}/credentials/"), {"type": "adapter", "adapter_version": "duckdb_v0", "default_schema": "main"}),
        "environment_variable": (house.v3(f"{in_project}/environment-variables/"), {"name": "DBT_REGION", "type": "project", "raw_value": "north"}),
        "extended_attribute": (house.v3(f"{in_project}/extended-attributes/"), {"extended_attributes": {"threads": 2}}),
        "notification": (house.v2("/notifications/"), {"user_id": 1, "type": 1, "on_failure": [job], "on_success": [], "on_cancel": []}),
    }
    made |= {
        "adapter": (house.v3(f"{in_project}/adapters/"), {"adapter_version": "duckdb_v0", "metadata_json": {}}),
        "project_connection": (house.v3(f"{in_project}/connections/"), {"name": "own", "type": "adapter", "adapter_version": "duckdb_v0", "details": {"path": "own.duckdb"}}),
        "group": (house.v3("/groups/"), {"name": "spare", "assign_by_default": False, "sso_mapping_groups": []}),
        "group_permission": (house.v3("/groups/"), {"name": "granted", "assign_by_default": False, "sso_mapping_groups": []}),
        "license_map": (house.v3("/license-maps/"), {"license_type": "read_only", "sso_license_mapping_groups": ["a"]}),
        "oauth_configuration": (house.v3("/oauth-configurations/"), {"type": "entra", "client_secret": "secret"}),
        "encryption": (house.v2("/encryptions/"), {"connection_id": 1, "username": "ada", "hostname": "bastion.example"}),
        "semantic_layer_configuration": (house.v3(f"{in_project}/semantic-layer-configurations/"), {"environment_id": environment}),
    }
    made = {noun: house.post(path, body)["data"]["id"] for noun, (path, body) in made.items()}
    tokens = {name: house.token(name, name) for name in SETS}
    # What is there, so that more than 404 is seen; deleting finds nothing, so that it stays there.
    there = {"account": house.account, "project": project, "environment": environment, "job": job, "run": run}
    there |= {"step": step, "service_token": spare, "user": 1, "connection": 1, "repository": 1}
    there["subscription"] = house.post(house.v3("/webhooks/subscriptions"), {"name": "hook", "client_url": "https://127.0.0.1:9/", "event_types": ["job.run.errored"]})["data"]["id"]
    there = {f"path.{noun}_id": number for noun, number in {**there, **made}.items()}
    there["path.remainder"] = "run_results.json"
    config = house.folder / "schemathesis.toml"
    # What is not in the document is not held against it: 405, or 501 for what dbt's own document has.
    text = "[phases.coverage]\nunexpected-methods = []\n"
    text += "[parameters]\n" + "".join(f"\"{name}\" = {value!r}\n" for name, value in there.items())
    text += '[[operations]]\ninclude-method = "DELETE"\n[operations.parameters]\n'
    text += "".join(f'"{name}" = 987654\n' for name in there if name not in ("path.account_id", "path.remainder"))
    config.write_text(text.replace("'", '"'))

    for name in SETS:
        arguments = [PROGRAM, "--config-file", config, "run", f"{house.url}/api/openapi.json", "--checks", CHECKS]
        arguments += ["--header", f"Authorization: Bearer {tokens[name]}", "--tls-verify", house.authority]
        # It would end the token that asks.
        arguments += ["--exclude-path-regex", "self/token"]
        arguments += ["--phases", "examples,coverage,fuzzing", "--workers", "1", "--request-retries", "0"]
        arguments += ["--max-time", "900"] if LONG else ["--max-time", "45", "--seed", "7", "--max-examples", "20"]
        start = time.monotonic()
        done = subprocess.run([*map(str, arguments)], capture_output=True, text=True, cwd=house.folder)
        said = done.stdout + done.stderr
        if done.returncode != 0:
            print(said[-20000:], flush=True)
        house.check(f"all is as the document says for {name}, {time.monotonic() - start:.0f} s", done.returncode == 0)
        status, _ = house.ask("GET", house.v2("/"), token=tokens[name])
        house.check(f"{name} still has its token", status != 401, status)
