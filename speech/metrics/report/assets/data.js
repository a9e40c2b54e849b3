"use strict";

const data = JSON.parse(document.getElementById("data").textContent);
const { figures, systems, groups, utterances } = data;

/** What is chosen on the page. */
const chosen = {
  figure: Math.max(figures.findIndex((one) => one.name === "mer"), 0),
  group: -1,
  search: "",
  wrong: false,
  page: 0,
  sort: { key: "0", down: true },
  groupSort: { key: "count", down: true },
};

const $ = (id) => document.getElementById(id);

/** An element with properties, attributes where a name has a dash or is `role`, and children; texts become text. */
function make(tag, properties = {}, ...children) {
  const found = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (name.includes("-") || name === "role") found.setAttribute(name, value);
    else found[name] = value;
  }
  found.append(...children.filter((child) => child !== null));
  return found;
}

function draw(tag, attributes = {}, ...children) {
  const found = document.createElementNS("http://www.w3.org/2000/svg", tag);
  for (const [name, value] of Object.entries(attributes)) found.setAttribute(name, value);
  found.append(...children);
  return found;
}

function shown(value, figure) {
  return value === null || value === undefined ? "–" : value.toFixed(figure.digits).replace("-", "−");
}

/** A difference, with its sign. */
function signed(value, figure) {
  if (value === null) return "–";
  const text = shown(value, figure);
  return value > 0 ? `+${text}` : text;
}

function minus(one, other) {
  return one === null || other === null ? null : one - other;
}

/** Places of the best of some values; none if they are all equal, or neither more nor less is better. */
function best(values, figure) {
  if (figure.higher === null) return [];
  const known = values.filter((value) => value !== null && value !== undefined);
  const wanted = figure.higher ? Math.max(...known) : Math.min(...known);
  if (known.length < 2 || known.every((value) => value === wanted)) return [];
  return values.flatMap((value, place) => (value === wanted ? [place] : []));
}

/** A heading that sorts: `sort` is changed, then `again` called. */
function sortable(label, key, sort, again, properties = {}) {
  const active = sort.key === key;
  const button = make("button", { type: "button" }, label);
  button.addEventListener("click", () => {
    sort.down = sort.key === key ? !sort.down : true;
    sort.key = key;
    const table = button.closest("table");
    again();
    table.querySelector(`button[data-key="${key}"]`)?.focus();
  });
  button.dataset.key = key;
  const order = !active ? "none" : sort.down ? "descending" : "ascending";
  return make("th", { scope: "col", "aria-sort": order, ...properties }, button);
}

/** Compares by a value that may be missing; those are last in both directions. */
function by(value, down) {
  return (one, other) => {
    const [a, b] = [value(one), value(other)];
    if (a === null || a === undefined) return b === null || b === undefined ? 0 : 1;
    if (b === null || b === undefined) return -1;
    const order = typeof a === "string" ? a.localeCompare(b) : a - b;
    return down ? -order : order;
  };
}
