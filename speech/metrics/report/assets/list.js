const EACH = 25;
const SPACELESS = /^[\u3005-\u3007\u3041-\u30ff\u31f0-\u31ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\u{20000}-\u{3ffff}\u0e00-\u0fff\u1000-\u109f\u1780-\u17ff]+$/u;
const EXPLAINED = {
  wer: "errors of words, per word of the reference",
  cer: "errors of characters, per character",
  mer: "errors of mixed units: characters of scripts without spaces, words of all others",
  pier: "MER at points of interest: words that are marked, otherwise those that are not in the main language",
  switch: "MER in the words around a switch of languages",
  language_error: "share of words that were taken for another language",
  saer: "half the error rate, half the distance of meanings (other weights are in the line below)",
  bleu: "n-grams of words that translation and reference share, 0 to 100; of single utterances with effective order",
  chrf: "n-grams of characters that translation and reference share, 0 to 100",
  al: "average lagging behind a speaker at even pace, in seconds",
  laal: "AL that gains nothing from saying too much",
  dal: "average lagging of all words; time once lost is not regained",
  yaal: "LAAL of the words that came while somebody spoke",
  longyaal: "of segments of a long recording: LAAL of the words that came before the recording ended",
  skips: "runs of four words or more that the recogniser did not hear, per text",
  repeats: "runs of four words or more that it heard twice, per text",
  words_per_s: "words of the text per second from the first speech to the last",
  symbols_per_s: "its characters, without spaces, per second",
  pauses: "pauses of 0.3 s or more, per text",
  pause_share: "share of pauses in the time from the first speech to the last",
  longest_pause_s: "longest pause of a text, mean over texts",
  similarity: "cosine of the voice vectors of speech and reference recording",
  distillmos: "mean opinion that a network predicts, 1 to 5: overall quality",
  dnsmos: "mean opinion that a network predicts, 1 to 5: DNSMOS P.835, overall",
};

let current = [];
const searched = utterances.map((one) => [one.id, one.text, ...one.heard.map((heard) => heard.text)].join("\n").toLowerCase());

function select() {
  const wanted = chosen.search.toLowerCase().split(/\s+/).filter(Boolean);
  const wrong = (one) => one.heard.some((heard) => heard.edits.length);
  const all = columns();
  const { key, down } = chosen.sort;
  const column = all.find((one) => one.key === key) ?? all[0];
  const values = {
    id: (place) => utterances[place].id,
    group: (place) => groups[utterances[place].group].name,
    words: (place) => count(utterances[place].words),
  };
  const value = values[key] ?? ((place) => column.of(utterances[place].heard.map((heard) => heard.figures)));
  current = utterances
    .map((_, place) => place)
    .filter((place) => chosen.group < 0 || utterances[place].group === chosen.group)
    .filter((place) => !chosen.wrong || wrong(utterances[place]))
    .filter((place) => wanted.every((word) => searched[place].includes(word)))
    .sort(by(value, down));
}

function count(words) {
  return words ? words.split(" ").length : 0;
}

function list() {
  select();
  const pages = Math.max(Math.ceil(current.length / EACH), 1);
  chosen.page = Math.min(chosen.page, pages - 1);
  const all = columns();
  const again = () => { chosen.page = 0; list(); };
  const head = make("tr", {}, sortable("Utterance", "id", chosen.sort, again));
  if (groups.length > 1) head.append(sortable("Languages", "group", chosen.sort, again));
  head.append(sortable("Units", "words", chosen.sort, again, { className: "number" }));
  for (const column of all) head.append(sortable(column.label, column.key, chosen.sort, again, { className: "number" }));
  const page = current.slice(chosen.page * EACH, (chosen.page + 1) * EACH);
  $("list").replaceChildren(make("thead", {}, head), ...page.map((place) => utterance(place, all)));
  const of = current.length === utterances.length ? "" : ` of ${utterances.length}`;
  const what = systems.length > 1 ? `${figures[chosen.figure].title} of each system. ` : "";
  $("found").textContent = `${what}${current.length}${of} utterances`;
  $("page").textContent = `Page ${chosen.page + 1} of ${pages}`;
  $("before").disabled = chosen.page === 0;
  $("after").disabled = chosen.page >= pages - 1;
}

function utterance(place, all) {
  const one = utterances[place];
  const row = make("tr", { className: "figures" }, make("th", { scope: "row" }, one.id));
  if (groups.length > 1) row.append(make("td", {}, groups[one.group].name));
  row.append(make("td", { className: "number" }, String(count(one.words))));
  row.append(...numbers(all, one.heard.map((heard) => heard.figures)));
  const said = make("div", { className: "said" });
  said.append(make("div", { className: "who" }, "reference"), sentence(one.words, one.languages, one.points));
  one.heard.forEach((heard, number) => {
    const who = make("div", { className: "who" }, systems.length > 1 ? systems[number].name : "recognised");
    if (heard.distance !== undefined) who.append(make("small", {}, meaning(heard)));
    said.append(who, aligned(one, heard));
  });
  if (one.audio) said.append(make("div", { className: "who" }, "audio"), make("audio", { controls: true, preload: "none", src: one.audio }));
  said.append(written(one));
  const cell = make("td", { colSpan: row.children.length }, said);
  return make("tbody", { id: `u${place}` }, row, make("tr", { className: "text" }, cell));
}

function meaning(heard) {
  const saer = figures.findIndex((figure) => figure.name === "saer");
  return `SAER ${heard.figures[saer]?.toFixed(3) ?? "–"} · meaning ${heard.distance.toFixed(3)}`;
}

/** The texts as files have them, with case and punctuation. */
function written(one) {
  const found = make("dl", {});
  const add = (who, text) => found.append(make("dt", {}, who), make("dd", { dir: "auto" }, text || "(nothing)"));
  add("reference", one.text);
  one.heard.forEach((heard, number) => add(systems[number].name, heard.text));
  return make("details", {}, make("summary", {}, "as written"), found);
}

/** Puts a space between two units unless both are of scripts without spaces. */
function joined(parent, units, node) {
  units.forEach((unit, place) => {
    if (place && !(SPACELESS.test(units[place - 1]) && SPACELESS.test(unit))) parent.append(" ");
    parent.append(node(unit, place));
  });
  return parent;
}

const colours = new Map();
function colour(language) {
  if (!colours.has(language)) colours.set(language, colours.size % 6);
  return colours.get(language);
}

/** A unit, under it its language where that begins. */
function tagged(unit, language, before, point) {
  const word = make("span", { className: point ? "unit point" : "unit" }, unit);
  if (!language) return word;
  word.classList.add(`language${colour(language)}`);
  word.title = language;
  if (language !== before) word.dataset.tag = language;
  return word;
}

function sentence(words, languages = [], points = []) {
  const marked = new Set(points);
  const units = words ? words.split(" ") : [];
  const found = make("p", { className: "words", dir: "auto" });
  if (!units.length) return make("p", { className: "words empty" }, "(nothing)");
  return joined(found, units, (unit, place) => tagged(unit, languages[place], languages[place - 1], marked.has(place)));
}

/** Pieces of an alignment: equal, replaced, left out or added units that follow each other. */
function pieces(reference, heard, edits) {
  const found = [];
  let [source, target] = [0, 0];
  const add = (kind, one, other) => {
    const last = found[found.length - 1];
    if (last?.kind === kind) { last.reference.push(...one); last.heard.push(...other); }
    else found.push({ kind, reference: one, heard: other, target });
  };
  const equal = (end) => {
    if (end <= source) return;
    const length = end - source;
    add("equal", reference.slice(source, end), heard.slice(target, target + length));
    [source, target] = [end, target + length];
  };
  for (let place = 0; place < edits.length; place += 3) {
    equal(edits[place + 1]);
    const kind = ["replace", "delete", "insert"][edits[place]];
    add(kind, kind === "insert" ? [] : [reference[source]], kind === "delete" ? [] : [heard[target]]);
    source += kind !== "insert";
    target += kind !== "delete";
  }
  equal(reference.length);
  return found;
}

function aligned(one, heard) {
  const [reference, recognised] = [one.words, heard.words].map((words) => (words ? words.split(" ") : []));
  const languages = heard.languages ?? [];
  const line = make("p", { className: "words", dir: "auto" });
  let before = "";
  for (const piece of pieces(reference, recognised, heard.edits)) {
    const next = piece.reference[0] ?? piece.heard[0];
    if (before && !(SPACELESS.test(before) && SPACELESS.test(next))) line.append(" ");
    const wanted = () => joined(make("del", {}), piece.reference, (unit) => unit);
    const unit = (text, place) => tagged(text, languages[piece.target + place], languages[piece.target + place - 1], false);
    const found = (tag) => joined(make(tag, {}), piece.heard, unit);
    if (piece.kind === "equal") line.append(found("span"));
    else if (piece.kind === "replace") line.append(make("span", { className: "replace" }, wanted(), found("ins")));
    else line.append(make("span", { className: piece.kind }, piece.kind === "delete" ? wanted() : found("ins")));
    before = piece.heard[piece.heard.length - 1] ?? piece.reference[piece.reference.length - 1];
  }
  return line.childNodes.length ? line : make("p", { className: "words empty" }, "(nothing)");
}

/** Only the utterances of a group. */
function only(group) {
  chosen.group = group;
  chosen.page = 0;
  $("group").value = String(group);
  list();
  $("utterances").scrollIntoView();
}

/** The page of the list that has an utterance, whatever was filtered. */
function reveal(place) {
  Object.assign(chosen, { group: -1, search: "", wrong: false });
  [$("group").value, $("search").value, $("wrong").checked] = ["-1", "", false];
  select();
  chosen.page = Math.floor(current.indexOf(place) / EACH);
  list();
  const row = $(`u${place}`);
  row.tabIndex = -1;
  row.classList.add("revealed");
  row.focus({ preventScroll: true });
  row.scrollIntoView({ block: "center" });
}

function start() {
  $("name").textContent = data.name;
  const parts = [`${utterances.length.toLocaleString("en")} utterances`, systems.map((system) => system.name).join(", ")];
  $("counted").textContent = parts.join(" · ");
  $("signature").textContent = data.signature;
  if (utterances.some((one) => one.heard[0].distance !== undefined)) {
    $("explained").append(make("dt", {}, "meaning"), make("dd", {}, "distance of the meanings of reference and recognised text, 0 to 1"));
  }
  for (const figure of figures) $("explained").append(make("dt", {}, figure.title), make("dd", {}, EXPLAINED[figure.name] ?? ""));
  figures.forEach((figure, place) => {
    const radio = make("input", { type: "radio", name: "figure", value: String(place), checked: place === chosen.figure });
    radio.addEventListener("change", () => {
      chosen.figure = place;
      if (systems.length > 1) resetScatter();
      refresh();
    });
    $("figures").append(make("label", {}, radio, make("span", {}, figure.title)));
  });
  $("group").append(make("option", { value: "-1" }, "all"));
  groups.forEach((group, place) => $("group").append(make("option", { value: String(place) }, `${group.name} (${group.count})`)));
  const changed = (id, event, read) => $(id).addEventListener(event, () => { read($(id)); chosen.page = 0; list(); });
  changed("search", "input", (box) => { chosen.search = box.value; });
  changed("group", "change", (box) => { chosen.group = Number(box.value); });
  changed("wrong", "change", (box) => { chosen.wrong = box.checked; });
  $("filter").addEventListener("submit", (event) => event.preventDefault());
  for (const [id, step] of [["before", -1], ["after", 1]]) {
    $(id).addEventListener("click", () => { chosen.page += step; list(); $("utterances").scrollIntoView(); });
  }
  systemsTable();
  startScatter();
  refresh();
}

function refresh() {
  groupsTable();
  histogram();
  scatter();
  list();
}

start();
