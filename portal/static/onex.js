// Forms that help, and parts of a page that refresh themselves; without this file every page works all the same.
"use strict";

const MINUTE = 60_000;
const IDLE = 25 * MINUTE; // an unattended page asks no more, so that its session can end

// A file field shows the chosen file in the reader's language and refuses what the portal would refuse.
for (const field of document.querySelectorAll("input[type=file]")) {
  const shown = field.parentElement.querySelector("[data-file]");
  const nothing = shown.textContent;
  field.addEventListener("change", () => {
    const file = field.files[0];
    shown.textContent = file ? file.name : nothing;
    field.setCustomValidity(file && file.size > Number(field.dataset.maxBytes) ? field.dataset.tooLarge : "");
    field.reportValidity();
  });
}

// The browser's own words for a missing value, in the reader's language.
for (const field of document.querySelectorAll("[data-missing]")) {
  field.addEventListener("invalid", () => { if (field.validity.valueMissing) { field.setCustomValidity(field.dataset.missing); } });
  for (const event of ["input", "change"]) {
    field.addEventListener(event, () => { if (field.validationMessage === field.dataset.missing) { field.setCustomValidity(""); } });
  }
}

// One box that checks all others of its form.
for (const all of document.querySelectorAll("[data-check-all]")) {
  const box = all.querySelector("input"), others = () => [...all.closest("form").querySelectorAll("td input[type=checkbox]")];
  const show = () => {
    const checked = others().filter((one) => one.checked).length;
    box.checked = checked > 0 && checked === others().length;
    box.indeterminate = checked > 0 && !box.checked;
  };
  all.hidden = false;
  box.addEventListener("change", () => { for (const one of others()) { one.checked = box.checked; } });
  all.closest("form").addEventListener("change", (event) => { if (event.target !== box) { show(); } });
  show();
}

// A demonstration account fills in the form.
for (const chip of document.querySelectorAll("[data-fill]")) {
  chip.addEventListener("click", () => {
    const form = document.querySelector("form.stack");
    form.elements.name.value = chip.dataset.fill;
    form.elements.password.value = chip.dataset.password;
    form.querySelector("button").focus();
  });
}

// Bring a part to what it should be by touching only what differs: focus, scroll and open details stay.
function patch(old, fresh) {
  if (old.nodeName !== fresh.nodeName) { old.replaceWith(fresh); return; }
  if (old.nodeType !== Node.ELEMENT_NODE) { if (old.data !== fresh.data) { old.data = fresh.data; } return; }
  for (const { name } of [...old.attributes]) { if (!fresh.hasAttribute(name) && name !== "open") { old.removeAttribute(name); } }
  for (const { name, value } of fresh.attributes) { if (old.getAttribute(name) !== value) { old.setAttribute(name, value); } }
  patchInside(old, fresh);
}

function patchInside(old, fresh) {
  const has = [...old.childNodes], wants = [...fresh.childNodes];
  wants.forEach((one, at) => { if (at < has.length) { patch(has[at], one); } else { old.append(one); } });
  has.slice(wants.length).forEach((one) => one.remove());
}

function isSelected(part) {
  const chosen = getSelection();
  return chosen && !chosen.isCollapsed && chosen.rangeCount > 0 && chosen.getRangeAt(0).intersectsNode(part);
}

let active = Date.now();
for (const event of ["pointerdown", "pointermove", "keydown", "scroll"]) {
  addEventListener(event, () => { active = Date.now(); }, { passive: true });
}

// data-live is the address of a part, data-every the pause in milliseconds; data-until-done ends it at [data-done].
for (const part of document.querySelectorAll("[data-live]")) {
  const stale = document.querySelector("[data-stale]");
  const isDone = () => "untilDone" in part.dataset && part.querySelector("[data-done]") !== null;
  const ask = async () => {
    try {
      const answer = await fetch(part.dataset.live, { headers: { "X-Requested-With": "fetch" } });
      if (answer.redirected) { location.reload(); return; }
      if (stale) { stale.hidden = answer.ok; }
      if (!answer.ok || isSelected(part)) { return; }
      const fresh = part.cloneNode(false);
      fresh.innerHTML = await answer.text();
      patchInside(part, fresh);
    } catch { if (stale) { stale.hidden = false; } } // the portal is away for a moment; the next round asks again
  };
  const round = async () => {
    if (!document.hidden && Date.now() - active < IDLE) { await ask(); }
    if (!isDone()) { setTimeout(round, Number(part.dataset.every)); }
  };
  if (!isDone()) { setTimeout(round, Number(part.dataset.every)); }
}
