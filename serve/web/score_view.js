// Live scores of the server: figures, a chart over time, and errors per sentence.

import { clock } from "./transcript.js";

const FIGURES = { wer: "WER", cer: "CER", mer: "MER", pier: "PIER", saer: "SAER" };
const TITLES = {
  wer: "Word error rate",
  cer: "Character error rate",
  mer: "Mixed error rate: characters where a script has no spaces, words elsewhere",
  pier: "Errors at points of interest: marked words, otherwise those not in the main language",
  saer: "Half the error rate, half the distance of meanings",
};
const LINES = ["wer", "mer", "pier", "saer"];
const SVG = "http://www.w3.org/2000/svg";
const [WIDTH, HEIGHT, LEFT, RIGHT, TOP, BOTTOM] = [420, 150, 40, 46, 10, 22];

/** Split a text into sentences: at line breaks and after full stops, but never within `<tag ...>`. */
export function sentences(text) {
  const ends = /(?<=[.!?…]["'”’)\]]*)\s+(?![^<>]*>)|(?<=[。！？][”’」』]?)(?![”’」』])(?![^<>]*>)/u;
  return text.split(/\n+(?![^<>]*>)/).flatMap((line) => line.split(ends)).map((part) => part.trim()).filter(Boolean);
}

export class ScoreView {
  #parts;
  #points = [];
  #marks = [];
  #texts = [];

  /** @param {{section: HTMLElement, list: HTMLElement, figures: HTMLElement, chart: SVGElement, note: HTMLElement}} parts */
  constructor(parts) {
    this.#parts = parts;
  }

  /** Clear the view for a new session. */
  clear() {
    this.#points = [];
    this.#marks = [];
    this.#texts = [];
    this.#parts.list.replaceChildren();
    this.#parts.section.hidden = true;
  }

  /** Add sentences that the server has been sent. */
  expect(texts) {
    for (const text of texts) {
      const row = document.createElement("li");
      const words = Object.assign(document.createElement("p"), { textContent: text.replace(/<tag\s+([^<>]*)>/g, "$1"), dir: "auto" });
      const mark = document.createElement("span");
      row.append(mark, words);
      this.#parts.list.append(row);
      this.#marks.push({ row, mark });
    }
    this.#texts.push(...texts);
    this.#parts.section.hidden = !this.#texts.length;
    if (!this.#points.length) this.#draw(null);
  }

  /** Show a `score` message. */
  show(event) {
    const rates = Object.fromEntries(LINES.map((name) => [name, rate(event.so_far[name])]));
    this.#points.push({ ms: event.at_ms, rates, isFinal: event.is_final });
    for (const { sentence, errors, units } of event.sentences) this.#mark(sentence, errors, units, event.is_final);
    this.#draw(event);
  }

  #mark(number, errors, units, isFinal) {
    const found = this.#marks[number];
    if (!found) return;
    const { row, mark } = found;
    const said = units > 0 || isFinal;
    row.dataset.mark = !said ? "" : errors === 0 ? "right" : errors / Math.max(units, 1) < 0.3 ? "some" : "wrong";
    mark.textContent = !said ? "" : errors === 0 ? "✓" : `${errors}/${units}`;
    mark.title = `${errors} ${errors === 1 ? "error" : "errors"} in ${units} words`;
    if (said && !isFinal) this.#follow(row);
  }

  /** Scroll the list, not the page. */
  #follow(row) {
    const { list } = this.#parts;
    const [inside, around] = [row.getBoundingClientRect(), list.getBoundingClientRect()];
    if (inside.bottom > around.bottom) list.scrollTop += inside.bottom - around.bottom;
  }

  #draw(event) {
    const { figures, chart, note } = this.#parts;
    const cells = Object.entries(FIGURES).map(([name, label]) => {
      const found = event?.so_far[name];
      const cell = document.createElement("div");
      cell.dataset.line = name;
      const title = Object.assign(document.createElement("abbr"), { textContent: label, title: TITLES[name] });
      const value = Object.assign(document.createElement("dd"), { textContent: percent(rate(found)) });
      if (found?.units) value.title = `${found.errors} errors in ${found.units}`;
      const term = document.createElement("dt");
      term.append(title);
      cell.append(term, value);
      return cell;
    });
    figures.replaceChildren(...cells);
    const { units = 0, of = 0 } = event?.reference ?? {};
    const all = event?.is_final ? "All finals against the whole reference" : `${units} of ${of} words of the reference`;
    const why = event?.no_saer ? ` SAER: ${event.no_saer}.` : "";
    note.textContent = event ? `${all}.${why}` : "Scores follow the first final.";
    note.title = event?.signature ?? "";
    chart.replaceChildren(...plot(this.#points));
  }
}

function rate(found) {
  return typeof found === "object" && found !== null ? found.rate : found ?? null;
}

function percent(value) {
  return value === null ? "–" : `${(100 * value).toFixed(1)} %`;
}

/** Axes and a line for each rate. */
function plot(points) {
  const lastMs = Math.max(...points.map(({ ms }) => ms), 1000);
  const values = points.flatMap(({ rates }) => Object.values(rates)).filter((value) => value !== null);
  const step = [0.05, 0.1, 0.25, 0.5, 1].find((size) => Math.max(...values, 0.1) / size <= 4) ?? 2;
  const most = step * Math.max(Math.ceil(Math.max(...values, 0.1) / step - 1e-9), 1);
  const x = (ms) => LEFT + ((WIDTH - LEFT - RIGHT) * ms) / lastMs;
  const y = (value) => HEIGHT - BOTTOM - ((HEIGHT - TOP - BOTTOM) * value) / most;
  const shapes = [];
  for (let value = 0; value <= most + 1e-9; value += step) {
    shapes.push(shape("line", { x1: LEFT, x2: WIDTH - RIGHT, y1: y(value), y2: y(value), class: "grid" }));
    shapes.push(label(LEFT - 6, y(value) + 4, `${Math.round(100 * value)} %`, "end"));
  }
  shapes.push(label(LEFT, HEIGHT - 5, clock(0), "start"), label(WIDTH - RIGHT, HEIGHT - 5, clock(lastMs), "end"));
  const ends = [];
  for (const name of LINES) {
    const known = points.filter(({ rates }) => rates[name] !== null);
    if (!known.length) continue;
    const places = known.map(({ ms, rates }) => [x(ms), y(rates[name])]);
    const line = places.map(([left, top], n) => (n ? `L${left},${places[n - 1][1]}V${top}` : `M${left},${top}`)).join("");
    shapes.push(shape("path", { d: line, class: "line", "data-line": name }));
    shapes.push(...places.map(([cx, cy]) => shape("circle", { cx, cy, r: 2.5, "data-line": name })));
    ends.push({ name, top: places.at(-1)[1], left: places.at(-1)[0] });
  }
  shapes.push(...names(ends));
  return shapes;
}

/** Labels at the ends of the lines; equal values form a group, and labels do not overlap. */
function names(ends) {
  const groups = [];
  for (const end of ends.sort((a, b) => a.top - b.top)) {
    const group = groups.find(({ top }) => Math.abs(top - end.top) < 1);
    if (group) group.names.push(end.name);
    else groups.push({ top: end.top, names: [end.name] });
  }
  let last = TOP - 12;
  return groups.flatMap((group) =>
    group.names.map((name) => {
      last = Math.max(last + 12, group.top + 4);
      const text = label(WIDTH - RIGHT + 6, last, FIGURES[name], "start");
      text.dataset.line = name;
      return text;
    }),
  );
}

function label(x, y, words, anchor) {
  const text = shape("text", { x, y, "text-anchor": anchor });
  text.textContent = words;
  return text;
}

function shape(kind, attributes) {
  const made = document.createElementNS(SVG, kind);
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  return made;
}
