"""dagster-dbt reads the project by a parse, materialises its assets by a run, and sees the runs of others."""

import datetime
import os

os.environ["DAGSTER_DBT_CLOUD_POLL_TIMEOUT"] = "180"
os.environ["DAGSTER_DISABLE_TELEMETRY"] = "true"

from dagster import Failure, materialize
from dagster_dbt.cloud_v2 import DbtCloudCredentials, DbtCloudWorkspace, dbt_cloud_assets
from house import House


def workspace(house, token, project, environment):
    return DbtCloudWorkspace(
        credentials=DbtCloudCredentials(account_id=house.account, token=token, access_url=f"{house.url}/"),
        project_id=project,
        environment_id=environment,
        request_max_retries=0,
    )


with House("dagster-dbt") as house:
    project, environment = house.shop()
    token = house.token("dagster", "job_admin", project=project)
    dbt_cloud = workspace(house, token, project, environment)
    client = dbt_cloud.get_client()

    house.check("the project is read", client.get_project_details(project)["name"] == "shop")
    house.check("the environment is read", client.get_environment_details(environment)["name"] == "Production")
    house.check("the account is read", client.get_account_details()["id"] == house.account)

    before = datetime.datetime.now(datetime.timezone.utc)
    data = dbt_cloud.fetch_workspace_data()
    house.check("a job is made and parses the project", len(data.adhoc_job_ids) == 1, data.adhoc_job_ids)
    house.check("the manifest is read from it", "model.shop.fct_orders" in data.manifest["nodes"])
    house.check("a second look finds the same job", dbt_cloud.fetch_workspace_data().adhoc_job_ids == data.adhoc_job_ids)

    @dbt_cloud_assets(workspace=dbt_cloud, select="raw_customers raw_orders stg_customers stg_orders")
    def shop(context, dbt_cloud: DbtCloudWorkspace):
        yield from dbt_cloud.cli(args=["build"], context=context).wait()

    keys = {key.to_user_string() for key in shop.keys}
    house.check("the assets are those of the manifest", any("stg_orders" in key for key in keys), keys)
    done = materialize([shop], resources={"dbt_cloud": dbt_cloud}, raise_on_error=False)
    house.check("the assets are materialised by a run", done.success)
    made = [event.asset_key.to_user_string() for event in done.get_asset_materialization_events()]
    house.check("each asset has its event out of run_results.json", sorted(made) == sorted(keys), made)

    job = house.job(project, environment, name="by hand", steps=["dbt seed --select raw_orders"])
    run = client.trigger_job_run(job)
    active = client.get_active_job_ids(project_id=project, environment_id=environment, job_ids=[job])
    house.check("a job with a run under way counts as active", active == {job}, active)
    house.check("the run is polled to its end", client.poll_run(run["id"], poll_timeout=180)["status"] == 10)
    house.check("its artifacts are listed", "run_results.json" in client.list_run_artifacts(run["id"]))
    logs = client.get_run_logs(run["id"])
    house.check("its logs are dbt's", "raw_orders" in logs and "Completed successfully" in logs, logs)
    after = datetime.datetime.now(datetime.timezone.utc)
    batch = dict(project_id=project, environment_id=environment)
    runs, count = client.get_runs_batch(**batch, finished_at_lower_bound=before, finished_at_upper_bound=after)
    house.check("the runs that ended in between are counted", count == len(runs) > 3 and runs[-1]["id"] == run["id"], runs)
    runs, count = client.get_runs_batch(**batch, finished_at_lower_bound=after, finished_at_upper_bound=after)
    house.check("none ended later", (list(runs), count) == ([], 0), runs)

    results = client.get_run_results_json(run["id"])
    house.check("its results and manifest are read", "model.shop.fct_orders" in client.get_run_manifest_json(run["id"])["nodes"] and results["results"] != [])
    client.verify_connection()
    house.check("the connection is verified", True)

    run = client.trigger_job_run(job)
    client.cancel_run(run["id"])
    house.check("a run is cancelled", house.finished(run["id"])["is_cancelled"])
    house.check("a job is deleted", client.destroy_job(job)["id"] == job)
    house.check("deleting it again is no failure", client.destroy_job(job) is None)

    reader = workspace(house, house.token("reader", "job_viewer", project=project), project, environment).get_client()
    jobs = reader.list_jobs(project_id=project, environment_id=environment)
    house.check("a viewer lists jobs", [each["id"] for each in jobs] == list(data.adhoc_job_ids), jobs)
    try:
        reader.trigger_job_run(data.adhoc_job_ids[0])
        refused = False
    except Failure:
        refused = True
    house.check("a viewer starts none", refused)
