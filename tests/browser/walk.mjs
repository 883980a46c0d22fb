// A person's walk through the console: sign in, make a token, use it, see it used, see an old one
// flagged, delete, and be refused; look at runs, and watch one go on; by keyboard alone; on every page, in both themes and at two
// widths, axe finds nothing, nothing is wider than the screen, and nothing comes from elsewhere.
import assert from "node:assert/strict";
import { createHmac } from "node:crypto";
import { mkdirSync, readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { after, before, test } from "node:test";
import { api, closeHouse, endOf, openBrowser, openHouse, trigger } from "./house.mjs";

const axe = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");
const pictures = process.env.NARROWGATE_PICTURES;
const PASSWORD = "four words nobody put together";

let house;
let browser;
let page;
const foreign = [];
const complaints = [];

const open = async (options = {}) => {
  const context = await browser.newContext({
    viewport: { width: 1280, height: 900 }, permissions: ["clipboard-read", "clipboard-write"],
    ...options,
  });
  const opened = await context.newPage();
  opened.on("request", (request) => {
    if (!request.url().startsWith(house.url)) foreign.push(request.url());
  });
  opened.on("console", (message) => {
    if (message.type() === "error") complaints.push(`${opened.url()}: ${message.text()}`);
  });
  opened.on("pageerror", (error) => complaints.push(`${opened.url()}: ${error}`));
  opened.setDefaultTimeout(15_000);
  return opened;
};

const go = (path) => page.goto(house.url + path);
const isAt = (title) => page.getByRole("heading", { level: 1, name: title, exact: true }).waitFor();
const row = (name) => page.locator("tbody tr", { has: page.getByRole("link", { name, exact: true }) });

const VIEWS = [
  ["wide-light", 1280, "light"], ["wide-dark", 1280, "dark"],
  ["narrow-light", 390, "light"], ["narrow-dark", 390, "dark"],
];

// Looks at the page that is open in every view.
async function look(name) {
  for (const [view, width, colorScheme] of VIEWS) {
    await page.setViewportSize({ width, height: width === 390 ? 844 : 800 });
    await page.emulateMedia({ colorScheme });
    const wide = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
    assert.ok(wide <= 0, `${name} ${view} is ${wide} px too wide`);
    const wrapped = await page.evaluate(() => [...document.querySelectorAll(".button")]
      .filter((button) => button.offsetHeight > 42).map((button) => button.textContent.trim()));
    assert.deepEqual(wrapped, [], `${name} ${view}: wrapped buttons`);
    await page.evaluate(axe);
    const found = await page.evaluate(() => globalThis.axe.run());
    const told = found.violations.map((violation) => `${violation.id}: ${violation.help} `
      + violation.nodes.map((node) => node.html.slice(0, 200)).join(" | "));
    assert.deepEqual(told, [], `${name} ${view}`);
    if (pictures) {
      await page.screenshot({ path: `${pictures}/${name}-${view}.png`, fullPage: true });
      // What docs/pictures are: the upper part of a page.
      if (view === "wide-light") await page.screenshot({ path: `${pictures}/${name}.png` });
    }
  }
  await page.setViewportSize({ width: 1280, height: 900 });
  await page.emulateMedia({ colorScheme: "light" });
}

before(async () => {
  if (pictures) mkdirSync(pictures, { recursive: true });
  house = await openHouse();
  browser = await openBrowser();
  page = await open();
});

after(async () => {
  await browser?.close();
  if (house) await closeHouse(house);
});

test("a sign-in link leads to a password, and in", async () => {
  await page.goto(house.sign_in_link);
  await isAt("Welcome to Narrowgate");
  assert.match(await page.inputValue("#code"), /^ngit_/, "the link's code is in the form");
  assert.ok(!page.url().includes("ngit_"), "and not in the address");
  await look("welcome");
  await page.fill("#password", "short but typed");
  await page.fill("#again", "something else");
  await page.getByRole("button", { name: "Set password and sign in" }).click();
  await page.getByText("This is not the same password.").waitFor();
  await look("welcome-refused");
  await page.fill("#first_name", "Ines");
  await page.fill("#last_name", "Okafor");
  await page.fill("#password", PASSWORD);
  await page.fill("#again", PASSWORD);
  await page.getByRole("button", { name: "Set password and sign in" }).click();
  await isAt("Service tokens");
  await page.getByText("Ines Okafor").first().waitFor();
});

test("who has a password signs in with it", async () => {
  await page.getByRole("button", { name: "Ines Okafor" }).click();
  await page.getByRole("button", { name: "Sign out" }).click();
  await isAt("Sign in");
  await look("sign-in");
  await go("/console/service-tokens?show=rotate");
  await page.fill("#email", "ines@larkfield.example");
  await page.fill("#password", "not my password");
  await page.keyboard.press("Enter");
  await page.getByText("E-mail or password is wrong.").waitFor();
  await look("sign-in-refused");
  await page.fill("#password", PASSWORD);
  await page.keyboard.press("Enter");
  await page.waitForURL(/show=rotate/);
});

test("old tokens are flagged", async () => {
  await go("/console/service-tokens");
  await page.getByText("2 service tokens were made on or before July 18, 2023").waitFor();
  await look("service-tokens");
  await page.getByRole("link", { name: "Show these 2" }).click();
  assert.equal(await page.locator("tbody tr").count(), 2);
  const badge = row("looker-2021").getByText("Rotate");
  assert.match(await badge.getAttribute("title"), /18 July 2023 should be rotated/);
  await page.getByRole("link", { name: "looker-2021", exact: true }).click();
  await page.getByText("Tokens created on or before 18 July 2023 should be rotated.").waitFor();
  await look("old-token");
});

let token;

test("a token is made in the browser and shown once", async () => {
  await go("/console/service-tokens");
  await page.getByRole("link", { name: "+ New token" }).click();
  await page.fill("#name", "airflow-prod");
  await page.selectOption("#set-1", { label: "Job Admin" });
  assert.match(await page.innerText("#about-1"), /\w/, "says what it is for");
  const first = page.getByRole("group", { name: "Row 1" });
  await first.getByLabel("shop").check();
  await first.getByLabel("finance").check();
  await page.locator("#summary", { hasText: /change .*Jobs and Runs in shop and finance/ }).waitFor();
  await page.getByRole("button", { name: "Add row" }).click();
  await page.selectOption("#set-2", { label: "Account Admin" });
  await page.getByText("Full read and write access to the account").nth(1).waitFor();
  assert.ok(await page.getByRole("group", { name: "Row 2" }).getByLabel("shop").isHidden());
  await look("new-token");
  await page.getByRole("button", { name: "Remove row 2" }).click();
  await page.getByRole("button", { name: "Add row" }).click();
  await page.getByRole("main").getByRole("button", { name: "Make token" }).last().click();
  await page.getByText("The token was not made: 1 field needs a change").waitFor();
  assert.equal(await page.inputValue("#name"), "airflow-prod");
  assert.ok(await first.getByLabel("finance").isChecked(), "what was typed stays");
  await look("new-token-refused");
  await page.selectOption("#set-2", { label: "Metadata Only" });
  await page.getByRole("group", { name: "Row 2" }).getByLabel("All projects").check();
  await page.getByRole("main").getByRole("button", { name: "Make token" }).last().click();

  await isAt("Save your token");
  token = await page.innerText("#secret");
  assert.match(token, /^ngst_[0-9A-Za-z]{42}$/);
  await look("shown-once");
  await page.getByRole("button", { name: "Copy", exact: true }).first().click();
  await page.getByText("Copied").waitFor();
  assert.equal(await page.evaluate(() => navigator.clipboard.readText()), token);
  await page.getByLabel("I have saved this token").check();
  await page.getByRole("button", { name: "Done" }).click();
  await isAt("airflow-prod");
  await look("token");
  await page.goBack();
  await page.getByText("This token was shown already").waitFor();
  assert.ok(!(await page.content()).includes(token), "the way back shows it not again");
  await look("shown-already");
});

test("it works, and its last use appears", async () => {
  const answer = await api(house, token, `/api/v2/accounts/${house.account_id}/jobs/`);
  assert.equal(answer.status, 200);
  const denied = await api(house, token, `/api/v3/accounts/${house.account_id}/service-tokens/`);
  assert.equal(denied.status, 403);
  for (let tries = 0; tries < 30; tries += 1) {
    await go("/console/service-tokens");
    const used = await row("airflow-prod").locator("td[data-label='Last used']").innerText();
    if (used === "just now") return look("service-tokens-used");
    await page.waitForTimeout(500);
  }
  assert.fail("it is still said to be unused");
});

test("the list is searched and filtered", async () => {
  await go("/console/service-tokens");
  await page.fill("#q", "airflow");
  await page.keyboard.press("Enter");
  await page.waitForURL(/q=airflow/);
  assert.equal(await page.locator("tbody tr").count(), 1);
  await page.selectOption("#f-set", { label: "Account Viewer" });
  await page.getByText("No token is like this").waitFor();
  await look("nothing-found");
  await page.getByRole("link", { name: "Show all" }).first().click();
  await page.getByRole("link", { name: "Name", exact: true }).click();
  await page.waitForURL(/sort=name/);
  assert.match(await page.locator("tbody th").first().innerText(), /^airflow-prod/);
});

test("its grants are edited, with what is gained and lost before it is saved", async () => {
  await go("/console/service-tokens");
  await page.getByRole("link", { name: "airflow-prod", exact: true }).click();
  await page.getByRole("link", { name: "Edit grants" }).click();
  await page.selectOption("#set-1", { label: "Job Runner" });
  await page.locator("#summary .lost", { hasText: "Environments" }).waitFor();
  await look("grants");
  await page.getByRole("button", { name: "Save grants" }).click();
  await page.getByText("Grants changed").waitFor();
  await page.getByText(/change Runs in/).waitFor();
});

test("it is held to networks, and the page warns who would be shut out", async () => {
  await page.getByRole("link", { name: "Edit restrictions" }).click();
  await page.getByLabel("Only these networks").check();
  await page.fill("#addresses", "10.20.0.0/16");
  await page.getByRole("button", { name: "Save restrictions" }).click();
  await page.getByText("Your own address 127.0.0.1 is not among them").waitFor();
  await look("restrictions");
  await page.fill("#addresses", "127.0.0.0/8\n10.20.0.0/16");
  await page.getByRole("button", { name: "Save restrictions" }).click();
  await page.getByText("Restrictions changed").waitFor();
  await page.getByRole("link", { name: "Name and expiry" }).click();
  await look("token-edit");
  await page.getByLabel("When a day begins (UTC)").check();
  const day = new Date(Date.now() + 60 * 86_400_000).toISOString().slice(0, 10);
  await page.fill("#date", day);
  await page.getByRole("button", { name: "Save" }).click();
  await page.getByText("Token changed").waitFor();
});

test("it is rotated: both secrets work, then the old one is refused", async () => {
  const rotate = async (overlap) => {
    await page.getByRole("link", { name: "Rotate" }).click();
    await isAt("Rotate airflow-prod?");
    await page.getByLabel(overlap).check();
    await look("rotate");
    await page.getByRole("button", { name: "Make new secret" }).click();
    await isAt("Save your token");
    const secret = await page.innerText("#secret");
    await page.getByLabel("I have saved this token").check();
    await page.getByRole("button", { name: "Done" }).click();
    await isAt("airflow-prod");
    return secret;
  };
  const status = async (secret) => (await api(house, secret, "/api/v2/whoami/")).status;
  const second = await rotate("1 hour");
  await page.getByText("Both secrets work").waitFor();
  assert.deepEqual([await status(token), await status(second)], [200, 200]);
  for (let tries = 0; ; tries += 1) {
    await page.reload();
    if (await page.getByText("1 late user").count()) break;
    assert.ok(tries < 40, "who still sends the old secret is not said");
    await page.waitForTimeout(500);
  }
  await look("token-rotating");
  await page.getByRole("link", { name: "Cancel rotation" }).click();
  await page.getByRole("button", { name: "Cancel rotation" }).click();
  await page.getByText("Rotation cancelled").waitFor();
  assert.deepEqual([await status(token), await status(second)], [200, 401]);
  const old = token;
  token = await rotate("Not at all: the old secret leaked");
  assert.deepEqual([await status(old), await status(token)], [401, 200]);
});

test("it is disabled, and enabled again", async () => {
  const status = async () => (await api(house, token, "/api/v2/whoami/")).status;
  await page.getByRole("link", { name: "Disable" }).click();
  await isAt("Disable airflow-prod?");
  await look("disable");
  await page.getByRole("button", { name: "Disable token" }).click();
  await page.getByText("Token disabled").waitFor();
  assert.equal(await status(), 401);
  await page.getByRole("link", { name: "Enable" }).click();
  await page.getByRole("button", { name: "Enable token" }).click();
  await page.getByText("Token enabled").waitFor();
  assert.equal(await status(), 200);
});

test("it is deleted, and refused from then on", async () => {
  await go("/console/service-tokens");
  await page.getByRole("link", { name: "Delete airflow-prod" }).click();
  await isAt("Delete airflow-prod?");
  await page.fill("#confirm", "something else");
  await page.getByRole("button", { name: "Delete token" }).click();
  await page.getByText("This is not the token's name. Nothing was deleted.").waitFor();
  await look("delete");
  await page.fill("#confirm", "airflow-prod");
  await page.getByRole("button", { name: "Delete token" }).click();
  await page.getByText("Token deleted").waitFor();
  assert.equal(await row("airflow-prod").count(), 0);
  assert.equal((await api(house, token, "/api/v2/whoami/")).status, 401);
});

test("by keyboard alone a token is made", async () => {
  await go("/console/service-tokens");
  const press = async (...keys) => {
    for (const key of keys) await page.keyboard.press(key);
  };
  // Tabs until something of this name has the focus, which can be seen.
  const tabTo = async (name) => {
    for (let presses = 0; presses < 60; presses += 1) {
      await press("Tab");
      const told = await page.evaluate(() => {
        const at = document.activeElement;
        const label = at.labels?.[0]?.innerText ?? "";
        const ring = getComputedStyle(at.closest(".chips label") ?? at).outlineStyle;
        return [at.ariaLabel ?? "", at.innerText ?? "", label].concat(ring);
      });
      if (told.slice(0, 3).some((text) => text.trim() === name)) {
        assert.notEqual(told[3], "none", `${name} shows its focus`);
        return;
      }
    }
    assert.fail(`Tab does not come to ${name}`);
  };
  await press("Tab");
  assert.equal(await page.evaluate(() => document.activeElement.innerText), "Skip to content");
  await tabTo("+ New token");
  await press("Enter");
  await page.waitForURL(/new/);
  await tabTo("Name");
  await page.keyboard.type("by-keyboard");
  await tabTo("Permission set");
  await page.keyboard.type("Job Viewer");
  await tabTo("Chosen projects");
  await press("ArrowUp");
  await tabTo("Make token");
  await press("Enter");
  await page.waitForURL(/secret/);
  await tabTo("I have saved this token where the system that uses it will find it");
  await press("Space");
  await tabTo("Done");
  await press("Enter");
  await page.waitForURL(/saved=1/);
  await isAt("by-keyboard");
  const grants = await page.locator("tbody").innerText();
  assert.match(grants, /Job Viewer[\s\S]*all projects/);
});

test("without script the same can be done", async () => {
  const scripted = page;
  const state = await page.context().storageState();
  page = await open({ javaScriptEnabled: false, storageState: state });
  await go("/console/service-tokens");
  await page.selectOption("#f-show", { label: "Rotate advised" });
  await page.getByRole("button", { name: "Filter" }).click();
  assert.equal(await page.locator("tbody tr").count(), 2);
  await go("/console/service-tokens/new");
  await page.fill("#name", "without script");
  await page.getByRole("button", { name: "Add row" }).click();
  assert.equal(await page.inputValue("#name"), "without script");
  await page.getByRole("button", { name: "Remove row 2" }).click();
  await page.selectOption("#set-1", { label: "Metadata Only" });
  await page.getByLabel("All projects").check();
  await page.fill("#name", "without script");
  await page.locator("#name").press("Enter");
  await isAt("Save your token");
  assert.ok(await page.getByRole("button", { name: "Copy", exact: true }).first().isHidden());
  await page.context().close();
  page = scripted;
});

test("runs are listed, and one is looked at", async () => {
  await go("/console");
  await page.getByRole("link", { name: "Runs", exact: true }).click();
  await isAt("Runs");
  await row("Nightly build").first().getByText("dagster-nightly").waitFor();
  await row("Hourly orders").first().getByText("Error").waitFor();
  await look("runs");
  await page.selectOption("#f-status", { label: "Cancelled" });
  await page.getByText("No run is like this").waitFor();
  await page.selectOption("#f-status", { label: "Error" });
  await page.waitForURL(/status=20/);
  await page.getByRole("link", { name: "Hourly orders", exact: true }).first().click();
  await isAt("Hourly orders");
  await page.getByText("17 of 21 tests passed").waitFor();
  await look("run-failed");
  await page.getByRole("link", { name: "Artifacts" }).first().click();
  await isAt("Artifacts");
  await look("artifacts");
  const file = await page.getByRole("link", { name: "run_results.json" }).getAttribute("href");
  assert.equal((await go(file)).headers()["content-type"], "application/json");
  await go(`/console/runs/${house.runs.nightly}`);
  await page.getByRole("link", { name: /^dbt build/ }).click();
  await page.getByText("18 of 21 tests passed").waitFor();
  await look("run");
});

test("the dashboard of a project is looked at", async () => {
  await go("/console");
  await page.getByRole("link", { name: "Dashboard", exact: true }).click();
  await page.getByRole("navigation", { name: "Projects" }).getByRole("link", { name: "shop" }).click();
  await isAt("shop");
  await page.getByText("legacy.old_customers").waitFor();
  await page.getByRole("link", { name: "positive_column_agg_daily_revenue_revenue" }).first().waitFor();
  await look("dashboard");
  await page.getByText("Show as a table").click();
  await look("dashboard-table");
  await page.getByRole("link", { name: "Documentation" }).first().click();
  await page.getByText("The documentation of shop").waitFor();
  await go(`/console/dashboard?project=${house.projects[1]}`);
  await look("dashboard-empty");
});

test("a run is watched while it goes on, and cancelled", async () => {
  const run = await trigger(house, "backfill");
  await go(`/console/runs/${run}`);
  // Nothing loads the page again: what it says comes to it.
  await page.evaluate(() => { globalThis.notLoadedAgain = true; });
  const lines = page.locator(".log li", { hasText: "OK created sql table" });
  await lines.nth(2).waitFor();
  await page.locator("#run-log").getByText("Live", { exact: true }).waitFor();
  const before = await lines.count();
  await lines.nth(before + 2).waitFor();
  assert.equal(await lines.first().locator("b.good").innerText(), "OK");
  await look("run-live");
  await page.getByRole("link", { name: "Cancel run" }).click();
  await look("cancel-run");
  await page.getByRole("button", { name: "Cancel run" }).click();
  await page.evaluate(() => { globalThis.notLoadedAgain = true; });
  await page.locator("#run-head").getByText("Cancelled").waitFor();
  assert.ok(await page.evaluate(() => globalThis.notLoadedAgain), "the page was loaded again");
  assert.equal(await endOf(house, run), 30);
});

test("it is asked what a token may", async () => {
  await go("/console/check");
  await look("check");
  await page.selectOption("#token", { label: "prefect-marketing" });
  await page.selectOption("#action", "runs:write");
  await page.selectOption("#where", `project:${house.projects[0]}`);
  await page.getByRole("button", { name: "Ask" }).click();
  await page.getByText("may not write runs in shop.").waitFor();
  await look("check-no");
  await page.fill("#secret", house.tokens["prefect-marketing"].token_string);
  await page.selectOption("#where", `project:${house.projects[2]}`);
  await page.getByRole("button", { name: "Ask" }).click();
  await page.getByText("may write runs in marketing.").waitFor();
  assert.ok(!page.url().includes("ngst_"), "no secret in the address");
  assert.ok(!(await page.content()).includes(house.tokens["prefect-marketing"].token_string));
  await look("check-yes");
  await page.fill("#from", "the office");
  await page.getByRole("button", { name: "Ask" }).click();
  await page.locator("#from-error").waitFor();
  assert.equal(await page.inputValue("#from"), "the office");
  await look("check-refused");
});

test("the audit log is read, narrowed and checked", async () => {
  await go("/console");
  await page.getByRole("link", { name: "Audit log", exact: true }).click();
  await isAt("Audit log");
  await look("audit-log");
  await page.getByRole("button", { name: "Check all of it" }).click();
  await page.getByText("The record is whole").waitFor();
  await page.fill("#who", "dagster");
  await page.keyboard.press("Enter");
  await page.waitForURL(/who=dagster/);
  await page.getByText("What changed in entry").first().click();
  await page.locator(".diff li").first().waitFor();
  await look("audit-log-narrow");
});

test("permission sets are looked up", async () => {
  await go("/console/permission-sets");
  await look("permission-sets");
  await page.getByRole("link", { name: "Job Admin", exact: true }).click();
  await page.getByRole("heading", { level: 2, name: "Job Admin" }).waitFor();
  await look("permission-set");
});

test("a person's own page and the pages of failures are looked at", async () => {
  await go("/console/you");
  await look("you");
  assert.equal((await go("/console/no-such-page")).status(), 404);
  await look("not-here");
});

// The code that an app shows (RFC 6238), so many steps from now.
function code(key, steps) {
  const bits = [...key].map((letter) => "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567".indexOf(letter)
    .toString(2).padStart(5, "0")).join("");
  const secret = Buffer.from(bits.match(/.{8}/g).map((byte) => Number.parseInt(byte, 2)));
  const step = Buffer.alloc(8);
  step.writeBigUInt64BE(BigInt(Math.floor(Date.now() / 30_000) + steps));
  const digest = createHmac("sha1", secret).update(step).digest();
  const number = digest.readUInt32BE(digest[19] & 15) & 0x7fffffff;
  return String(number % 1_000_000).padStart(6, "0");
}

test("a second factor is set up, and asked for", async () => {
  await go("/console/you/second-factor");
  await look("second-factor-off");
  await page.getByRole("button", { name: "Set up" }).click();
  await page.getByRole("img", { name: "The key as a picture" }).waitFor();
  await look("second-factor-begun");
  const key = await page.innerText("#key");
  await page.getByLabel("2. The code that the app shows").fill(code(key, 0));
  await page.getByRole("button", { name: "Turn on" }).click();
  await page.getByText("Your recovery codes").waitFor();
  const [recovery] = (await page.innerText("#codes")).split("\n");
  await look("recovery-codes");
  await page.getByRole("button", { name: "Ines Okafor" }).click();
  await page.getByRole("button", { name: "Sign out" }).click();
  const signIn = async () => {
    await page.fill("#email", "ines@larkfield.example");
    await page.fill("#password", PASSWORD);
    await page.keyboard.press("Enter");
    await isAt("Second step");
  };
  await signIn();
  await page.keyboard.type("000000");
  await page.keyboard.press("Enter");
  await page.getByText("This is not a code").waitFor();
  await look("second-step");
  await page.fill("#code", code(key, 1));
  await page.keyboard.press("Enter");
  await isAt("Service tokens");
  await page.getByRole("button", { name: "Ines Okafor" }).click();
  await page.getByRole("button", { name: "Sign out" }).click();
  await signIn();
  await page.fill("#code", recovery);
  await page.keyboard.press("Enter");
  await isAt("Service tokens");
  await go("/console/you/second-factor");
  await page.getByText("9 recovery codes are left").waitFor();
  await look("second-factor-on");
});

test("light or dark is chosen, and kept", async () => {
  await go("/console/you");
  await page.getByLabel("Dark").check();
  await page.getByRole("button", { name: "Choose" }).click();
  const scheme = () => page.evaluate(() => getComputedStyle(document.documentElement).colorScheme);
  assert.equal(await scheme(), "dark");
  await look("you-dark");
  await go("/console/reset");
  assert.equal(await scheme(), "dark");
  await look("reset");
});

test("the first load is small, and nothing came from elsewhere", async () => {
  const fresh = await open();
  let bytes = 0;
  fresh.on("response", async (response) => { bytes += (await response.body()).length; });
  await fresh.goto(`${house.url}/console/sign-in`, { waitUntil: "networkidle" });
  assert.ok(bytes > 0 && bytes < 150_000, `${bytes} bytes`);
  assert.deepEqual(foreign, []);
  const meant = complaints.filter((text) => !/status of 40[034]/.test(text));
  assert.deepEqual(meant, []);
});
