"""dbtc makes a project and everything in it, runs its job, reads what came of it, and is held to a narrow token."""

from dbtc import dbtCloudClient
from house import BUILD, House


def is_good(answer):
    return answer["status"]["is_success"]


with House("dbtc") as house:
    account = house.account
    admin = dbtCloudClient(host=house.host, service_token=house.admin).cloud

    accounts = admin.list_accounts()
    house.check("the account is listed", [each["id"] for each in accounts["data"]] == [account], accounts)
    house.check("the account is found by its name", admin.get_account_by_name("Acme")["data"]["id"] == account)

    project = admin.create_project(account, {"name": "shop"})["data"]["id"]
    remote = {"remote_url": house.repository()}
    repository = admin.create_repository(account, project, remote)["data"]["id"]
    link = {"repository_id": repository, "connection_id": house.connection()}
    updated = admin.update_project(account, project, {**admin.get_project(account, project)["data"], **link})
    house.check("a project is made and updated as it was read", is_good(updated), updated)
    house.check("the project is found by its name", admin.get_project_by_name("shop", account)["data"]["id"] == project)
    other = admin.create_project(account, {"name": "another"})["data"]["id"]
    chosen = admin.list_projects(account, project_id=[other])["data"]
    house.check("projects are chosen by their ids", [each["id"] for each in chosen] == [other], chosen)

    production = {"name": "Production", "type": "deployment", "deployment_type": "production"}
    production["connection_id"] = link["connection_id"]
    environment = admin.create_environment(account, project, production)["data"]["id"]
    staging = {"name": "Staging", "type": "deployment", "deployment_type": "staging"}
    staging = admin.create_environment(account, project, staging)["data"]["id"]
    listed = admin.list_environments(account, project, deployment_type="production")["data"]
    house.check("environments are chosen by their type", [each["id"] for each in listed] == [environment], listed)
    gone = admin.delete_environment(account, staging)
    house.check("an environment is deleted", is_good(gone), gone)
    gone = admin.get_environment(account, project, staging)
    house.check("a deleted environment is not found", gone["status"]["code"] == 404, gone)

    job = {"name": "nightly", "project_id": project, "environment_id": environment}
    job = admin.create_job(account, {**job, "execute_steps": ["dbt seed", BUILD], "generate_docs": True})["data"]
    echoed = admin.update_job(account, job["id"], {**job, "description": "every night"})
    house.check("a job is made and updated as it was read", echoed["data"]["description"] == "every night", echoed)
    jobs = admin.list_jobs(account, project_id=[project], order_by="-id")
    house.check("jobs are listed by project", [each["id"] for each in jobs["data"]] == [job["id"]], jobs)

    # A token as wide as the work: it starts jobs of this project and reads nothing of another.
    made = admin.create_service_token(account, {"id": None, "account_id": account, "uid": "", "name": "ci", "state": 1})
    grant = {"account_id": account, "service_token_id": made["data"]["id"], "state": 1}
    grant |= {"permission_set": "job_admin", "project_id": project, "all_projects": False}
    rows = admin.assign_service_token_permissions(account, made["data"]["id"], [grant])
    house.check("a token's permissions are a list that is posted", is_good(rows), rows)
    rows = admin.list_service_token_permissions(account, made["data"]["id"])["data"]
    house.check("the permissions are read back", [row["permission_set"] for row in rows] == ["job_admin"], rows)
    ci = dbtCloudClient(host=house.host, service_token=made["data"]["token_string"]).cloud

    run = ci.trigger_job(account, job["id"], {"cause": "dbtc"}, poll_interval=1)
    house.check("the narrow token runs the job to its end", run["data"]["status"] == 10, run)
    run = run["data"]["id"]
    steps = ci.get_run(account, run, include_related=["run_steps", "job"])["data"]
    names = [step["name"] for step in steps["run_steps"]]
    house.check("the run has its steps and its job", names[3:5] == ["Invoke dbt with `dbt seed`", f"Invoke dbt with `{BUILD}`"] and steps["job"]["id"] == job["id"], steps)
    files = ci.list_run_artifacts(account, run)["data"]
    house.check("its artifacts are listed", {"manifest.json", "run_results.json", "catalog.json"} <= set(files), files)
    results = ci.get_run_artifact(account, run, "run_results.json")
    house.check("an artifact is the raw JSON", len(results["results"]) > 10, results)
    sql = next(path for path in files if path.startswith("compiled/") and path.endswith("fct_orders.sql"))
    house.check("an artifact may be SQL", "select" in ci.get_run_artifact(account, run, sql).lower())
    recent = ci.get_most_recent_run(account, job_definition_id=job["id"], status="success")
    house.check("the most recent run is found by status", recent["data"]["id"] == run, recent)
    manifest = ci.get_most_recent_run_artifact(account, "manifest.json", job_definition_id=job["id"])
    house.check("the job's newest manifest is read", "model.shop.fct_orders" in manifest["nodes"])

    pull_request = {"cause": "pull request", "github_pull_request_id": 7, "schema_override": "pr_7"}
    first = ci.trigger_autoscaling_ci_job(account, job["id"], pull_request)
    second = ci.trigger_autoscaling_ci_job(account, job["id"], pull_request)
    house.check("a new commit's run takes the place of the old one", house.finished(first["data"]["id"])["is_cancelled"] and is_good(second), second)
    cancelled = ci.cancel_run(account, second["data"]["id"])
    house.check("a run is cancelled without a body", is_good(cancelled), cancelled)
    house.finished(second["data"]["id"])

    refused = ci.create_project(account, {"name": "more"})
    house.check("what no grant holds is 403, and in JSON", refused["status"]["code"] == 403 and refused["data"]["required"]["resource"] == "project_create", refused)
    unseen = ci.get_project(account, other)
    house.check("another project is not found", unseen["status"]["code"] == 404, unseen)
    house.check("another project is not listed", [each["id"] for each in ci.list_projects(account)["data"]] == [project])
    nobody = dbtCloudClient(host=house.host, service_token="ngst_nobody").cloud.list_accounts()
    house.check("an unknown token is 401", nobody["status"]["code"] == 401, nobody)

    gone = admin.delete_job(account, job["id"])
    house.check("a job is deleted, with an answer in JSON", is_good(gone), gone)
    house.check("a deleted job is not found", admin.get_job(account, job["id"])["status"]["code"] == 404)
