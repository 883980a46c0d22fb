// A server with something in it, and a browser before it.
import { execFileSync, spawn } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { chromium } from "playwright-core";

const program = process.env.NARROWGATE;
const dbt = fileURLToPath(new URL("dbt", import.meta.url));
const browserProgram = process.env.NARROWGATE_TEST_CHROMIUM ?? "/usr/bin/chromium";

// The tokens that were made elsewhere, long ago.
const OLD = [
  ["looker-2021", "2021-11-11T14:02:58Z", "2025-04-21T05:12:40Z", "metadata_only"],
  ["datahub-catalog", "2022-06-02T13:40:55Z", "2026-08-30T09:36:02Z", "metadata_only"],
  ["siem-export", "2026-01-12T11:20:48Z", null, "account_viewer"],
];

// What else there is.
const PROJECTS = ["shop", "finance", "marketing", "warehouse-ops"];
const TOKENS = [
  ["dagster-nightly", [["job_runner", 0], ["job_runner", 2]]],
  ["github-ci-shop", [["developer", 0]]],
  ["prefect-marketing", [["job_admin", 2]]],
  ["freshness-board", [["readonly", 0]]],
  ["tableau-revenue", [["semantic_layer_only", 1]]],
  ["terraform-platform", [["account_admin", null]]],
];

async function freePort() {
  const server = createServer();
  await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address();
  await new Promise((resolve) => server.close(resolve));
  return port;
}

export async function openHouse() {
  const folder = mkdtempSync(join(tmpdir(), "narrowgate-browser-"));
  const data = join(folder, "data");
  const url = `http://127.0.0.1:${await freePort()}`;
  const run = (...args) => execFileSync(program, args, { encoding: "utf8" });
  const init = ["--account-name", "Larkfield", "--admin-email", "ines@larkfield.example"];
  const made = JSON.parse(
    run("init", "--data-dir", data, ...init, "--public-url", url, "--json"),
  );
  const old = join(folder, "old.json");
  const rows = OLD.map(([name, created_at, last_used, set]) => ({
    name, created_at, last_used, permissions: [set],
  }));
  writeFileSync(old, JSON.stringify(rows));
  run("token", "import", "--data-dir", data, "--account", String(made.account_id), old);
  const server = spawn(
    program,
    [
      "serve", "--data-dir", data, "--listen", url.slice(7), "--log", "warn",
      "--dbt", dbt, "--sandbox", "off", "--workers", "2",
    ],
    { stdio: ["ignore", "ignore", "inherit"] },
  );
  for (let tries = 0; ; tries += 1) {
    try {
      if ((await fetch(`${url}/healthz`)).ok) break;
    } catch {
      if (tries > 300) throw new Error("the server does not answer");
    }
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  const house = { url, folder, server, tokens: {}, ...made };
  await furnish(house);
  return house;
}

async function furnish(house) {
  const post = async (path, body) => {
    const answer = await api(house, house.personal_token, path, body);
    if (![200, 201].includes(answer.status)) throw new Error(`${path}: ${JSON.stringify(answer.body)}`);
    return answer.body.data;
  };
  const v3 = `/api/v3/accounts/${house.account_id}`;
  const projects = [];
  for (const name of PROJECTS) projects.push((await post(`${v3}/projects/`, { name })).id);
  for (const [name, grants] of TOKENS) {
    const rows = grants.map(([permission_set, at]) => (at === null
      ? { permission_set, all_projects: true } : { permission_set, project_id: projects[at] }));
    const made = await post(`${v3}/service-tokens/`, { name, permission_grants: rows });
    if (!name.startsWith("t")) await api(house, made.token_string, "/api/v2/whoami/");
    house.tokens[name] = made;
  }
  house.projects = projects;
  await furnishShop(house, post, `${v3}/projects/${projects[0]}`);
}

// The project `shop` with a repository, an environment and jobs, two of which have run, three times.
async function furnishShop(house, post, project) {
  const v3 = `/api/v3/accounts/${house.account_id}`;
  const repository = join(house.folder, "shop");
  mkdirSync(repository);
  writeFileSync(join(repository, "dbt_project.yml"), "name: shop\n");
  const git = (...args) => execFileSync("git", args, { cwd: repository });
  git("init", "--quiet", "--initial-branch", "main");
  git("add", "--all");
  const author = ["-c", "user.name=Ines", "-c", "user.email=ines@larkfield.example"];
  git(...author, "commit", "--quiet", "--message", "The shop");
  const connection = await post(`${v3}/connections/`, {
    name: "Shop Warehouse", adapter_version: "duckdb_v0", config: { path: "shop.duckdb" },
  });
  const { id: repository_id } = await post(`${project}/repositories/`, { remote_url: repository });
  await post(`${project}/`, { repository_id, connection_id: connection.id });
  const environment = await post(`${project}/environments/`, {
    name: "Production", type: "deployment", deployment_type: "production",
    connection_id: connection.id,
  });
  const job = (name, execute_steps, generate_docs = false) => (
    post(`/api/v2/accounts/${house.account_id}/jobs/`, {
      name, project_id: house.projects[0], environment_id: environment.id, execute_steps,
      generate_docs,
    })
  );
  const good = "dbt build --exclude positive_column_agg_daily_revenue_revenue";
  house.jobs = {
    nightly: (await job("Nightly build", ["dbt source freshness", good], true)).id,
    hourly: (await job("Hourly orders", ["dbt build"])).id,
    backfill: (await job("Backfill", ["dbt build --select slow"])).id,
  };
  for (let times = 0; times < 3; times += 1) {
    house.runs = {
      nightly: await trigger(house, "nightly", house.tokens["dagster-nightly"].token_string),
      hourly: await trigger(house, "hourly"),
    };
  }
  for (const run of Object.values(house.runs)) await endOf(house, run);
}

// Queues a run of a job, and gives its id.
export async function trigger(house, job, token = house.personal_token) {
  const path = `/api/v2/accounts/${house.account_id}/jobs/${house.jobs[job]}/run/`;
  const answer = await api(house, token, path, { cause: "Started from the walk" });
  if (answer.status !== 200) throw new Error(JSON.stringify(answer.body));
  return answer.body.data.id;
}

// Waits until a run has ended, and gives its status.
export async function endOf(house, run) {
  const path = `/api/v2/accounts/${house.account_id}/runs/${run}/`;
  for (let tries = 0; tries < 300; tries += 1) {
    const { body } = await api(house, house.personal_token, path);
    if (body.data.is_complete) return body.data.status;
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  throw new Error(`run ${run} does not end`);
}

// Asks the API with a token; posts where there is a body.
export async function api(house, token, path, body) {
  const answer = await fetch(house.url + path, {
    method: body ? "POST" : "GET",
    headers: { authorization: `Token ${token}`, "content-type": "application/json" },
    body: body && JSON.stringify(body),
  });
  return { status: answer.status, body: await answer.json() };
}

export async function closeHouse(house) {
  const ended = new Promise((resolve) => house.server.once("exit", resolve));
  house.server.kill("SIGTERM");
  await ended;
  rmSync(house.folder, { recursive: true, force: true });
}

export function openBrowser() {
  return chromium.launch({
    executablePath: browserProgram,
    headless: true,
    args: [
      "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
      "--disable-background-networking", "--disable-component-update", "--disable-sync",
    ],
  });
}
