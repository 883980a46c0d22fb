"""dbtc makes a project and everything in it, runs its job, reads what came of it, and is held to a narrow token."""

from dbtc import dbtCloudClient
from house import BUILD, House


def is_good(answer):
    return answer["status"]["is_success"]


def is_refused(answer, status=403):
    return answer["status"]["code"] == status and answer["data"] != []


def people(house, admin, narrow):
    """Users, groups, licences, invitations, notifications and the audit log."""
    account = house.account
    users = admin.list_users(account)
    house.check("users are listed by address", [each["email"] for each in users["data"]] == ["ada@example.com"], users)
    ada = users["data"][0]["id"]
    house.check("a user is read", admin.get_user(account, ada)["data"]["email"] == "ada@example.com")
    house.check("a narrow token sees no users", is_refused(narrow.list_users(account)))
    licences = admin.get_account_licenses(account)["data"]
    house.check("licences are counted", "developer" in str(licences), licences)

    group = {"account_id": account, "name": "Analysts", "state": 1, "assign_by_default": False, "sso_mapping_groups": ["a"]}
    group = admin.create_group(account, group)["data"]
    house.check("a group is made and read", admin.get_group(account, group["id"])["data"]["name"] == "Analysts", group)
    row = {"account_id": account, "group_id": group["id"], "project_id": None, "all_projects": True, "permission_set": "analyst"}
    given = admin.assign_group_permissions(account, group["id"], [{**row, "state": 1, "writable_environment_categories": []}])
    house.check("its permissions are a list that is posted", is_good(given), given)
    read = admin.get_group(account, group["id"])["data"]["group_permissions"]
    house.check("they are read back", [each["permission_set"] for each in read] == ["analyst"], read)
    renamed = admin.update_group(account, group["id"], {**group, "name": "All analysts"})
    house.check("a group is changed as it was read", renamed["data"]["name"] == "All analysts", renamed)
    names = {each["name"]: each["id"] for each in admin.list_groups(account)["data"]}
    house.check("groups are listed, the built-in ones too", {"Owner", "Member", "Everyone", "All analysts"} <= set(names), names)
    desired = [each["id"] for each in admin.get_user(account, ada)["data"]["permissions"][0]["groups"]] + [group["id"]]
    assigned = admin.assign_user_to_group(account, {"user_id": ada, "desired_group_ids": desired})
    house.check("a user is put into groups", is_good(assigned), assigned)
    held = [each["id"] for each in admin.get_user(account, ada)["data"]["permissions"][0]["groups"]]
    house.check("the user has them", sorted(held) == sorted(desired), held)
    house.check("a narrow token makes no group", is_refused(narrow.create_group(account, {"name": "mine"})))

    licence = {"account_id": account, "license_type": "read_only", "state": 1, "sso_license_mapping_groups": ["readers"]}
    licence = admin.create_license_map(account, licence)["data"]
    changed = admin.update_license_map(account, licence["id"], {**licence, "sso_license_mapping_groups": ["lookers"]})
    house.check("a licence map is made and changed", changed["data"]["sso_license_mapping_groups"] == ["lookers"], changed)
    maps = [each["id"] for each in admin.list_license_maps(account)["data"]]
    house.check("licence maps are listed", maps == [licence["id"]], maps)
    house.check("a licence map is deleted", is_good(admin.delete_license_map(account, licence["id"])))

    body = {"email_addresses": ["bob@example.com"], "license_type": "developer", "group_ids": []}
    house.post(house.v3("/invites/"), body)
    invited = admin.list_invited_users(account)["data"]
    house.check("who is invited is listed", [each["email_address"] for each in invited] == ["bob@example.com"], invited)

    told = {"account_id": account, "user_id": ada, "type": 1, "on_failure": [], "on_success": [], "on_cancel": [], "on_warning": [], "state": 1}
    told = admin.create_notification(account, told)["data"]
    changed = admin.update_notification(account, told["id"], {**told, "type": 4, "external_email": "ops@example.com"})
    house.check("a notification is made and changed", changed["data"]["external_email"] == "ops@example.com", changed)
    listed = admin.list_notifications(account, external_email="ops@example.com")["data"]
    house.check("notifications are found by address", [each["id"] for each in listed] == [told["id"]], listed)
    house.check("a notification is deleted", is_good(admin.delete_notification(account, told["id"])))

    log = admin.list_audit_logs(account, logged_at_start="2026-01-01", limit=5)
    house.check("the audit log tells of all that, newest first", len(log["data"]) == 5 and log["data"][0]["event_type"] == "notification.deleted", log)
    early = admin.list_audit_logs(account, logged_at_end="2020-01-01")
    house.check("the audit log is asked for a time", early["data"] == [], early)
    house.check("a narrow token reads no audit log", is_refused(narrow.list_audit_logs(account)))


def webhooks(house, admin, narrow, job):
    """Webhook subscriptions."""
    account = house.account
    hook = {"name": "ends", "client_url": "https://127.0.0.1:9/hook", "active": True, "event_types": ["job.run.completed"]}
    made = admin.create_webhook(account, hook)
    house.check("a webhook is made, and its secret shown", is_good(made) and made["data"]["hmac_secret"], made)
    hook = made["data"]["id"]
    read = admin.get_webhook(account, hook)
    house.check("its secret is shown once", not read["data"].get("hmac_secret"), read)
    changed = admin.update_webhook(account, hook, {**read["data"], "name": "ends of runs", "job_ids": [job]})
    house.check("a webhook is changed as it was read", (changed["data"]["name"], changed["data"]["job_ids"]) == ("ends of runs", [job]), changed)
    listed = admin.list_webhooks(account, limit=10)["data"]
    house.check("webhooks are listed", [each["id"] for each in listed] == [hook], listed)
    tested = admin.test_webhook(account, hook)
    house.check("a test tells what came of it", tested["data"] is not None and "status" in tested, tested)
    refused = narrow.create_webhook(account, {"name": "n", "client_url": "https://127.0.0.1:9/", "active": True, "event_types": ["job.run.started"]})
    house.check("a narrow token makes none", is_refused(refused), refused)
    house.check("a webhook is deleted", is_good(admin.delete_webhook(account, hook)))
    house.check("a deleted webhook is not found", admin.get_webhook(account, hook)["status"]["code"] == 404)


def platform(house, admin, narrow, project):
    """Adapters, connections of the project, credentials, variables and what else a project has."""
    account = house.account
    adapter = {"account_id": account, "project_id": project, "adapter_version": "databricks_v0", "metadata_json": {}, "state": 1}
    adapter = admin.create_adapter(account, project, adapter)["data"]
    changed = admin.update_adapter(account, project, adapter["id"], {**adapter, "metadata_json": {"a": 1}})
    house.check("an adapter is made and changed", changed["data"]["metadata_json"] == {"a": 1}, changed)
    fields = {"host": {"value": "one.databricks.example"}, "http_path": {"value": "/sql/1.0/warehouses/1"}}
    details = {"adapter_id": adapter["id"], "connection_details": {"fields": fields, "field_order": ["host", "http_path"]}}
    bricks = admin.create_connection(account, project, {"name": "bricks", "type": "adapter", "details": details, "state": 1})["data"]
    house.check("a connection is made by an adapter", bricks["adapter_version"] == "databricks_v0", bricks)
    used = admin.delete_adapter(account, project, adapter["id"])
    house.check("an adapter that is named stays: 409", used["status"]["code"] == 409, used)
    changed = admin.update_connection(account, project, bricks["id"], {**bricks, "name": "spark"})
    house.check("a connection is changed as it was read", changed["data"]["name"] == "spark", changed)
    listed = admin.list_connections(account, project)["data"]
    house.check("the project's own connections are listed", [each["id"] for each in listed] == [bricks["id"]], listed)
    house.check("a connection is deleted", is_good(admin.delete_connection(account, project, bricks["id"])))
    house.check("a deleted connection is not found", admin.get_connection(account, project, bricks["id"])["status"]["code"] == 404)
    house.check("an adapter is deleted", is_good(admin.delete_adapter(account, project, adapter["id"])))

    login = {"type": "postgres", "default_schema": "dbt", "username": "ada", "password": "swordfish", "target_name": "default", "threads": 4}
    login = admin.create_credentials(account, project, login)
    house.check("a credential is made, and its secret not told", is_good(login) and "swordfish" not in str(login), login)
    changed = admin.partial_update_credentials(account, project, login["data"]["id"], {"threads": 8})
    house.check("one field of a credential is changed", changed["data"]["threads"] == 8, changed)
    ids = [each["id"] for each in admin.list_credentials(account, project)["data"]]
    house.check("credentials are listed", login["data"]["id"] in ids, ids)
    house.check("a credential is deleted", is_good(admin.delete_credentials(account, project, login["data"]["id"])))

    made = admin.create_env_vars_bulk(account, project, {"env_var": {"name": "DBT_REGION", "project": "north"}})
    house.check("environment variables are made in bulk", is_good(made), made)
    read = admin.list_environment_variables(account, project)["data"]
    house.check("environment variables are listed", read["variables"]["DBT_REGION"]["project"]["value"] == "north", read)
    managed = admin.create_managed_repository(account, project, {"name": "own"})
    house.check("a managed repository is made", is_good(managed), managed)
    listed = admin.list_repositories(account, project)["data"]
    house.check("repositories are listed", managed["data"]["id"] in [each["id"] for each in listed], listed)
    attributes = house.post(house.v3(f"/projects/{project}/extended-attributes/"), {"extended_attributes": {"threads": 2}})
    attributes = attributes["data"]["id"]
    changed = admin.update_extended_attributes(account, project, attributes, {"extended_attributes": {"threads": 3}})
    house.check("extended attributes are changed", changed["data"]["extended_attributes"] == {"threads": 3}, changed)
    house.check("extended attributes are deleted", is_good(admin.delete_extended_attributes(account, project, attributes)))
    unseen = narrow.list_private_link_endpoints(account)
    house.check("what no document has is not found, in JSON", unseen["status"]["code"] == 404, unseen)


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

    # A retry from the point of failure; where nothing failed, a run like any other.
    steps = ["dbt seed --select raw_orders", "dbt test --select assert_no_order_before_signup"]
    failing = admin.create_job(account, {**job, "id": None, "name": "failing", "execute_steps": steps})["data"]["id"]
    failed = ci.trigger_job(account, failing, {"cause": "dbtc"}, poll_interval=1)
    house.check("a run fails", failed["data"]["status"] == 20, failed)
    again = ci.trigger_job_from_failure(account, failing, poll_interval=1)["data"]
    house.check("a job is retried from its failure, as another run", again["id"] != failed["data"]["id"] and again["status"] == 20, again)
    again = ci.get_run(account, again["id"], include_related=["run_steps"])["data"]
    names = [step["name"] for step in again["run_steps"]]
    house.check("the retry does not seed again", not any("dbt seed" in name for name in names) and any("dbt retry" in name for name in names), names)
    house.check("the retry says whose it is", again["retrying_run_id"] == failed["data"]["id"], again["retrying_run_id"])

    people(house, admin, ci)
    webhooks(house, admin, ci, job["id"])
    platform(house, admin, ci, project)

    gone = admin.delete_job(account, job["id"])
    house.check("a job is deleted, with an answer in JSON", is_good(gone), gone)
    house.check("a deleted job is not found", admin.get_job(account, job["id"])["status"]["code"] == 404)
