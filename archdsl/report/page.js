"use strict";
// Pointing at a chart, or walking it with the arrow keys, shows the network under the mark; buttons copy text.
// Without this script everything can still be read: marks have titles, charts have labels, and tables hold the numbers.
(() => {
  const NEAR = 22; // pixels within which the pointer takes hold of a mark
  const tip = document.getElementById("tip");
  const said = new WeakMap();
  let shown = null;
  let waiting = 0;

  const make = (name, className, text) => {
    const made = document.createElement(name);
    made.className = className;
    if (text !== undefined) made.textContent = text;
    return made;
  };

  // ---- what a mark stands for

  const rowOf = ({ dataset: { trial, final } }) =>
    document.getElementById(trial !== undefined ? "trial-" + trial : "final-" + final);
  const likeIt = ({ dataset: { trial, final } }) => (trial !== undefined ? `[data-trial="${trial}"]` : `[data-final="${final}"]`);
  const layoutOf = (row) => row?.querySelector("td.code")?.textContent;
  const spoken = (layout) => layout.split(" | ").map((stage, i) => `stage ${i + 1}: ${stage}`).join("; ");

  const picture = (row) => {
    const drawn = row.querySelector(".net");
    if (drawn) return drawn.cloneNode(true);
    const layout = layoutOf(row);
    if (!layout) return null;
    const colours = new Map();
    for (const block of document.querySelectorAll(".legend i")) {
      colours.set(block.title || block.textContent, block.className);
    }
    const stages = layout.split(" | ").map((stage) => stage.split(" "));
    const net = make("span", stages.flat().length > 24 ? "net dense" : "net");
    for (const stage of stages) {
      const box = make("span", "stage");
      for (const label of stage) {
        box.append(make("i", colours.get(label) || "other4", label.length > 4 ? label.slice(0, 3) + "…" : label));
      }
      net.append(box);
    }
    return net;
  };

  const figures = (row) => {
    const heads = [...row.closest("table").querySelectorAll("thead tr:last-child th")];
    const list = make("dl", "figures");
    [...row.cells].forEach((cell, i) => {
      const text = cell.firstChild?.textContent;
      if (i === 0 || !cell.classList.contains("num") || !text || text === "–") return;
      const pair = make("div", "");
      pair.append(make("dt", "", heads[i].textContent), make("dd", "", text));
      list.append(pair);
    });
    return list;
  };

  // ---- the box beside it

  const show = (mark) => {
    clearTimeout(waiting);
    if (mark === shown) return;
    hide();
    shown = mark;
    const row = rowOf(mark);
    tip.replaceChildren(make("span", "said", said.get(mark) || ""));
    if (row) {
      const net = picture(row);
      tip.append(...(net ? [net] : []), figures(row));
      for (const other of document.querySelectorAll(likeIt(mark))) other.classList.add("same");
    }
    mark.classList.add("current");
    tip.hidden = false;
    const at = mark.getBoundingClientRect();
    const left = Math.min(Math.max(8, at.left + at.width / 2 - tip.offsetWidth / 2), innerWidth - tip.offsetWidth - 8);
    const above = at.top - tip.offsetHeight - 10;
    tip.style.left = left + scrollX + "px";
    tip.style.top = (above < 4 ? at.bottom + 10 : above) + scrollY + "px";
  };
  const hide = () => {
    clearTimeout(waiting);
    tip.hidden = true;
    shown = null;
    for (const mark of document.querySelectorAll(".same, .current")) mark.classList.remove("same", "current");
  };
  const hideSoon = () => {
    clearTimeout(waiting);
    waiting = setTimeout(() => { if (!shown || shown !== document.activeElement) hide(); }, 350);
  };
  tip.addEventListener("pointerenter", () => clearTimeout(waiting)); // the box can be pointed at, to copy from it
  tip.addEventListener("pointerleave", hideSoon);

  // ---- pointing

  const marksOf = (chart) => [...chart.querySelectorAll(".mark")];
  const middle = (mark) => {
    const at = mark.getBoundingClientRect();
    return [at.left + at.width / 2, at.top + at.height / 2];
  };
  const nearest = (chart, x, y) => {
    let best = null;
    let least = NEAR;
    for (const mark of marksOf(chart)) {
      const [a, b] = middle(mark);
      const gap = Math.hypot(a - x, b - y);
      if (gap < least) [best, least] = [mark, gap];
    }
    if (best) return best;
    const scale = chart.getBoundingClientRect().width / chart.viewBox.baseVal.width;
    const from = chart.getBoundingClientRect();
    for (const line of chart.querySelectorAll(".line[data-trial], .line[data-final]")) {
      const corners = line.getAttribute("d").slice(1).split("L").map((pair) => pair.split(" ").map(Number));
      corners.forEach(([a, b], i) => {
        const [c, d] = corners[i + 1] || [a, b];
        const [px, py] = [(x - from.left) / scale, (y - from.top) / scale];
        const length = (c - a) ** 2 + (d - b) ** 2;
        const t = length ? Math.min(1, Math.max(0, ((px - a) * (c - a) + (py - b) * (d - b)) / length)) : 0;
        const gap = scale * Math.hypot(a + t * (c - a) - px, b + t * (d - b) - py);
        if (gap < least) [best, least] = [line, gap];
      });
    }
    return best && chart.querySelector(".mark" + likeIt(best));
  };
  document.addEventListener("pointermove", (event) => {
    const chart = event.target.closest?.("svg.chart");
    const mark = chart && nearest(chart, event.clientX, event.clientY);
    if (mark) show(mark);
    else if (shown && !tip.contains(event.target)) hideSoon();
  });

  // ---- the keyboard: Tab to a chart, arrows from mark to mark, Enter to the network's row in its table

  const walkable = (chart) => {
    const marks = marksOf(chart);
    if (!marks.length) return;
    for (const mark of marks) {
      const title = mark.querySelector("title");
      said.set(mark, title ? title.textContent : "");
      if (title) title.remove(); // or the browser shows it a second time
      const layout = layoutOf(rowOf(mark));
      mark.setAttribute("role", "img");
      mark.setAttribute("aria-label", said.get(mark) + (layout ? ". " + spoken(layout) : ""));
      mark.setAttribute("tabindex", "-1");
    }
    inOrder(chart)[0].setAttribute("tabindex", "0");
    chart.setAttribute("role", "application"); // so that a screen reader passes the arrow keys on
    chart.setAttribute("aria-roledescription", "chart");
    chart.setAttribute("aria-description", "arrow keys go from mark to mark, Enter to its row in the table");
  };
  const inOrder = (chart, upwards = false) => {
    const placed = marksOf(chart).map((mark) => [middle(mark), mark]);
    placed.sort(([[a, b]], [[c, d]]) => (upwards ? d - b || a - c : a - c || d - b));
    return placed.map(([, mark]) => mark);
  };
  const steps = { ArrowRight: [1], ArrowLeft: [-1], ArrowUp: [1, true], ArrowDown: [-1, true], Home: [-Infinity], End: [Infinity] };
  document.addEventListener("keydown", (event) => {
    if (event.key === "Escape") hide();
    const mark = event.target.closest?.("svg.chart .mark");
    if (!mark || event.ctrlKey || event.altKey || event.metaKey) return;
    if (event.key === "Enter" && rowOf(mark)) {
      event.preventDefault();
      goTo(rowOf(mark));
    }
    if (!steps[event.key]) return;
    event.preventDefault();
    const [step, upwards] = steps[event.key];
    const order = inOrder(mark.closest("svg"), upwards);
    const next = order[Math.min(Math.max(0, order.indexOf(mark) + step), order.length - 1)];
    mark.setAttribute("tabindex", "-1");
    next.setAttribute("tabindex", "0");
    next.focus();
  });
  document.addEventListener("focusin", (event) => {
    if (event.target.matches("svg.chart .mark")) show(event.target);
    else hide();
  });
  document.addEventListener("focusout", hideSoon);

  // ---- tables

  const goTo = (row) => {
    for (let at = row; at; at = at.parentElement) if (at.tagName === "DETAILS") at.open = true;
    row.setAttribute("tabindex", "-1");
    row.focus();
    row.scrollIntoView({ block: "center" });
  };
  document.addEventListener("click", async (event) => {
    const link = event.target.closest('a[href="#trials"]');
    const folded = document.getElementById("every-trial");
    if (link && folded) folded.open = true;
    const button = event.target.closest("button.copy");
    if (!button) return;
    const text = button.parentElement.querySelector("pre");
    try {
      await navigator.clipboard.writeText(text.textContent);
    } catch {
      getSelection().selectAllChildren(text);
      document.execCommand("copy");
    }
    button.textContent = "Copied";
    setTimeout(() => { button.textContent = "Copy"; }, 1500);
  });
  const stops = () => { // only what scrolls is a stop of the Tab key
    for (const box of document.querySelectorAll(".scroll[tabindex], pre[tabindex]")) {
      box.tabIndex = box.scrollWidth > box.clientWidth || box.scrollHeight > box.clientHeight ? 0 : -1;
    }
  };

  addEventListener("resize", stops);
  document.addEventListener("toggle", stops, true);
  document.querySelectorAll("svg.chart").forEach(walkable);
  for (const button of document.querySelectorAll("button.copy")) button.hidden = false;
  stops();
})();
