// A server with something in it, and a browser before it.
import { execFileSync, spawn } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { chromium } from "playwright-core";

const program = process.env.NARROWGATE;
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
    ["serve", "--data-dir", data, "--listen", url.slice(7), "--no-runner", "--log", "warn"],
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
  const house = { url, folder, server, ...made };
  await furnish(house);
  return house;
}

async function furnish(house) {
  const post = async (path, body) => {
    const answer = await api(house, house.personal_token, path, body);
    if (answer.status !== 201) throw new Error(`${path}: ${JSON.stringify(answer.body)}`);
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
  }
  house.projects = projects;
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
