// The console's script: copying, and comfort. Every page works without it.
"use strict";

// Says what was done, for a while; it stays under pointer or focus.
function toast(text) {
  const box = document.getElementById("toasts");
  if (!box) return;
  const note = document.createElement("div");
  note.className = "toast";
  note.textContent = text;
  box.replaceChildren(note);
  fade(note);
}

function fade(note) {
  setTimeout(() => {
    if (note.matches(":hover, :focus-within")) fade(note);
    else note.remove();
  }, 6000);
}

document.querySelectorAll("#toasts .toast").forEach(fade);

document.addEventListener("click", async (event) => {
  const button = event.target.closest("[data-copy]");
  if (!button) return;
  const source = document.getElementById(button.dataset.copy);
  try {
    await navigator.clipboard.writeText(source.textContent);
    toast("Copied");
  } catch {
    // No permission: select it, so that the keyboard can copy it.
    getSelection().selectAllChildren(source);
    toast("Selected: copy it with your keyboard");
  }
});

// The code of a link stands behind its #: into the form, and out of the address.
const code = document.getElementById("code");
if (code && location.hash.startsWith("#ngit_")) {
  code.value = location.hash.slice(1);
  history.replaceState(null, "", location.pathname);
  document.getElementById("password").focus();
}

// Filters work when they change.
const filters = document.querySelector("[data-filters]");
if (filters) {
  filters.addEventListener("change", (event) => {
    if (event.target.matches("select")) filters.requestSubmit();
  });
}

// What a permission set is for, as soon as it is chosen.
document.querySelectorAll("select[data-about]").forEach((select) => {
  select.addEventListener("change", () => {
    const about = select.selectedOptions[0]?.dataset.about ?? "";
    document.getElementById(select.dataset.about).textContent = about;
  });
});

// A token that is shown once: asks before it is left unsaved, and is gone from the page after.
const shown = document.querySelector("[data-shown-once]");
if (shown) {
  let done = false;
  shown.addEventListener("submit", () => { done = true; });
  addEventListener("beforeunload", (event) => { if (!done) event.preventDefault(); });
  addEventListener("pagehide", () => shown.remove());
}

// What a form will do, in plain words, while it is filled in: the server writes it.
const planned = document.querySelector("form[data-preview]");
if (planned) {
  const summary = document.getElementById("summary");
  let latest = 0;
  const ask = async () => {
    const mine = ++latest;
    const fields = new URLSearchParams(new FormData(planned));
    fields.delete("password");
    fields.set(planned.dataset.preview, "1");
    const answer = await fetch(planned.action, { method: "POST", body: fields });
    const page = new DOMParser().parseFromString(await answer.text(), "text/html");
    const told = page.getElementById("summary");
    if (told && mine === latest) summary.replaceChildren(...told.childNodes);
  };
  planned.addEventListener("change", (event) => {
    if (!summary.contains(event.target)) ask();
  });
}

// A run that goes on: the log of its step comes as it is written, the rest of the page follows.
const WORDS = [["OK", "good"], ["PASS", "good"], ["WARN", "warn"], ["ERROR", "bad"], ["FAIL", "bad"], ["SKIP", "warn"]];
const MOST_LINES = 5000;
let stream;

// A line as the server writes them (log_view.rs).
function lineOf(text) {
  const [, time = "", rest] = /^(?:(\d\d:\d\d:\d\d)(?: {2}|$))?(.*)$/s.exec(text);
  const found = WORDS.map(([word, kind]) => ({
    at: rest.search(new RegExp(`(?<![\\p{L}\\p{N}_=-])${word}(?![\\p{L}\\p{N}_=-])`, "u")), word, kind,
  })).filter(({ at }) => at >= 0).sort((one, other) => one.at - other.at)[0];
  const line = document.createElement("li");
  const said = document.createElement("span");
  if (found) {
    const mark = document.createElement("b");
    mark.className = found.kind;
    mark.textContent = found.word;
    said.append(rest.slice(0, found.at), mark, rest.slice(found.at + found.word.length));
  } else {
    said.append(rest);
  }
  const when = document.createElement("time");
  when.append(time);
  line.append(when, said);
  return line;
}

function followLog() {
  stream?.close();
  const log = document.querySelector("[data-events]");
  if (!log) return;
  const list = log.querySelector("ol");
  let partial = "";
  log.scrollTop = log.scrollHeight;
  stream = new EventSource(log.dataset.events);
  stream.addEventListener("log", ({ data }) => {
    const isAtEnd = log.scrollHeight - log.scrollTop - log.clientHeight < 40;
    const lines = (partial + JSON.parse(data).text).split("\n");
    partial = lines.pop();
    list.append(...lines.map(lineOf));
    while (list.childElementCount > MOST_LINES) {
      list.firstElementChild.remove();
      log.classList.add("cut");
    }
    if (isAtEnd) log.scrollTop = log.scrollHeight;
  });
  stream.addEventListener("progress", refresh);
  for (const last of ["end", "refused"]) {
    stream.addEventListener(last, () => {
      stream.close();
      if (partial) list.append(lineOf(partial));
      log.removeAttribute("data-events");
      refresh();
    });
  }
}

// Puts what has changed in place of what was, but for a log that is being written.
let asking = false;
async function refresh() {
  if (asking) return;
  asking = true;
  try {
    const answer = await fetch(location.href);
    if (answer.redirected) return location.reload();
    if (!answer.ok) return;
    const next = new DOMParser().parseFromString(await answer.text(), "text/html");
    let begun = false;
    for (const old of document.querySelectorAll("[data-swap]")) {
      const piece = next.getElementById(old.id);
      const isWritten = old.querySelector("[data-events]") && piece?.querySelector("[data-events]");
      if (!piece || isWritten || piece.outerHTML === old.outerHTML) continue;
      const link = old.contains(document.activeElement) && document.activeElement.getAttribute("href");
      old.replaceWith(document.adoptNode(piece));
      if (link) piece.querySelector(`[href="${CSS.escape(link)}"]`)?.focus();
      begun ||= piece.querySelector("[data-events]") !== null;
    }
    if (begun) followLog();
  } catch {
    // The server is away: the next look may find it.
  } finally {
    asking = false;
  }
}

if (document.querySelector("[data-live]")) {
  followLog();
  const looking = setInterval(() => {
    if (document.querySelector("[data-live]")) refresh();
    else clearInterval(looking);
  }, 3000);
}
