"""The Airflow provider's hook and run operator, without Airflow's database."""

import asyncio
import json
import logging
import os
import tempfile

home = tempfile.TemporaryDirectory(prefix="narrowgate-airflow-home-")
os.environ["AIRFLOW_HOME"] = home.name
os.environ["AIRFLOW__CORE__LOAD_EXAMPLES"] = "false"
os.environ["AIRFLOW__LOGGING__LOGGING_LEVEL"] = "ERROR"

from house import BUILD, House

logging.disable(logging.ERROR)


class Task:
    """The part of a task instance that the operator uses."""

    def __init__(self, try_number=1):
        self.try_number, self.pushed = try_number, {}

    def xcom_push(self, key, value):
        self.pushed[key] = value


def connection(house, name, token):
    """Makes a connection by the environment, and gives its hook."""
    value = {"conn_type": "dbt_cloud", "login": str(house.account), "password": token, "host": house.host}
    os.environ[f"AIRFLOW_CONN_{name.upper()}"] = json.dumps(value)
    return DbtCloudHook(name, retry_limit=1)


def data(answers):
    """The rows of one answer, or of a page each."""
    answers = answers if isinstance(answers, list) else [answers]
    return [row for answer in answers for row in answer.json()["data"]]


with House("airflow") as house:
    # Here, since aiohttp reads whom to trust as it is imported.
    from airflow.providers.dbt.cloud.hooks.dbt import DbtCloudHook, DbtCloudJobRunException
    from airflow.providers.dbt.cloud.operators.dbt import DbtCloudRunJobOperator

    project, environment = house.shop()
    house.post(house.v3("/projects/"), {"name": "another shop"})
    job = house.job(project, environment)
    failing = house.job(project, environment, name="failing", steps=["dbt test --select assert_no_order_before_signup"])
    token = house.token("airflow", "job_admin", project=project)
    hook = connection(house, "dbt_cloud_default", token)

    house.check("the connection is tested", hook.test_connection()[0], hook.test_connection())
    house.check("the account is read", hook.get_account().json()["data"]["name"] == "Acme")
    projects = data(hook.list_projects(name_contains="SHOP"))
    house.check("projects are found by a part of their name, within reach", [each["id"] for each in projects] == [project], projects)
    house.check("a project is read", hook.get_project(project).json()["data"]["name"] == "shop")
    environments = data(hook.list_environments(project, name_contains="prod"))
    house.check("environments are found by name", [each["id"] for each in environments] == [environment], environments)
    house.check("an environment is read", hook.get_environment(project, environment).json()["data"]["id"] == environment)
    jobs = data(hook.list_jobs(order_by="-id", project_id=project))
    house.check("jobs are listed in reverse", [each["id"] for each in jobs] == [failing, job], jobs)
    found = hook.get_job_by_name(project_name="shop", environment_name="Production", job_name="nightly")
    house.check("a job is found by three names", found["id"] == job == hook.get_job(job).json()["data"]["id"], found)

    names = dict(project_name="shop", environment_name="Production", job_name="nightly")
    task = Task()
    operator = DbtCloudRunJobOperator(task_id="nightly", **names, trigger_reason="airflow", check_interval=1, timeout=180)
    run = operator.execute({"ti": task})
    house.check("the operator runs a job by its names to the end", run == task.pushed["job_run_id"], task.pushed)
    house.check("it gives the run's address", task.pushed["job_run_url"].endswith(f"/runs/{run}/"), task.pushed)
    seen = hook.get_job_run(run, include_related=["run_steps", "job", "trigger"]).json()["data"]
    house.check("related things are asked for by repeated keys", seen["job"]["id"] == job and seen["trigger"]["cause"] == "airflow" and len(seen["run_steps"]) >= 5, seen)
    files = hook.list_job_run_artifacts(run).json()["data"]
    house.check("its artifacts are listed", "run_results.json" in files, files)
    seeded = hook.get_job_run_artifact(run, "run_results.json", step=4).json()
    built = hook.get_job_run_artifact(run, "run_results.json").json()
    house.check("each step has its own results", (seeded["args"]["which"], built["args"]["which"]) == ("seed", "run"), built["args"])
    both = asyncio.run(hook.get_job_run_artifacts_concurrently(run, ["manifest.json", "run_results.json"]))
    house.check("artifacts are read side by side", set(both) == {"manifest.json", "run_results.json"}, set(both))
    house.check("the status is read as triggers read it", asyncio.run(hook.get_job_status(run)) == 10)
    runs = data(hook.list_job_runs(job_definition_id=job, order_by="-created_at", include_related=["environment"]))
    house.check("the job's runs are listed", [each["environment"]["name"] for each in runs] == ["Production"], runs)

    try:
        DbtCloudRunJobOperator(task_id="failing", job_id=failing, trigger_reason="airflow", check_interval=1).execute({"ti": Task()})
        failed = False
    except DbtCloudJobRunException:
        failed = True
    house.check("a run that fails fails the task", failed)

    def failed_again(task, **more):
        """Whether the operator fails once more, and which run of the failing job was the last."""
        try:
            DbtCloudRunJobOperator(task_id="again", job_id=failing, trigger_reason="airflow", check_interval=1, **more).execute({"ti": task})
            failed = False
        except DbtCloudJobRunException:
            failed = True
        return failed, data(hook.list_job_runs(job_definition_id=failing, order_by="-id"))[0]

    before = data(hook.list_job_runs(job_definition_id=failing, order_by="-id"))[0]
    failed, last = failed_again(Task(try_number=2), retry_from_failure=True)
    house.check("the second try of a task retries the run from its failure", failed and last["retrying_run_id"] == before["id"], last)
    rerun = hook.retry_failed_job_run(failing).json()["data"]
    house.check("a job is retried by the hook", rerun["retrying_run_id"] == last["id"], rerun)
    hook.wait_for_job_run_status(rerun["id"], expected_statuses=20, check_interval=1, timeout=120)
    house.check("the hook waits for the status that it is told", hook.get_job_run_status(rerun["id"]) == 20)
    rerun = hook.retry_failed_job_run(job).json()["data"]
    house.check("where nothing failed, that is a run like any other", rerun["retrying_run_id"] is None, rerun)
    house.finished(rerun["id"])

    task = Task()
    waiting = dict(job_id=job, trigger_reason="airflow", wait_for_termination=False)
    first = DbtCloudRunJobOperator(task_id="start", **waiting).execute({"ti": task})
    again = DbtCloudRunJobOperator(task_id="again", **waiting, reuse_existing_run=True).execute({"ti": Task()})
    house.check("a run that is under way is used again", first == again, (first, again))
    hook.cancel_job_run(first)
    house.check("a run is cancelled", house.finished(first)["is_cancelled"])

    viewer = connection(house, "viewer", house.token("viewer", "job_viewer", project=project))
    house.check("a viewer lists runs", run in [each["id"] for each in data(viewer.list_job_runs(job_definition_id=job))])
    try:
        viewer.trigger_job_run(job, cause="airflow")
        refused = None
    except Exception as error:
        refused = str(error)
    house.check("a viewer starts none: 403", refused is not None and "403" in refused, refused)
    try:
        viewer.retry_failed_job_run(failing)
        refused = None
    except Exception as error:
        refused = str(error)
    house.check("a viewer retries none: 403", refused is not None and "403" in refused, refused)
    try:
        connection(house, "nobody", "ngst_nobody").get_account()
        refused = None
    except Exception as error:
        refused = str(error)
    house.check("an unknown token reads nothing: 401", refused is not None and "401" in refused, refused)
