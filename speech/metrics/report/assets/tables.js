/** A dot between the ends of its interval, on a scale that all systems share. */
function errorBar(rate, low, high) {
  const width = 120;
  const x = (value) => (4 + ((value - low) / (high - low || 1)) * (width - 8)).toFixed(1);
  const picture = draw("svg", { viewBox: `0 0 ${width} 16`, class: "bar", "aria-hidden": "true" });
  picture.append(draw("line", { x1: x(low), x2: x(high), y1: 8, y2: 8, class: "axis" }));
  const [value, from, to] = rate;
  if (from !== undefined) {
    picture.append(draw("line", { x1: x(from), x2: x(to), y1: 8, y2: 8, class: "spread" }));
    for (const end of [from, to]) picture.append(draw("line", { x1: x(end), x2: x(end), y1: 4, y2: 12, class: "spread" }));
  }
  picture.append(draw("circle", { cx: x(value), cy: 8, r: 3.5 }));
  return picture;
}

function systemsTable() {
  const head = make("tr", {}, make("th", { scope: "col" }, "Figure"));
  for (const system of systems) head.append(make("th", { scope: "col" }, system.name));
  const body = make("tbody");
  figures.forEach((figure, place) => {
    const rates = systems.map((system) => system.rates[place]);
    const ends = rates.filter(Boolean).flat();
    const [low, high] = [Math.min(0, ...ends), Math.max(...ends)];
    const winners = best(rates.map((rate) => (rate ? Number(rate[0].toFixed(figure.digits)) : null)), figure);
    const row = make("tr", {}, make("th", { scope: "row" }, figure.title, figure.higher ? make("small", {}, " higher is better") : null));
    rates.forEach((rate, number) => row.append(systemCell(rate, figure, systems[number].against[place], winners.includes(number), low, high)));
    body.append(row);
  });
  $("systems").append(make("thead", {}, head), body);
  $("systems-note").textContent =
    "Bars start at 0 and show the interval of 95 %, by resampling utterances." +
    (systems.length > 1 ? ` Δ is the difference from ${systems[0].name}; p is two-sided, bold below .05.` : "") +
    systems.map(insertedInSilence).join("");
}

/** What no rate shows alone: insertions in utterances whose reference is empty. */
function insertedInSilence({ name, silence }) {
  if (!silence.words) return "";
  const counted = (count, noun) => `${count} ${noun}${count === 1 ? "" : "s"}`;
  const where = counted(silence.utterances, "utterance");
  const what = `${counted(silence.words, "word")} (${counted(silence.characters, "letter")})`;
  return ` ${name}: ${what} inserted in ${where} where nothing was said.`;
}

function systemCell(rate, figure, against, wins, low, high) {
  if (!rate) return make("td", {}, "–");
  const cell = make("td", { className: "rate" });
  const top = make("div", {}, make(wins ? "strong" : "span", { className: "value" }, shown(rate[0], figure)), errorBar(rate, low, high));
  if (wins) top.append(make("span", { className: "best" }, "best"));
  cell.append(top);
  const small = make("small", {});
  if (rate.length > 1) small.append(`${shown(rate[1], figure)} to ${shown(rate[2], figure)}`);
  if (against) {
    const p = against[3] < 0.001 ? "< .001" : `= ${against[3].toFixed(3).replace(/^0/, "")}`;
    small.append(` · Δ ${signed(against[0], figure)}, `, make(against[3] < 0.05 ? "b" : "span", {}, `p ${p}`));
  }
  cell.append(small);
  return cell;
}

/** Columns of a table below: of one system all figures, of several the chosen figure of each. */
function columns() {
  if (systems.length === 1) {
    return figures.map((figure, place) => ({ key: String(place), label: figure.title, figure, of: (rates) => rates[0][place] }));
  }
  const place = chosen.figure;
  const figure = figures[place];
  const found = systems.map((system, number) => ({
    key: String(number), label: system.name, figure, system: number, of: (rates) => rates[number][place],
  }));
  for (let number = 1; number < systems.length; number += 1) {
    const label = systems.length === 2 ? "difference" : `${systems[number].name} − ${systems[0].name}`;
    found.push({
      key: `d${number}`, label, figure, difference: true, of: (rates) => minus(rates[number][place], rates[0][place]),
    });
  }
  return found;
}

/** Cells of numbers, the best of several systems in bold. */
function numbers(all, rates) {
  const values = all.map((column) => column.of(rates));
  const winners = systems.length > 1 ? best(values.slice(0, systems.length), figures[chosen.figure]) : [];
  return all.map((column, place) => {
    const text = column.difference ? signed(values[place], column.figure) : shown(values[place], column.figure);
    return make("td", { className: "number" }, winners.includes(place) ? make("strong", {}, text) : text);
  });
}

function groupsTable() {
  $("groups-section").hidden = groups.length < 2;
  const all = columns();
  const sort = chosen.groupSort;
  const head = make("tr", {}, sortable("Languages", "name", sort, groupsTable), sortable("Utterances", "count", sort, groupsTable, { className: "number" }));
  for (const column of all) head.append(sortable(column.label, column.key, sort, groupsTable, { className: "number" }));
  const values = { name: (group) => group.name, count: (group) => group.count };
  const column = all.find((one) => one.key === sort.key);
  const value = values[sort.key] ?? (column ? (group) => column.of(group.rates) : values.count);
  const rows = [...groups].sort(by(value, sort.down)).map((group) => {
    const button = make("button", { type: "button", className: "link" }, group.name);
    button.addEventListener("click", () => only(groups.indexOf(group)));
    const title = group.title === group.name ? null : make("small", {}, ` ${group.title}`);
    return make("tr", {}, make("th", { scope: "row" }, button, title), make("td", { className: "number" }, String(group.count)), ...numbers(all, group.rates));
  });
  $("groups").replaceChildren(make("thead", {}, head), make("tbody", {}, ...rows));
}
