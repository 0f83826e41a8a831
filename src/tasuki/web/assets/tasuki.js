// Small help for those whose browser runs scripts; every page works without it.
"use strict";

// While somebody writes a hypothesis, what is wrong with it and which cases are similar stand beside it.
for (const form of document.querySelectorAll("form[data-look]")) {
  const beside = document.getElementById(form.dataset.beside);
  let waiting = 0;
  let asked = 0;
  form.addEventListener("input", () => {
    clearTimeout(waiting);
    waiting = setTimeout(async () => {
      const mine = ++asked;
      const answer = await fetch(form.dataset.look, { method: "POST", body: new URLSearchParams(new FormData(form)) });
      if (answer.ok && mine === asked) beside.innerHTML = await answer.text();
    }, 600);
  });
}

// A list that filters is shown as soon as something is chosen.
for (const choice of document.querySelectorAll("form.filter select, form.acting select")) {
  choice.addEventListener("change", () => choice.form.requestSubmit());
}

// A board stays fresh: when the ledger grows, the page says so and offers to load anew.
const fresh = document.getElementById("fresh");
if (fresh && "EventSource" in window) {
  const events = new EventSource("/api/v1/events");
  const show = () => { fresh.hidden = false; };
  for (const kind of (fresh.dataset.kinds || "").split(" ")) events.addEventListener(kind, show);
}
