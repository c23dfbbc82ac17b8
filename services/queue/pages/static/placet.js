// Keeps an open page true. Every page works without this file; nothing here decides anything.
// What the keyboard and the selection of several do is in answering.js, which uses what is here.
"use strict";

const page = document.body.dataset.page;
const main = document.getElementById("main");
const find = (selector, root = document) => root.querySelector(selector);
const all = (selector, root = document) => [...root.querySelectorAll(selector)];

const QUIET_MS = 1000; // between two readings, however much changes
const RECHECK_MS = 60_000; // "verified" moves on without anything having changed
const RETRY_MS = 30_000;
const MOST_HELD = 200;

function announce(text) {
  const region = find("[data-announce]");
  region.textContent = "";
  setTimeout(() => { region.textContent = text; }, 50);
}

// --- Times -------------------------------------------------------------------------------------

const read = new WeakMap(); // element -> when its number of seconds was true

function span(seconds) {
  const whole = Math.max(0, Math.floor(seconds));
  if (whole < 60) return `${whole} s`;
  if (whole < 3600) return `${Math.floor(whole / 60)} min`;
  if (whole < 86400) return `${Math.floor(whole / 3600)} h`;
  return `${Math.floor(whole / 86400)} d`;
}

function tick() {
  const now = performance.now();
  for (const element of all("[data-seconds]")) {
    if (!read.has(element)) read.set(element, now);
    const text = span(Number(element.dataset.seconds) + (now - read.get(element)) / 1000);
    if (element.textContent !== text) element.textContent = text;
  }
  for (const element of all("[data-left]")) {
    if (!read.has(element)) read.set(element, now);
    const left = Number(element.dataset.left) - (now - read.get(element)) / 1000;
    if (left > 0) element.textContent = ` (${Math.ceil(left)}\u00a0s)`;
    else noUndo(element);
  }
}

// What could be taken back is final now.
function noUndo(element) {
  const form = element.closest("[data-undo]");
  if (!form) {
    element.remove();
    return;
  }
  form.dataset.over = "yes";
  find("button", form).setAttribute("aria-disabled", "true");
  find("[data-hold]", form).textContent = "It is final now.";
  announce("It is final now.");
}

function localise() {
  const words = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "short" });
  for (const element of all("time[data-local]")) {
    element.title = element.textContent;
    element.textContent = words.format(new Date(element.dateTime));
  }
  const clock = new Intl.DateTimeFormat(undefined, { timeStyle: "medium" });
  for (const element of all("time[data-clock]")) {
    element.title = element.textContent;
    element.textContent = clock.format(new Date(element.dateTime));
  }
}

// --- What changed ------------------------------------------------------------------------------

let stream = null;
let refreshing = false;
let again = false;
let lastRefresh = -QUIET_MS;
let waiting = null;

function trouble(text) {
  const place = find("[data-trouble]");
  if (place && place.textContent !== text) place.textContent = text;
}

async function rows(held) {
  const url = new URL("/inbox/rows", location.origin);
  if (page === "inbox") {
    url.search = location.search;
    for (const name of ["notice", "about", "select"]) url.searchParams.delete(name);
  }
  for (const id of held.slice(0, MOST_HELD)) url.searchParams.append("held", id);
  const answer = await fetch(url, { cache: "no-store", redirect: "error" });
  if (answer.status === 401) {
    stop();
    throw new Error("You are signed out. Load the page again to sign in.");
  }
  if (!answer.ok) throw new Error("This could not be brought up to date just now.");
  return find("[data-rows]", new DOMParser().parseFromString(await answer.text(), "text/html"));
}

function refreshSoon() {
  if (refreshing) again = true;
  if (refreshing || waiting !== null) return;
  const wait = Math.max(100, lastRefresh + QUIET_MS - performance.now());
  waiting = setTimeout(refresh, wait);
}

async function refresh() {
  waiting = null;
  refreshing = true;
  again = false;
  lastRefresh = performance.now();
  try {
    await (page === "inbox" ? refreshInbox() : refreshApproval());
    trouble("");
  } catch (error) {
    trouble(error instanceof TypeError ? "Placet cannot be reached. Trying again." : error.message);
  } finally {
    refreshing = false;
  }
  if (again) refreshSoon();
}

function start() {
  if (stream || document.hidden) return;
  stream = new EventSource("/inbox/stream");
  // What changed while nobody listened was not told: read everything at each opening.
  stream.addEventListener("open", refreshSoon);
  stream.addEventListener("changed", (event) => {
    const change = JSON.parse(event.data);
    if (page === "inbox" || change.id === find("[data-approval]").dataset.approval) refreshSoon();
  });
  stream.addEventListener("error", () => {
    if (!stream || stream.readyState !== EventSource.CLOSED) return;
    stream = null; // the browser gave up; perhaps nobody is signed in any more
    refreshSoon();
    setTimeout(start, RETRY_MS);
  });
}

function stop() {
  stream?.close();
  stream = null;
}

function watch() {
  start();
  // A browser opens few connections to one server: a page that nobody looks at gives its own back.
  document.addEventListener("visibilitychange", () => (document.hidden ? stop() : start()));
  setInterval(() => { if (!document.hidden) refreshSoon(); }, RECHECK_MS);
}

// --- The inbox ---------------------------------------------------------------------------------

const held = new Map(); // id -> the row that takes this one's place once nobody is at it
let latest = null;

function isBusy(element) {
  const selection = getSelection();
  return element.matches(":hover") || element.contains(document.activeElement)
    || (!selection.isCollapsed && element.contains(selection.anchorNode));
}

async function refreshInbox() {
  const list = find("[data-list]");
  const shown = all("[data-row]", list);
  const asked = shown.filter((row) => row.dataset.mine === "yes").map((row) => row.dataset.id);
  latest = document.importNode(await rows(asked), true);
  const fresh = new Map(all("[data-row]", latest).map((row) => [row.dataset.id, row]));
  for (const row of shown) {
    const next = fresh.get(row.dataset.id);
    if (next) update(row, next.cloneNode(true));
  }
  document.title = `${Number(latest.dataset.count) ? `(${latest.dataset.count}) ` : ""}Inbox · Placet`;
  find("[data-heading]").textContent = latest.dataset.title;
  offerNew(list);
  tick();
}

function update(row, next) {
  const same = row.dataset.version === next.dataset.version && row.dataset.mine === next.dataset.mine;
  if (same) {
    const seconds = all("[data-seconds]", next);
    all("[data-seconds]", row).forEach((element, place) => {
      element.dataset.seconds = seconds[place]?.dataset.seconds ?? element.dataset.seconds;
      read.delete(element);
    });
    return;
  }
  const over = next.dataset.mine !== "yes";
  const changed = over || next.dataset.revision !== row.dataset.revision;
  if (changed && !row.dataset.over) announce(`${title(row)}: ${over ? state(next) : "this changed"}`);
  if (isBusy(row)) {
    held.set(row.dataset.id, next);
    if (changed) stale(row, next, over);
  } else {
    put(row, next);
  }
}

const title = (row) => find("[data-open]", row).textContent.trim();
const state = (row) => find("[data-state]", row).textContent.replace(/\s+/g, " ").trim();

function put(row, next) {
  held.delete(row.dataset.id);
  // What stands below must not move up under somebody's pointer.
  next.style.minHeight = `${row.getBoundingClientRect().height}px`;
  keepPicks([row], [next]);
  row.replaceWith(next);
  document.dispatchEvent(new Event("rowschanged"));
}

// What was selected stays so, as long as it is still what was shown.
function keepPicks(before, after) {
  const boxes = before.flatMap((row) => all('[name="pick"]:checked', row));
  const picked = new Set(boxes.map((box) => box.value));
  for (const row of after) {
    const box = find('[name="pick"]', row);
    if (box) box.checked = picked.has(box.value);
  }
}

function stale(row, next, over) {
  row.dataset.over = "yes";
  const box = find('[name="pick"]', row);
  if (box?.checked) { box.checked = false; document.dispatchEvent(new Event("rowschanged")); }
  for (const button of all("[data-actions] button", row)) button.setAttribute("aria-disabled", "true");
  const place = find("[data-state]", row);
  place.className = over ? find("[data-state]", next).className : "state pending";
  if (over) place.replaceChildren(...find("[data-state]", next).cloneNode(true).childNodes);
  else place.textContent = "This changed since you saw it. It shows anew once you look elsewhere.";
  place.hidden = false;
}

function settleHeld() {
  for (const [id, next] of held) {
    const row = find(`[data-list] [data-id="${id}"]`);
    if (!row) held.delete(id);
    else if (!isBusy(row)) put(row, next);
  }
}

function offerNew(list) {
  const known = new Set(all("[data-row]", list).map((row) => row.dataset.id));
  const arrived = all("[data-list] [data-row]", latest).filter((row) => !known.has(row.dataset.id));
  const button = find("[data-show]");
  if (arrived.length && known.size === 0 && !isBusy(main)) {
    showNew();
    announce(latest.dataset.title);
    return;
  }
  const text = `${arrived.length} new: show`;
  if (arrived.length && button.textContent !== text) announce(`${arrived.length} new`);
  button.textContent = text;
  button.hidden = arrived.length === 0;
}

function showNew(event) {
  const list = find("[data-list]");
  const known = new Set(all("[data-row]", list).map((row) => row.dataset.id));
  const next = all("[data-list] [data-row]", latest).map((row) => row.cloneNode(true));
  held.clear();
  keepPicks(all("[data-row]", list), next);
  list.replaceChildren(...next);
  document.dispatchEvent(new Event("rowschanged"));
  find("[data-empty]")?.remove();
  find("[data-lead]").textContent = latest.dataset.lead;
  find("[data-show]").hidden = true;
  tick();
  const first = next.find((row) => !known.has(row.dataset.id));
  if (event && first) find("[data-open]", first).focus();
}

// Where the reader goes on, once the page is loaded anew.
function rememberNext(row) {
  const next = row.nextElementSibling ?? row.previousElementSibling;
  remember("next", next?.dataset.id ?? "");
}

function startInbox() {
  find("[data-show]").addEventListener("click", showNew);
  main.addEventListener("focusout", () => setTimeout(settleHeld));
  main.addEventListener("pointerout", () => setTimeout(settleHeld));
  document.addEventListener("selectionchange", settleHeld);
  main.addEventListener("submit", (event) => {
    const row = event.target.closest("[data-row]");
    if (!row) return;
    if (row.dataset.over) {
      event.preventDefault();
      announce(state(row));
      return;
    }
    rememberNext(row);
  });
  const notice = find("[data-notice]");
  if (notice) {
    const next = recall("next");
    find(`[data-id="${CSS.escape(next ?? "")}"] [data-open]`)?.focus();
  }
}

// --- One approval ------------------------------------------------------------------------------

async function refreshApproval() {
  const article = find("[data-approval]");
  const id = article.dataset.approval;
  const row = find(`[data-id="${id}"]`, await rows([id]));
  if (!row) return;
  const { version, revision, status, mine } = row.dataset;
  const shown = article.dataset;
  if (revision !== shown.revision || status !== shown.status || mine !== shown.mine) {
    const final = shown.status === "deciding" && status !== "pending" && status !== "deciding";
    tell(final ? "This is final now." : "This changed since you opened it.", true);
  } else if (Number(version) > Number(article.dataset.version)) {
    tell("Something was added to the history.", false);
  }
}

function tell(text, isStale) {
  const place = find("[data-live]");
  if (isStale) {
    for (const form of all("[data-decide]")) {
      form.dataset.over = "yes";
      find("button", form).setAttribute("aria-disabled", "true");
    }
  }
  if (place.dataset.text === text || place.dataset.stale) return;
  place.dataset.text = text;
  if (isStale) place.dataset.stale = "yes";
  const words = document.createElement("strong");
  words.textContent = text;
  const link = document.createElement("a");
  link.href = location.pathname;
  link.className = "button";
  link.textContent = "Look again";
  place.replaceChildren(words, link);
}

const draft = (area) => `draft ${location.pathname} ${area.id}`;

function startApproval() {
  main.addEventListener("submit", (event) => {
    if (!event.target.dataset.over) return;
    event.preventDefault();
    find("[data-live] a")?.focus();
  });
  // What somebody was writing outlives the second look.
  for (const area of all("textarea")) {
    const kept = recall(draft(area));
    if (kept && !area.value) area.value = kept;
  }
  find("[data-live]").addEventListener("click", () => {
    for (const area of all("textarea")) if (area.value) remember(draft(area), area.value);
  });
}

// --- All pages ---------------------------------------------------------------------------------

function remember(name, value) {
  try { sessionStorage.setItem(`placet ${name}`, value); } catch { /* a convenience only */ }
}

function recall(name) {
  try {
    const value = sessionStorage.getItem(`placet ${name}`);
    sessionStorage.removeItem(`placet ${name}`);
    return value;
  } catch { return null; }
}

function sendOnce(event) {
  if (event.defaultPrevented || event.target.method !== "post") return;
  if (event.target.dataset.sent || event.target.dataset.over) event.preventDefault();
  event.target.dataset.sent = "yes";
  // An answer that never left may be sent again.
  setTimeout(() => { delete event.target.dataset.sent; }, 10_000);
}

function dropNotice() {
  const notice = find("[data-notice]");
  if (notice) announce(notice.textContent.replace(/\s+/g, " ").trim());
  const url = new URL(location.href);
  if (!url.searchParams.has("notice")) return;
  url.searchParams.delete("notice");
  url.searchParams.delete("about");
  history.replaceState(null, "", url);
}

// A link to something that is folded away unfolds it.
function unfold() {
  const place = document.getElementById(decodeURIComponent(location.hash.slice(1)));
  const fold = place?.closest("details");
  if (!fold || fold.open) return;
  fold.open = true;
  place.scrollIntoView();
}

localise();
tick();
setInterval(tick, 1000);
if (page === "inbox") startInbox();
if (page === "approval") startApproval();
if (page === "inbox" || page === "approval") watch();
dropNotice();
unfold();
addEventListener("hashchange", unfold);
addEventListener("submit", sendOnce);
addEventListener("pageshow", (event) => { if (event.persisted) location.reload(); });
