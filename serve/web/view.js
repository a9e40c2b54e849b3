// Transcript on the page: a row per segment, a colour per language, uncertain words underlined.

import { apart, clock } from "./transcript.js";

const COLOURS = 8;
const DOUBT = 0.6; // words below this confidence are underlined

export class TranscriptView {
  #rows = new Map();
  #colours = new Map();
  #parts;
  #language;

  /**
   * @param {{list: HTMLElement, legend: HTMLElement, tip: HTMLElement, announce: HTMLElement}} parts of the page
   * @param {(code: string) => {name: string, tag: string}} language looks up a language
   */
  constructor(parts, language) {
    this.#parts = parts;
    this.#language = language;
    const show = ({ target }) => this.#point(target.closest?.(".word"));
    for (const kind of ["pointerover", "click"]) parts.list.addEventListener(kind, show);
    parts.list.addEventListener("pointerleave", () => this.#point(null));
    addEventListener("scroll", () => this.#point(null), { passive: true, capture: true });
  }

  clear() {
    this.#rows.clear();
    this.#colours.clear();
    this.#parts.list.replaceChildren();
    this.#parts.legend.replaceChildren();
    this.#parts.announce.replaceChildren();
    this.#point(null);
  }

  /** Draw or update a segment. */
  show(segment) {
    const row = this.#rows.get(segment.id) ?? this.#newRow(segment);
    const follow = this.#atEnd();
    row.item.hidden = !segment.words.length && ![...segment.translations.values()].some(({ text }) => text);
    row.item.classList.toggle("final", segment.isFinal);
    row.time.textContent = clock(segment.startMs);
    row.text.replaceChildren(...this.#words(segment));
    this.#showTranslations(row, segment);
    if (segment.isFinal && segment.words.length && !row.announced) {
      row.announced = true;
      this.#announce(segment);
    }
    if (follow) this.#parts.list.scrollTop = this.#parts.list.scrollHeight;
  }

  /** Reserve space for translations before they arrive. */
  expect(targets) {
    if (targets.length) this.#parts.list.classList.add("translated");
  }

  #newRow(segment) {
    const item = document.createElement("li");
    const time = document.createElement("time");
    const text = document.createElement("p");
    const translations = document.createElement("div");
    text.className = "text";
    text.dir = "auto";
    translations.className = "translations";
    item.append(time, text, translations);
    const row = { item, time, text, translations, announced: false };
    const later = [...this.#rows.keys()].filter((id) => id > segment.id).sort((a, b) => a - b)[0];
    this.#parts.list.insertBefore(item, this.#rows.get(later)?.item ?? null);
    this.#rows.set(segment.id, row);
    return row;
  }

  #words({ words, stable, isFinal }) {
    const nodes = [];
    words.forEach((word, n) => {
      if (n && apart(words[n - 1], word)) nodes.push(" ");
      const span = document.createElement("span");
      span.className = "word";
      span.textContent = word.text;
      if (!isFinal && n >= stable) span.classList.add("unstable");
      if (word.conf < DOUBT) span.classList.add("doubtful");
      if (word.lang !== null) {
        span.lang = this.#language(word.lang).tag;
        span.dataset.colour = this.#colour(word.lang, isFinal || n < stable);
      }
      span.dataset.tip = this.#tip(word);
      nodes.push(span);
    });
    return nodes;
  }

  #tip({ startMs, endMs, conf, lang }) {
    const language = lang === null ? "" : ` · ${this.#language(lang).name}`;
    return `${clock(startMs, 2)} – ${clock(endMs, 2)}${language} · ${Math.round(conf * 100)} % sure`;
  }

  /** Colour number of a language; reserved for it once the language is certain to be spoken. */
  #colour(code, certain) {
    const colour = this.#colours.get(code) ?? this.#colours.size % COLOURS;
    if (certain && !this.#colours.has(code)) {
      this.#colours.set(code, colour);
      const item = document.createElement("li");
      item.dataset.colour = colour;
      item.textContent = this.#language(code).name;
      this.#parts.legend.append(item);
    }
    return colour;
  }

  #showTranslations(row, { translations }) {
    if (translations.size) this.#parts.list.classList.add("translated");
    const lines = [...translations].filter(([, { text }]) => text).map(([target, { text, isFinal }]) => {
      const line = document.createElement("p");
      line.classList.toggle("unstable", !isFinal);
      const { name, tag } = this.#language(target);
      line.lang = tag;
      line.dir = "auto";
      line.append(Object.assign(document.createElement("small"), { textContent: name, lang: "en" }), ` ${text}`);
      return line;
    });
    row.translations.replaceChildren(...lines);
  }

  /** Announce a final to screen readers. */
  #announce({ text, words }) {
    const line = Object.assign(document.createElement("p"), { textContent: text });
    if (words[0].lang !== null) line.lang = this.#language(words[0].lang).tag;
    this.#parts.announce.append(line);
    while (this.#parts.announce.children.length > 5) this.#parts.announce.firstChild.remove();
  }

  #atEnd() {
    const { scrollTop, clientHeight, scrollHeight } = this.#parts.list;
    return scrollHeight - scrollTop - clientHeight < 60;
  }

  #point(word) {
    const { tip } = this.#parts;
    tip.hidden = !word;
    if (!word) return;
    tip.textContent = word.dataset.tip;
    const box = word.getBoundingClientRect();
    const room = document.documentElement.clientWidth - tip.offsetWidth - 8;
    tip.style.left = `${Math.max(8, Math.min(box.left + box.width / 2 - tip.offsetWidth / 2, room))}px`;
    tip.style.top = `${box.top > tip.offsetHeight + 8 ? box.top - tip.offsetHeight - 6 : box.bottom + 6}px`;
  }
}
