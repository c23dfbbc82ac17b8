// Selecting several approvals, and keyboard shortcuts. Every page works without this file, and no
// single key here decides anything. Uses what placet.js has, which is loaded before it.
"use strict";

// --- Several together --------------------------------------------------------------------------

const together = find("[data-together]");
const boxes = () => all('[data-list] [name="pick"]');
const picked = () => boxes().filter((box) => box.checked);

function showPicked() {
  const [count, most] = [picked().length, boxes().length];
  find("[data-picked]", together).textContent = count ? `${count} selected` : "Answer several together";
  find("[data-hint]", together).hidden = count > 0;
  find("[data-all]", together).textContent = count === most ? "Select none" : `Select all ${most}`;
  together.hidden = most === 0;
  // Beside what is selected, wherever that is; and then nothing that has the focus is below it.
  document.body.classList.toggle("picking", count > 0);
}

function pickAll(event) {
  event.preventDefault();
  const none = picked().length === boxes().length;
  for (const box of boxes()) box.checked = !none;
  showPicked();
  announce(none ? "None selected" : `${picked().length} selected`);
}

function startTogether() {
  main.addEventListener("change", (event) => { if (event.target.name === "pick") showPicked(); });
  document.addEventListener("rowschanged", showPicked);
  find("[data-all]", together).addEventListener("click", pickAll);
  together.addEventListener("submit", (event) => {
    if (picked().length) return;
    event.preventDefault();
    announce("Select at least one first.");
  });
  showPicked();
}

// --- Keys --------------------------------------------------------------------------------------

const asking = find("[data-ask]");
let askedFor = null; // the row that the dialog is about
const keysAreOn = () => !document.cookie.split("; ").includes("placet_shortcuts=off");
const WRITES = "input:not([type=checkbox], [type=radio]), textarea, select, dialog, [contenteditable]";

const current = () => document.activeElement.closest("[data-row]");

function step(by) {
  const shown = all("[data-row]");
  const at = shown.indexOf(current());
  const next = shown[Math.min(Math.max(at + by, 0), shown.length - 1)];
  if (next) find("[data-open]", next).focus();
}

function toggle() {
  const box = current() && find('[name="pick"]', current());
  if (!box) return;
  box.checked = !box.checked;
  showPicked();
  announce(`${title(current())}: ${box.checked ? "selected" : "not selected"}. ${picked().length} selected`);
}

// The form that approves what the reader is at: of the row, or of the page.
const approval = () => (page === "approval"
  ? find("form[data-decide]:not(.edit)")
  : current() && find("[data-quick]", current()));

function decide(decision) {
  if (together && picked().length) {
    together.requestSubmit(find(`[value="${decision}"]`, together));
    return;
  }
  const form = approval();
  if (!form) return;
  const over = form.dataset.over || current()?.dataset.over;
  if (over) announce(current() ? state(current()) : "This changed since you opened it.");
  else if (decision === "deny" && page === "approval") find("#deny textarea").focus();
  else ask(form, decision);
}

function ask(form, decision) {
  const denying = decision === "deny";
  askedFor = current();
  const what = current() ? title(current()) : find("h1").textContent.trim();
  const amount = find(".amount", current() ?? main)?.textContent.trim();
  find("[data-ask-title]", asking).textContent = denying ? "Deny this?" : "Approve this?";
  find("[data-ask-what]", asking).textContent = what;
  find("[data-ask-amount]", asking).textContent = amount ?? "";
  const sent = find("form", asking);
  sent.action = form.action;
  const reason = find("textarea", asking);
  if (reason) {
    reason.disabled = !denying;
    reason.value = "";
    find("[data-ask-reason]", asking).hidden = !denying;
  }
  const fields = [...new FormData(form)].filter(([name]) => name !== "decision");
  find("[data-ask-fields]", asking).replaceChildren(
    ...[...fields, ["decision", decision]].map(([name, value]) => hidden(name, value)),
  );
  const button = find("[type=submit]", asking);
  button.textContent = denying ? "Deny" : "Approve";
  button.className = denying ? "danger" : "primary";
  delete sent.dataset.sent;
  asking.showModal();
  (denying ? reason : button).focus();
}

function hidden(name, value) {
  const input = document.createElement("input");
  [input.type, input.name, input.value] = ["hidden", name, value];
  return input;
}

function undo() {
  const form = find("[data-undo]:not([data-over])");
  if (form) form.requestSubmit();
}

const KEYS = {
  "?": () => find("[data-keys]").showModal(),
  "/": () => find("[data-search]")?.focus(),
  j: () => step(1),
  k: () => step(-1),
  o: () => current() && find("[data-open]", current()).click(),
  x: toggle,
  a: () => decide("approve"),
  d: () => decide("deny"),
  u: undo,
};

function onKey(event) {
  if (event.ctrlKey || event.metaKey || event.altKey || event.defaultPrevented || event.repeat) return;
  if (!keysAreOn() || event.isComposing || event.target.closest(WRITES)) return;
  if (!Object.hasOwn(KEYS, event.key)) return;
  event.preventDefault();
  KEYS[event.key]();
}

function startKeys() {
  document.addEventListener("keydown", onKey);
  find("[data-keys-open]").addEventListener("click", (event) => {
    event.preventDefault();
    find("[data-keys]").showModal();
  });
  if (!asking) return;
  find("[data-ask-close]", asking).addEventListener("click", () => asking.close());
  asking.addEventListener("submit", () => { if (askedFor) rememberNext(askedFor); });
}

if (together) startTogether();
if (find("[data-keys]")) startKeys();
