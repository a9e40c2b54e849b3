// How long a reply took from the end of speech to its first sound: a bar with a part for each stage.

const SCALE_MS = 2000; // of a whole bar, unless a reply took longer
const SVG = "http://www.w3.org/2000/svg";
const STAGES = {
  final: "final text",
  endpoint: "turn over",
  token: "first words of the answer",
  sample: "first sound made",
  sent: "sent",
};

/** The legend: what the colours are. */
export function legend() {
  return Object.entries(STAGES).map(([stage, name]) => {
    const item = Object.assign(document.createElement("li"), { textContent: name });
    item.dataset.stage = stage;
    return item;
  });
}

/**
 * The bar of a reply with its total, and all stages in words for those who do not see it.
 * @param {Object<string, number>} stages milliseconds from the end of speech to each stage that was reached
 */
export function latencyBar(stages) {
  const reached = Object.keys(STAGES).filter((stage) => stages[stage] !== undefined);
  const times = reached.map((stage) => ({ stage, ms: Math.max(stages[stage], 0) })).sort((a, b) => a.ms - b.ms);
  const total = times.at(-1)?.ms ?? 0;
  const bar = document.createElementNS(SVG, "svg");
  bar.setAttribute("viewBox", `0 0 ${Math.max(SCALE_MS, total)} 10`);
  bar.setAttribute("preserveAspectRatio", "none");
  bar.setAttribute("role", "img");
  const words = reached.map((stage) => `${STAGES[stage]} after ${stages[stage]} ms`).join(", ");
  bar.setAttribute("aria-label", `From the end of speech to the reply: ${total} ms; ${words}`);
  let before = 0;
  for (const { stage, ms } of times) {
    bar.append(part(stage, before, ms));
    before = ms;
  }
  const figure = document.createElement("div");
  const number = Object.assign(document.createElement("span"), { textContent: `${total} ms` });
  number.setAttribute("aria-hidden", "true"); // the bar says it
  figure.className = "latency";
  figure.append(bar, number);
  return figure;
}

function part(stage, from, to) {
  const found = document.createElementNS(SVG, "rect");
  const title = document.createElementNS(SVG, "title");
  for (const [name, value] of Object.entries({ x: from, y: 0, width: to - from, height: 10 })) found.setAttribute(name, value);
  found.dataset.stage = stage;
  title.textContent = `${STAGES[stage]}: ${to} ms`;
  found.append(title);
  return found;
}
