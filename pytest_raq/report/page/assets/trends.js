"use strict";
// Reads out the run under the pointer, or the one that the arrow keys lead to.
for (const suite of document.querySelectorAll("section.suite")) {
  const data = JSON.parse(suite.querySelector('script[type="application/json"]').textContent);
  const last = data.runs.length - 1;
  for (const figure of suite.querySelectorAll("figure")) {
    const chart = figure.querySelector(".chart");
    const cursor = chart.querySelector(".cursor");
    const readout = figure.querySelector(".readout");
    const rows = data.values[figure.dataset.measure];
    let current = last;
    readout.textContent = "Point at a run, or choose the chart and use the arrow keys.";
    const show = (run) => {
      current = Math.max(0, Math.min(last, run));
      const share = last ? current / last : 0.5;
      const x = data.width * (data.left + share * (data.right - data.left));
      cursor.setAttribute("x1", x);
      cursor.setAttribute("x2", x);
      const told = data.models
        .map((name, place) => [name, rows[place][current]])
        .filter(([, value]) => value)
        .map(([name, value]) => `${name} ${value}`);
      const marks = data.marks[current] ? ` – ${data.marks[current]}` : "";
      readout.textContent = `${data.runs[current]}: ${told.join(", ") || "not measured"}${marks}`;
    };
    const at = (event) => {
      const box = chart.getBoundingClientRect();
      const share = (event.clientX - box.left) / box.width;
      return Math.round(((share - data.left) / (data.right - data.left)) * last);
    };
    chart.addEventListener("pointermove", (event) => show(at(event)));
    chart.addEventListener("pointerdown", (event) => show(at(event)));
    chart.addEventListener("keydown", (event) => {
      const steps = { ArrowLeft: -1, ArrowRight: 1, PageUp: -10, PageDown: 10, Home: -last, End: last };
      if (event.key in steps) {
        event.preventDefault();
        show(current + steps[event.key]);
      }
    });
    chart.addEventListener("focus", () => show(current));
  }
}
