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
