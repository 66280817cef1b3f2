"use strict";
// Judging by keyboard, and saving that survives a server which is away for a while. Every page also works without this.

const RETRY = [500, 1000, 2000, 3000];
const $ = selector => document.querySelector(selector);
let saving = false;

// --- the time a case is before the rater's eyes ---

let shown = 0, since = null;

function startClock() {
  shown = 0;
  since = document.hidden ? null : performance.now();
}

function seconds() {
  return ((shown + (since === null ? 0 : performance.now() - since)) / 1000).toFixed(1);
}

document.addEventListener("visibilitychange", () => {
  if (document.hidden && since !== null) shown += performance.now() - since;
  since = document.hidden ? null : performance.now();
});

// --- saving ---

function say(text, trouble = false) {
  const status = $("#status");
  status.textContent = text;
  status.classList.toggle("trouble", trouble);
}

document.addEventListener("submit", event => {
  const form = event.target;
  if (!form.matches("[data-save]")) return;
  event.preventDefault();
  if (saving) return;
  const time = form.querySelector("[name=seconds]");
  if (time) time.value = seconds();
  const body = new URLSearchParams(new FormData(form));
  if (event.submitter?.name) body.set(event.submitter.name, event.submitter.value);
  event.submitter?.classList.add("pressed");
  save(form.getAttribute("action"), body);
});

// The same answer is sent until the server has it: it carries an id, so that it is stored once.
async function save(url, body) {
  saving = true;
  document.body.classList.add("saving");
  for (let tries = 0; ; tries++) {
    let why = "The server does not answer.";
    try {
      const response = await fetch(url, { method: "POST", body });
      if (response.status < 500) { take(response.ok, await response.text(), url); break; }
      why = problem(await response.text()) || why;
    } catch { /* not reached; tried again below */ }
    say(`Not saved yet. ${why} Trying again; leave this page open.`, true);
    await new Promise(done => setTimeout(done, RETRY[Math.min(tries, RETRY.length - 1)]));
  }
  saving = false;
  document.body.classList.remove("saving");
}

const parse = text => new DOMParser().parseFromString(text, "text/html");
const problem = text => parse(text).querySelector("#problem")?.textContent;

function take(ok, text, url) {
  const page = parse(text);
  if (!ok) {
    document.querySelectorAll(".pressed").forEach(one => one.classList.remove("pressed"));
    say(problem(text) || text.slice(0, 200), true);
    return;
  }
  if (!page.querySelector("#status")) { location.assign("/"); return; }  // another kind of page: the lead's
  document.title = page.title;
  $("main").replaceWith(page.querySelector("main"));
  say(url === "/vote" ? "Saved." : "");
  begin(true);
}

// --- a new case ---

function begin(moved) {
  startClock();
  const marks = $("#marks");
  if (marks) marks.checked = remembered("marks");
  $("#keys").checked = remembered("keys");
  current();
  if (!moved) return;
  scrollTo(0, 0);
  $("h1").focus({ preventScroll: true });
}

function remembered(name) {
  return localStorage.getItem(name) !== "off";
}

document.addEventListener("change", event => {
  if (["marks", "keys"].includes(event.target.id)) localStorage.setItem(event.target.id, event.target.checked ? "on" : "off");
  current();
});
document.addEventListener("input", current);

// --- keys ---

const answered = scale => scale.querySelector("input:checked") || scale.querySelector("input[type=number]")?.value;

// The scale that a number key answers now: the first without an answer.
function current() {
  const scales = [...document.querySelectorAll("[data-scale]")];
  const next = scales.find(scale => !answered(scale));
  scales.forEach(scale => scale.classList.toggle("current", scale === next));
  return next;
}

function focused(target) {
  return target.closest?.("[data-scale]") || current();
}

document.addEventListener("keydown", event => {
  if (event.altKey || event.metaKey || saving) return;
  const target = event.target;
  const typing = target.matches?.("textarea, input:not([type=radio], [type=checkbox])");
  if (event.key === "Escape") { $("h1")?.focus(); return; }
  if (event.key === "Enter" && target.matches?.("[data-scale] input")) {
    ($("[data-scale].current input") || $("h1")).focus();
    event.preventDefault();
    return;
  }
  if (event.ctrlKey) {
    if (event.key === "Enter" && target.id === "answer") { event.preventDefault(); $(".written .first").click(); }
    return;
  }
  if (typing || !$("#keys").checked) return;
  if (press(event.key.toLowerCase(), target)) event.preventDefault();
});

function press(key, target) {
  if (key === "?") { const menu = $(".menu"); menu.open = !menu.open; return true; }
  if (key === "enter" || key === " ") return false;
  const field = $(`[data-focus="${CSS.escape(key)}"]`);
  if (field) { $("#more").open = true; field.focus(); return true; }
  const scale = /^[0-9]$/.test(key) ? focused(target) : null;
  if (scale) return score(scale, key);
  const button = $(`main [data-key="${CSS.escape(key)}"]:not([type=radio])`);
  button?.click();
  return Boolean(button);
}

function score(scale, key) {
  const number = scale.querySelector("input[type=number]");
  const input = number || scale.querySelector(`input[value="${key}"]`);
  if (!input) return true;
  if (number) { number.value = key; current(); } else input.click();
  const next = current();
  // A count is focused as a whole: one digit is the answer, and more can be typed into its field.
  ((next?.matches(".number") ? next : next?.querySelector("input")) || $("h1")).focus({ preventScroll: true });
  next?.scrollIntoView({ block: "nearest" });
  return true;
}

// --- the ideal answer ---

document.addEventListener("click", event => {
  const from = event.target.dataset?.copy;
  if (!from) return;
  $("#edited").value = document.getElementById(from).textContent;
  $("#edited").focus();
});

window.addEventListener("beforeunload", event => {
  if ([...document.querySelectorAll("textarea")].some(text => text.value !== text.defaultValue)) event.preventDefault();
});

begin(false);
