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
      try {
        const answer = await fetch(form.dataset.look, { method: "POST", body: new URLSearchParams(new FormData(form)) });
        const text = await answer.text();
        if (mine !== asked) return;
        // A whole page instead of the panel: the session has ended, and this is the sign-in.
        if (answer.redirected || answer.status === 403) beside.textContent = form.dataset.ended;
        else if (answer.ok) beside.innerHTML = text;
      } catch { /* The server is away for a moment; what stands there stays. */ }
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
