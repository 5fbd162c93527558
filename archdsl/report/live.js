"use strict";
// The live view: asks every two seconds whether the search has got further, and puts the new parts into the page.
(() => {
  const EVERY = 2000;
  const state = document.getElementById("live-state");
  const button = document.getElementById("live-pause");
  let tag = `"${document.body.dataset.tag}"`; // of what was loaded: the search may have got further since
  let best = document.body.dataset.best;
  let paused = false;
  const say = (text) => { if (state.textContent !== text) state.textContent = text; };

  // What a reader has opened, and where the keyboard is, must outlive the change.
  const folded = () => [...document.querySelectorAll("main details")].map((each) => each.open);
  const held = () => {
    const mark = document.activeElement.closest && document.activeElement.closest("svg.chart .mark");
    if (!mark) return document.activeElement.id ? { id: document.activeElement.id } : null;
    const section = mark.closest("section").getAttribute("aria-labelledby");
    const charts = [...document.querySelectorAll(`section[aria-labelledby="${section}"] svg.chart`)];
    return { section, chart: charts.indexOf(mark.closest("svg")), trial: mark.dataset.trial };
  };
  const take = (place) => {
    if (!place) return;
    let found = place.id && document.getElementById(place.id);
    if (place.section) {
      const chart = document.querySelectorAll(`section[aria-labelledby="${place.section}"] svg.chart`)[place.chart];
      found = chart && chart.querySelector(`.mark[data-trial="${place.trial}"]`);
    }
    if (found) found.focus({ preventScroll: true });
  };
  const put = (text) => {
    const fresh = new DOMParser().parseFromString(text, "text/html");
    const [open, place] = [folded(), held()];
    const pairs = ["body > header", "body > nav", "main"].map((name) => [document.querySelector(name), fresh.querySelector(name)]);
    for (const [old, made] of pairs) old.replaceWith(document.adoptNode(made));
    document.querySelectorAll("main details").forEach((each, i) => { each.open = open[i] || false; });
    document.title = fresh.title;
    document.dispatchEvent(new Event("renewed"));
    take(place);
    const now = fresh.body.dataset.best;
    say("finished" in fresh.body.dataset ? "The search has finished." : now !== best ? `New best: ${now}` : state.textContent);
    best = now;
  };
  const ask = async () => {
    if (paused || document.hidden) return;
    try {
      const answer = await fetch("/", { cache: "no-store", headers: { "If-None-Match": tag } });
      if (answer.status === 200) {
        const changed = tag !== answer.headers.get("ETag");
        tag = answer.headers.get("ETag");
        const text = await answer.text();
        if (changed) put(text);
      }
    } catch {
      say("The live view has ended; this is its last state.");
      clearInterval(timer);
    }
  };
  button.hidden = false;
  button.addEventListener("click", () => {
    paused = !paused;
    button.textContent = paused ? "Go on" : "Pause";
    say(paused ? "Paused." : "Following the search.");
  });
  const timer = setInterval(ask, EVERY);
  ask();
})();
