"""dbt-cloud-cli, as a program: projects, environments, jobs and runs, and what a narrow token may not."""

import json
import os
import pathlib
import subprocess
import sys

from house import BUILD, House

PROGRAM = pathlib.Path(sys.executable).with_name("dbt-cloud")


def said(*arguments, token=None):
    """The exit code and the JSON that a command printed."""
    environment = {**os.environ, **({"DBT_CLOUD_API_TOKEN": token} if token else {})}
    done = subprocess.run([PROGRAM, *map(str, arguments)], env=environment, capture_output=True, text=True)
    try:
        return done.returncode, json.loads(done.stdout)
    except ValueError:
        return done.returncode, done.stdout + done.stderr


def data(*arguments, token=None):
    code, answer = said(*arguments, token=token)
    if code != 0:
        raise RuntimeError(f"dbt-cloud {arguments}: {code} {answer}")
    return answer["data"]


def ids(rows):
    return [row["id"] for row in rows]


with House("dbt-cloud-cli") as house:
    os.environ["DBT_CLOUD_HOST"] = house.host
    os.environ["DBT_CLOUD_ACCOUNT_ID"] = str(house.account)
    os.environ["DBT_CLOUD_API_TOKEN"] = house.admin

    house.check("the account is listed", ids(data("account", "list")) == [house.account])
    house.check("the account is read", data("account", "get")["name"] == "Acme")

    project = data("project", "create", "--name", "shop", "--type", 0)["id"]
    other = data("project", "create", "--name", "another", "--type", 0)["id"]
    house.check("projects are made and listed", ids(data("project", "list")) == [project, other])
    connection = house.connection()
    repository = house.post(house.v3(f"/projects/{project}/repositories/"), {"remote_url": house.repository()})["data"]["id"]
    updated = data("project", "update", "--project-id", project, "--name", "the shop", "--type", 0, "--connection-id", connection, "--repository-id", repository)
    house.check("a project is updated", (updated["name"], updated["repository_id"]) == ("the shop", repository), updated)

    create = ["environment", "create", "--project-id", project, "--type", "deployment", "--connection-id", connection]
    environment = data(*create, "--name", "Production", "--deployment-type", "production")["id"]
    spare = data(*create, "--name", "Spare")["id"]
    gone = data("environment", "delete", "--project-id", project, "--environment-id", spare)
    house.check("an environment is deleted, with an answer in JSON", gone["id"] == spare, gone)
    house.check("environments are listed", ids(data("environment", "list", "--project-id", project)) == [environment])

    steps = repr(["dbt seed", BUILD])
    create = ["job", "create", "--project-id", project, "--environment-id", environment, "--name", "nightly"]
    job = data(*create, "--execute-steps", steps)
    house.check("a job is made with every field that the client knows", job["execute_steps"] == ["dbt seed", BUILD], job)
    file = str(house.folder / "job.json")
    said("job", "export", "--job-id", job["id"], "--file", file)
    copy = data("job", "import", "--file", file)
    house.check("an exported job is imported as it was", (copy["name"], copy["schedule"]["cron"]) == (job["name"], job["schedule"]["cron"]) and copy["id"] != job["id"], copy)
    data("job", "delete", "--job-id", copy["id"])
    house.check("jobs are listed", ids(data("job", "list", "--project-id", project)) == [job["id"]])

    # A token as wide as the work.
    runner = house.token("runner", "job_admin", project=project)
    code, run = said("job", "run", "--job-id", job["id"], "--wait", "--file", file, token=runner)
    run = json.loads(pathlib.Path(file).read_text())["data"]
    house.check("a narrow token runs the job and waits for its end", (code, run["status"]) == (0, 10), run)
    steps = data("run", "get", "--run-id", run["id"], "--include-related", "run_steps", token=runner)["run_steps"]
    house.check("its steps are asked for as a JSON list", len(steps) >= 5, steps)
    house.check("its artifacts are listed", "manifest.json" in data("run", "list-artifacts", "--run-id", run["id"]))
    said("run", "get-artifact", "--run-id", run["id"], "--path", "run_results.json", "--file", file)
    results = json.loads(pathlib.Path(file).read_text())["results"]
    house.check("an artifact is read", any(each["unique_id"] == "model.shop.fct_orders" for each in results))
    listed = data("run", "list", "--status", "Succeeded", "--job-id", job["id"], "--order-by", "-id", "--limit", 1)
    house.check("runs are chosen by status", ids(listed) == [run["id"]], listed)
    second = data("job", "run", "--job-id", job["id"])["id"]
    every = data("run", "list", "--paginate")
    house.check("runs are listed page by page", ids(every) == [run["id"], second], every)
    house.check("a run is cancelled", data("run", "cancel", "--run-id", second)["id"] == second)
    house.check("a cancelled run ends so", house.finished(second)["is_cancelled"])

    create = ["connection", "create", "--project-id", project, "--name", "flake", "--type", "snowflake"]
    flake = ["--account", "a", "--database", "d", "--warehouse", "w", "--role", "r"]
    made = data(*create, *flake)
    house.check("a connection of the project is made", (made["type"], made["details"]["role"], made["project_id"]) == ("snowflake", "r", project), made)
    house.check("connections of the project are listed", ids(data("connection", "list", "--project-id", project)) == [made["id"]])
    read = data("connection", "get", "--project-id", project, "--connection-id", made["id"])
    house.check("a connection is read", read == made, read)
    code, answer = said(*create, *flake, token=runner)
    house.check("whoever holds the project's data platforms makes one", code == 0, answer)
    gone = data("connection", "delete", "--project-id", project, "--connection-id", made["id"])
    house.check("a connection is deleted, with an answer in JSON", gone["state"] == 2, gone)
    code, answer = said("connection", "get", "--project-id", project, "--connection-id", made["id"])
    house.check("a deleted connection is not found", (code, answer["status"]["code"]) == (1, 404), answer)

    log = data("audit-log", "get", "--limit", 3)
    house.check("the audit log is read", len(log) == 3 and log[0]["event_type"] == "connection.deleted", log)
    early = data("audit-log", "get", "--logged-at-end", "2020-01-01")
    house.check("the audit log is asked for a time", early == [], early)
    code, answer = said("audit-log", "get", token=runner)
    house.check("a narrow token reads no audit log: 403", code == 1 and answer["status"]["code"] == 403, answer)

    viewer = house.token("viewer", "job_viewer", project=project)
    code, answer = said(*create, *flake, token=viewer)
    house.check("a viewer makes no connection: 403", code == 1 and answer["status"]["code"] == 403, answer)
    house.check("a viewer lists the jobs of its project", ids(data("job", "list", token=viewer)) == [job["id"]])
    code, answer = said("job", "run", "--job-id", job["id"], token=viewer)
    house.check("a viewer starts none: 403", code == 1 and '"code": 403' in str(answer).replace("'", '"'), answer)
    code, answer = said("project", "get", "--project-id", other, token=viewer)
    house.check("another project is not found", (code, answer["status"]["code"]) == (1, 404), answer)
    gone = data("job", "delete", "--job-id", job["id"])
    house.check("a job is deleted, with an answer in JSON", gone["state"] == 2, gone)
    code, answer = said("job", "get", "--job-id", job["id"])
    house.check("a deleted job is not found", (code, answer["status"]["code"]) == (1, 404), answer)
    house.check("a project is deleted", data("project", "delete", "--project-id", other)["state"] == 2)
