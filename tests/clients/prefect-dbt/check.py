"""prefect-dbt's tasks, flows and job block, with a Prefect server of the test's own that needs no network."""

import asyncio
import os
import tempfile

home = tempfile.TemporaryDirectory(prefix="narrowgate-prefect-home-")
os.environ["PREFECT_HOME"] = home.name
os.environ["PREFECT_SERVER_ALLOW_EPHEMERAL_MODE"] = "true"
os.environ["PREFECT_SERVER_ANALYTICS_ENABLED"] = "false"
os.environ["PREFECT_SERVER_EPHEMERAL_STARTUP_TIMEOUT_SECONDS"] = "120"
os.environ["PREFECT_LOGGING_LEVEL"] = "CRITICAL"

from house import BUILD, House


async def checks(house, project, environment):
    # Here, since what is imported reads the environment that the house has set.
    from httpx import HTTPStatusError
    from prefect_dbt.cloud import DbtCloudCredentials, DbtCloudJob
    from prefect_dbt.cloud.exceptions import DbtCloudJobRunFailed
    from prefect_dbt.cloud.jobs import run_dbt_cloud_job, trigger_dbt_cloud_job_run_and_wait_for_completion
    from prefect_dbt.cloud.models import TriggerJobRunOptions
    from prefect_dbt.cloud.runs import get_dbt_cloud_run_info, list_dbt_cloud_run_artifacts

    def credentials(token):
        return DbtCloudCredentials(api_key=token, account_id=house.account, domain=house.host)

    admin = credentials(house.token("prefect", "job_admin", project=project))
    async with admin.get_administrative_client() as client:
        steps = ["dbt seed", BUILD]
        made = (await client.create_job(project, environment, "nightly", execute_steps=steps)).json()["data"]
        house.check("a job is made by four fields", made["execute_steps"] == steps, made)
        job = made["id"]
        read = (await client.get_job(job, order_by="id")).json()["data"]
        house.check("the job is read", (read["id"], read["generate_docs"]) == (job, False), read)

    flow = trigger_dbt_cloud_job_run_and_wait_for_completion
    done = await flow(dbt_cloud_credentials=admin, job_id=job, max_wait_seconds=240, poll_frequency_seconds=1)
    house.check("a flow runs the job to its end", done["status"] == 10, done)
    house.check("it gives the artifacts' paths", "run_results.json" in done["artifact_paths"], done["artifact_paths"])
    house.check("a cause is given by the client", house.get(house.v2(f"/runs/{done['id']}/?include_related=trigger"))["data"]["trigger"]["cause"] != "")

    async with admin.get_administrative_client() as client:
        run = (await client.get_run(done["id"], include_related=["run_steps", "job"])).json()["data"]
        house.check("related things are asked for by repeated keys", run["job"]["id"] == job and len(run["run_steps"]) >= 5, run)
        seeded = (await client.get_run_artifact(done["id"], "run_results.json", step=4)).json()
        built = (await client.get_run_artifact(done["id"], "run_results.json", step=5)).json()
        house.check("each step has its own results", (seeded["args"]["which"], built["args"]["which"]) == ("seed", "run"))
        manifest = (await client.get_job_artifact(job, "manifest.json")).json()
        house.check("the job's newest manifest is read", "model.shop.fct_orders" in manifest["nodes"])

    options = TriggerJobRunOptions(steps_override=["dbt seed --select raw_orders"], cause="once")
    block = DbtCloudJob(dbt_cloud_credentials=admin, job_id=job, interval_seconds=1, trigger_job_run_options=options)
    result = await run_dbt_cloud_job(dbt_cloud_job=block)
    ran = house.get(house.v2(f"/runs/{result['id']}/?include_related=run_steps"))["data"]["run_steps"][-1]["name"]
    house.check("a job block runs other steps", ran == "Invoke dbt with `dbt seed --select raw_orders`", ran)

    # It asks for no steps, and goes through them all the same: there is nothing to retry then.
    of_block = await block.trigger()
    await of_block.wait_for_completion()
    retried = await of_block.retry_failed_steps()
    house.check("a run block without failures has no steps to retry", retried["status"] == 10, retried)

    failing = house.job(project, environment, name="failing", steps=["dbt seed --select raw_orders", "dbt test --select assert_no_order_before_signup"])
    try:
        await flow(dbt_cloud_credentials=admin, job_id=failing, max_wait_seconds=240, poll_frequency_seconds=1, retry_filtered_models_attempts=1)
        failed = False
    except DbtCloudJobRunFailed:
        failed = True
    house.check("a run that fails fails the flow", failed)
    runs = house.get(house.v2(f"/runs/?job_definition_id={failing}&order_by=id&include_related=trigger"))["data"]
    again = [run["trigger"]["steps_override"] for run in runs]
    house.check("the retry takes the failed step alone, out of that step's results", again[0] is None and len(again) == 2 and len(again[1]) == 1 and again[1][0].startswith("dbt test"), again)

    info = await get_dbt_cloud_run_info.fn(dbt_cloud_credentials=admin, run_id=runs[1]["id"])
    house.check("a run is read by a task", info["status"] == 20, info)
    paths = await list_dbt_cloud_run_artifacts.fn(dbt_cloud_credentials=admin, run_id=runs[1]["id"])
    house.check("its artifacts are listed by a task", "run_results.json" in paths, paths)

    viewer = credentials(house.token("viewer", "job_viewer", project=project))
    async with viewer.get_administrative_client() as client:
        house.check("a viewer reads the job", (await client.get_job(job)).json()["data"]["id"] == job)
        try:
            await client.trigger_job_run(job)
            status = None
        except HTTPStatusError as error:
            status = error.response.status_code
        house.check("a viewer starts none: 403", status == 403, status)
    async with admin.get_administrative_client() as client:
        house.check("a job is deleted", (await client.delete_job(job)).json()["data"]["state"] == 2)
        try:
            await client.get_job(job)
            status = None
        except HTTPStatusError as error:
            status = error.response.status_code
        house.check("a deleted job is not found", status == 404, status)


with House("prefect-dbt") as house:
    asyncio.run(checks(house, *house.shop()))
