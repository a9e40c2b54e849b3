const WIDE = 520;
const LEFT = 44;

/** Where the axis of a figure ends: rates above 1.5 are drawn at its end. */
function range(figure, values) {
  const known = values.filter((value) => value !== null && value !== undefined);
  const high = known.reduce((most, value) => Math.max(most, value), 0);
  const low = known.reduce((least, value) => Math.min(least, value), 0);
  if (figure.higher) return [0, figure.top];
  return figure.higher === null || figure.title.endsWith("(s)") ? [low, high || 1] : [0, Math.min(Math.max(high, 0.2), 1.5)];
}

function ofFigure(system, place) {
  return utterances.map((one) => one.heard[system].figures[place]);
}

function ticks([low, high]) {
  const step = [0.05, 0.1, 0.25, 0.5, 1, 2, 5, 10, 25, 50].find((one) => (high - low) / one <= 6) ?? (high - low) / 4;
  const found = [];
  for (let value = Math.ceil(low / step) * step; value <= high + 1e-9; value += step) found.push(Number(value.toFixed(4)));
  return found;
}

/** Counts of values: those of 0 apart, then equal steps. */
function bins(values, [low, high], count = 24) {
  const found = new Array(count + 1).fill(0);
  for (const value of values) {
    if (value === null || value === undefined) continue;
    const place = Math.floor(((value - low) / (high - low)) * count);
    found[value === 0 ? 0 : 1 + Math.min(Math.max(place, 0), count - 1)] += 1;
  }
  return found;
}

function histogram() {
  const figure = figures[chosen.figure];
  const all = systems.map((_, number) => ofFigure(number, chosen.figure));
  const ends = range(figure, all.flat());
  const counts = all.map((values) => bins(values, ends));
  const most = Math.max(1, ...counts.flatMap((row) => row.slice(1)));
  const [tall, gap] = [systems.length === 1 ? 300 : Math.max(90, Math.floor(300 / systems.length)), 26];
  const height = systems.length * (tall + gap) + 22;
  const picture = draw("svg", { viewBox: `0 0 ${WIDE} ${height}`, role: "img", "aria-label": `Histograms of ${figure.title}` });
  const zero = 26;
  const start = LEFT + zero + 6;
  const step = (WIDE - start - 8) / (counts[0].length - 1);
  counts.forEach((row, number) => {
    const bottom = (number + 1) * (tall + gap);
    const none = row[0];
    picture.append(draw("text", { x: LEFT, y: bottom - tall - 8, class: "label" }, `${systems[number].name}: ${none} of ${utterances.length} have 0`));
    picture.append(draw("line", { x1: LEFT, x2: WIDE - 8, y1: bottom, y2: bottom, class: "axis" }));
    for (const part of [0, 1]) {
      picture.append(draw("text", { x: LEFT - 6, y: bottom - part * tall + 4, class: "tick end" }, String(part * most)));
    }
    row.forEach((count, place) => {
      if (!count) return;
      const high = Math.min(Math.max((count / most) * tall, 1.5), tall);
      const [x, width] = place ? [start + (place - 1) * step, step - 1.5] : [LEFT, zero];
      const bar = draw("rect", { x, width, y: bottom - high, height: high, class: place ? "count" : "count none" });
      const edge = (part) => shown(ends[0] + ((place - 1 + part) / (row.length - 1)) * (ends[1] - ends[0]), figure);
      bar.append(draw("title", {}, place ? `${edge(0)} to ${edge(1)}: ${count}` : `0: ${count}`));
      picture.append(bar);
      if (!place && count > most) { // taller than the picture: cut
        const cut = bottom - tall + 14;
        picture.append(draw("path", { d: `M${LEFT - 3} ${cut}l8 -6 8 6 8 -6 8 6`, class: "cut" }));
      }
    });
  });
  picture.append(draw("text", { x: LEFT + zero / 2, y: height - 6, class: "tick middle" }, "0"));
  for (const value of ticks(ends).filter((one) => one !== 0)) {
    const x = start + ((value - ends[0]) / (ends[1] - ends[0])) * (WIDE - start - 8);
    picture.append(draw("text", { x: Math.min(x, WIDE - 14), y: height - 6, class: "tick middle" }, String(value)));
  }
  $("histogram").querySelector("figcaption").textContent = `Utterances by ${figure.title}`;
  $("histogram").querySelector("svg")?.remove();
  $("histogram").append(picture);
}

/** Which system and figure each axis can show. */
function axes() {
  return systems.flatMap((system, number) =>
    figures.map((figure, place) => ({ number, place, figure, label: systems.length > 1 ? `${figure.title}, ${system.name}` : figure.title })),
  );
}

function startScatter() {
  axes().forEach((axis, place) => {
    for (const id of ["across", "up"]) $(id).append(make("option", { value: String(place) }, axis.label));
  });
  for (const id of ["across", "up"]) $(id).addEventListener("change", scatter);
  const point = (event) => event.target.closest?.("circle")?.dataset.place;
  $("scatter").addEventListener("click", (event) => point(event) && reveal(Number(point(event))));
  $("scatter").addEventListener("mouseover", (event) => {
    const place = point(event);
    if (place && !event.target.firstChild) event.target.append(draw("title", {}, describe(Number(place))));
  });
  resetScatter();
}

/** Two systems by the chosen figure; one system by words and meaning. */
function resetScatter() {
  const named = (name) => figures.findIndex((figure) => figure.name === name);
  if (systems.length > 1) {
    $("across").value = String(chosen.figure);
    $("up").value = String(figures.length + chosen.figure);
  } else {
    $("across").value = String(Math.max(named("wer"), 0));
    $("up").value = String(named("saer") >= 0 ? named("saer") : Math.max(named("cer"), 0));
  }
}

function describe(place) {
  const [one, other] = [$("across"), $("up")].map((select) => axes()[Number(select.value)]);
  const value = (axis) => `${axis.label} ${shown(utterances[place].heard[axis.number].figures[axis.place], axis.figure)}`;
  return `${utterances[place].id}: ${value(one)}, ${value(other)}`;
}

function scatter() {
  const [across, up] = [$("across"), $("up")].map((select) => axes()[Number(select.value)]);
  const [xs, ys] = [across, up].map((axis) => ofFigure(axis.number, axis.place));
  let [wide, high] = [range(across.figure, xs), range(up.figure, ys)];
  const same = across.place === up.place;
  if (same) wide = high = [Math.min(wide[0], high[0]), Math.max(wide[1], high[1])];
  const height = 380;
  const inside = (value, [from, to]) => Math.min(Math.max((value - from) / (to - from), 0), 1);
  const x = (value) => LEFT + inside(value, wide) * (WIDE - LEFT - 14);
  const y = (value) => height - 40 - inside(value, high) * (height - 70);
  const picture = draw("svg", { viewBox: `0 0 ${WIDE} ${height}`, role: "img", "aria-label": `${across.label} against ${up.label}; the list below has the same figures` });
  for (const value of ticks(wide)) {
    picture.append(draw("line", { x1: x(value), x2: x(value), y1: y(high[0]), y2: y(high[1]), class: "grid" }));
    picture.append(draw("text", { x: x(value), y: height - 22, class: "tick middle" }, String(value)));
  }
  for (const value of ticks(high)) {
    picture.append(draw("line", { x1: x(wide[0]), x2: x(wide[1]), y1: y(value), y2: y(value), class: "grid" }));
    picture.append(draw("text", { x: LEFT - 8, y: y(value) + 4, class: "tick end" }, String(value)));
  }
  if (same) picture.append(draw("line", { x1: x(wide[0]), y1: y(high[0]), x2: x(wide[1]), y2: y(high[1]), class: "equal" }));
  picture.append(draw("text", { x: WIDE - 14, y: height - 6, class: "label end" }, `${across.label} →`));
  picture.append(draw("text", { x: LEFT, y: 14, class: "label" }, `↑ ${up.label}`));
  const points = draw("g", { class: "points" });
  utterances.forEach((_, place) => {
    if (xs[place] === null || ys[place] === null) return;
    points.append(draw("circle", { cx: x(xs[place]).toFixed(1), cy: y(ys[place]).toFixed(1), r: 4, "data-place": place }));
  });
  picture.append(points);
  $("scatter").querySelector("svg")?.remove();
  $("scatter").append(picture);
}
