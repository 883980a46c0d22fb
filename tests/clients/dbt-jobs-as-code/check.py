"""dbt-jobs-as-code plans, makes, changes and removes jobs by a file; what it makes runs; a narrow token is refused."""

import json
import os
import pathlib
import subprocess
import sys

from house import BUILD, House

PROGRAM = pathlib.Path(sys.executable).with_name("dbt-jobs-as-code")

JOBS = """
jobs:
  nightly:
    account_id: {account}
    project_id: {project}
    environment_id: {environment}
    name: nightly
    description: every night
    settings: {{threads: 2, target_name: default}}
    execution: {{timeout_seconds: 600}}
    run_generate_sources: false
    execute_steps: ["dbt seed", "{build}"]
    generate_docs: false
    schedule: {{cron: "{cron}"}}
    triggers: {{github_webhook: false, git_provider_webhook: false, schedule: false, on_merge: false}}
    custom_environment_variables: [{{DBT_REGION: "{region}"}}]
"""
AFTER = """
  after:
    account_id: {account}
    project_id: {project}
    environment_id: {environment}
    name: after nightly
    settings: {{threads: 4, target_name: default}}
    run_generate_sources: false
    execute_steps: ["dbt ls"]
    generate_docs: false
    schedule: {{cron: "0 6 1 1 *"}}
    triggers: {{github_webhook: false, git_provider_webhook: false, schedule: false, on_merge: false}}
    job_completion_trigger_condition: {{condition: {{job_id: {job}, project_id: {project}, statuses: [10, 20]}}}}
    cost_optimization_features: []
"""


with House("dbt-jobs-as-code") as house:
    project, environment = house.shop()
    os.environ["DBT_BASE_URL"] = house.url
    os.environ["DBT_API_KEY"] = house.token("jobs as code", "job_admin", project=project)
    file = house.folder / "jobs.yml"

    def write(template, **more):
        known = {"account": house.account, "project": project, "environment": environment, "build": BUILD}
        file.write_text(template.format(**{**known, "cron": "0 3 * * *", "region": "north", **more}))

    def said(command, *options, key=None):
        environment = {**os.environ, **({"DBT_API_KEY": key} if key else {})}
        arguments = [PROGRAM, command, *map(str, options)]
        done = subprocess.run(arguments, env=environment, capture_output=True, text=True)
        return done.returncode, done.stdout, done.stderr

    def changes(command, *options):
        """What `plan` or `sync` would do or did: pairs of action and kind of thing."""
        code, out, err = said(command, file, "--project-id", project, "--json", *options)
        if code != 0:
            raise RuntimeError(f"{command}: {code} {out} {err}")
        answer = json.loads(out[out.index("{"):])
        return [(each["action"].lower(), each["type"].lower()) for each in answer["job_changes"] + answer["env_var_overwrite_changes"]]

    def jobs():
        return house.get(house.v2(f"/jobs/?project_id={project}"))["data"]

    write(JOBS)
    code, out, err = said("validate", file, "--online")
    house.check("the file is valid, its ids too", code == 0, out + err)
    planned = changes("plan")
    house.check("a plan makes the job", ("create", "job") in planned, planned)
    house.check("a plan changes nothing", jobs() == [])
    changes("sync")
    made = jobs()
    house.check("sync makes it", [job["name"] for job in made] == ["nightly [[nightly]]"], made)
    house.check("its schedule is the cron that was sent", made[0]["schedule"]["cron"] == "0 3 * * *", made)
    house.check("what was made is what was planned: the next plan is empty", changes("plan") == [], changes("plan"))

    write(JOBS + AFTER, job=made[0]["id"], cron="30 4 * * 1", region="south")
    changes("sync")
    variables = house.get(house.v3(f"/projects/{project}/environment-variables/job/?job_definition_id={made[0]['id']}"))
    house.check("a job's environment variable is changed", variables["data"]["DBT_REGION"]["job"]["value"] == "south", variables)
    both = {job["name"]: job for job in jobs()}
    house.check("a job is changed and another made", both["nightly [[nightly]]"]["schedule"]["cron"] == "30 4 * * 1" and len(both) == 2, both)
    condition = both["after nightly [[after]]"]["job_completion_trigger_condition"]
    house.check("its condition is echoed", condition == {"condition": {"job_id": made[0]["id"], "project_id": project, "statuses": [10, 20]}}, condition)
    house.check("after that the plan is empty again", changes("plan") == [], changes("plan"))

    run = house.post(house.v2(f"/jobs/{made[0]['id']}/run/"), {"cause": "made as code"})["data"]["id"]
    house.check("the job runs to its end", house.finished(run)["is_success"])
    status, results = house.ask("GET", house.v2(f"/runs/{run}/artifacts/run_results.json"))
    house.check("its artifacts are read", status == 200 and results["args"]["select"] == ["+fct_orders"], status)

    account = ["--account-id", house.account]
    code, out, err = said("import-jobs", *account, "--job-id", made[0]["id"], "--check-missing-fields")
    house.check("a job has no field that the client does not know", code == 0 and "ERROR" not in out + err, out + err)
    code, out, err = said("import-jobs", *account, "--project-id", project, "--include-linked-id")
    house.check("jobs are imported", code == 0 and "after nightly" in out and f"linked_id: {made[0]['id']}" in out, out + err)
    code, out, err = said("unlink", *account, "--project-id", project, "--identifier", "after")
    house.check("a job is unlinked: its name loses the identifier", code == 0 and "after nightly" in [job["name"] for job in jobs()], out + err)
    after = both["after nightly [[after]]"]["id"]
    linked = (JOBS + AFTER).replace("  after:\n", f"  after:\n    linked_id: {after}\n")
    write(linked, job=made[0]["id"], cron="30 4 * * 1")
    code, out, err = said("link", file, "--project-id", project)
    house.check("it is linked again", code == 0 and "after nightly [[after]]" in [job["name"] for job in jobs()], out + err)

    write(JOBS)
    changes("sync")
    house.check("a job that left the file is removed", [job["name"] for job in jobs()] == ["nightly [[nightly]]"], jobs())

    viewer = house.token("viewer", "job_viewer", project=project)
    code, out, err = said("plan", file, "--project-id", project, key=viewer)
    house.check("a viewer plans", code == 0, out + err)
    write(JOBS, cron="0 5 * * *")
    said("sync", file, "--project-id", project, key=viewer)
    house.check("a viewer changes nothing", jobs()[0]["schedule"]["cron"] == "0 3 * * *", jobs())
    code, out, err = said("plan", file, "--project-id", project, key="ngst_nobody")
    house.check("an unknown token is told so", code != 0 and "401" in out + err, out + err)
