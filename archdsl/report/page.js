"use strict";
// Hover or arrow keys on a chart show the trial under the mark, with its network drawn; buttons copy text.
(() => {
  const tip = document.getElementById("tip");
  const said = new Map();
  const colours = new Map();
  for (const block of document.querySelectorAll(".legend i")) colours.set(block.textContent, block.className);

  const titleOf = (mark) => {
    if (!said.has(mark)) {
      const title = mark.querySelector("title");
      said.set(mark, title ? title.textContent : "");
      if (title) title.remove(); // or the browser shows it a second time
    }
    return said.get(mark);
  };
  const make = (name, className, text) => {
    const made = document.createElement(name);
    made.className = className;
    if (text !== undefined) made.textContent = text;
    return made;
  };
  const network = (number) => {
    const row = document.getElementById("trial-" + number);
    const layout = row && row.querySelector("td.code").textContent;
    if (!layout) return null;
    const net = make("span", "net");
    for (const stage of layout.split(" | ")) {
      const box = make("span", "stage");
      for (const label of stage.split(" ")) {
        box.append(make("i", colours.get(label) || "other4", label.length > 4 ? label.slice(0, 3) + "…" : label));
      }
      net.append(box);
    }
    return net;
  };
  const show = (mark) => {
    tip.replaceChildren(make("span", "said", titleOf(mark)));
    const picture = mark.dataset.trial !== undefined && network(mark.dataset.trial);
    if (picture) tip.append(picture);
    tip.hidden = false;
    const at = mark.getBoundingClientRect();
    const left = Math.min(Math.max(8, at.left + at.width / 2 - tip.offsetWidth / 2), innerWidth - tip.offsetWidth - 8);
    const above = at.top - tip.offsetHeight - 8;
    tip.style.left = left + scrollX + "px";
    tip.style.top = (above < 4 ? at.bottom + 8 : above) + scrollY + "px";
  };
  const hide = () => { tip.hidden = true; };

  for (const chart of document.querySelectorAll("svg.chart")) {
    const marks = [...chart.querySelectorAll(".mark")];
    if (!marks.length) continue;
    marks.forEach(titleOf);
    const order = marks.map((mark) => [mark.getBoundingClientRect().left, mark]).sort((a, b) => a[0] - b[0]);
    let current = -1;
    const clear = () => { for (const mark of marks) mark.classList.remove("current"); };
    chart.setAttribute("tabindex", "0");
    chart.setAttribute("aria-description", "use the arrow keys to go from mark to mark");
    chart.addEventListener("keydown", (event) => {
      const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
      if (event.key === "Escape") { clear(); hide(); }
      if (!step) return;
      event.preventDefault();
      current = Math.min(Math.max(0, current + step), order.length - 1);
      clear();
      order[current][1].classList.add("current");
      show(order[current][1]);
    });
    chart.addEventListener("blur", () => { clear(); hide(); });
    chart.addEventListener("pointerover", (event) => {
      const mark = event.target.closest(".mark");
      if (mark) show(mark);
    });
    chart.addEventListener("pointerout", hide);
  }

  for (const button of document.querySelectorAll("button.copy")) {
    const text = button.parentElement.querySelector("pre");
    button.hidden = false;
    button.addEventListener("click", async () => {
      try {
        await navigator.clipboard.writeText(text.textContent);
      } catch {
        getSelection().selectAllChildren(text);
        document.execCommand("copy");
      }
      button.textContent = "Copied";
      setTimeout(() => { button.textContent = "Copy"; }, 1500);
    });
  }
})();
