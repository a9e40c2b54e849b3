// A dialogue on the page: a row per turn, who speaks, what of a reply was heard.

import { latencyBar, legend } from "./latency_bar.js";

export class TalkView {
  #parts;
  #language;
  #rows = new Map(); // turn -> its elements

  /**
   * @param {{list: HTMLElement, legend: HTMLElement, you: HTMLElement, speech: HTMLElement}} parts of the page
   * @param {(code: string) => {tag: string}} language looks up a language
   */
  constructor(parts, language) {
    this.#parts = parts;
    this.#language = language;
    parts.legend.replaceChildren(...legend());
  }

  clear() {
    this.#rows.clear();
    this.#parts.list.replaceChildren();
  }

  /** Show who makes a sound now. */
  speaks(who, now) {
    this.#parts[who].classList.toggle("on", now);
  }

  /** Draw or update what the user says: {stable, growing, language}; `aside`: it was no turn, our reply went on. */
  showUser(turn, { aside = false } = {}) {
    const { item, text } = this.#row(turn, "you", "You");
    const follow = this.#atEnd();
    item.classList.toggle("aside", aside);
    if (turn.language) text.lang = this.#language(turn.language).tag;
    text.replaceChildren(turn.stable);
    if (turn.growing) {
      const growing = Object.assign(document.createElement("span"), { className: "unstable", textContent: turn.growing });
      text.append(turn.stable ? " " : "", growing);
    }
    this.#follow(follow);
  }

  /** Draw or update a reply: {state, words, heard, playedMs}. */
  showReply(turn) {
    const row = this.#row(turn, "speech", "Speech");
    const follow = this.#atEnd();
    row.item.dataset.state = turn.state;
    row.item.dataset.reply = turn.number;
    row.lights = [];
    if (turn.state === "cut") row.text.replaceChildren(...cut(turn));
    else row.text.replaceChildren(...turn.words.pieces.map((piece) => this.#piece(row, piece)));
    this.light(turn);
    this.#follow(follow);
  }

  /** Light the word of a reply that is said now. */
  light(turn) {
    const row = this.#rows.get(turn);
    if (!row) return;
    row.item.dataset.playedMs = Math.round(turn.playedMs);
    for (const { span, startMs, endMs } of row.lights) {
      const over = turn.state === "done" || endMs <= turn.playedMs;
      span.classList.toggle("lit", !over && turn.state === "saying" && startMs <= turn.playedMs);
      span.classList.toggle("past", over);
    }
  }

  /** Show how long a reply took. */
  showLatency(turn, stages) {
    const { item } = this.#row(turn, "speech", "Speech");
    const follow = this.#atEnd();
    item.querySelector(".latency")?.remove();
    item.append(latencyBar(stages));
    this.#follow(follow);
  }

  remove(turn) {
    this.#rows.get(turn)?.item.remove();
    this.#rows.delete(turn);
  }

  #row(turn, side, name) {
    const known = this.#rows.get(turn);
    if (known) return known;
    const follow = this.#atEnd();
    const item = Object.assign(document.createElement("li"), { className: side });
    const text = Object.assign(document.createElement("p"), { className: "text", dir: "auto" });
    item.append(Object.assign(document.createElement("small"), { textContent: name }), text);
    this.#parts.list.append(item);
    const row = { item, text, lights: [] };
    this.#rows.set(turn, row);
    this.#follow(follow);
    return row;
  }

  #piece(row, { text, startMs, endMs }) {
    if (startMs === undefined) return text;
    const span = Object.assign(document.createElement("span"), { textContent: text });
    row.lights.push({ span, startMs, endMs });
    return span;
  }

  #atEnd() {
    const { scrollTop, clientHeight, scrollHeight } = this.#parts.list;
    return scrollHeight - scrollTop - clientHeight < 60;
  }

  #follow(follow) {
    if (follow) this.#parts.list.scrollTop = this.#parts.list.scrollHeight;
  }
}

/** What was heard of an interrupted reply, and the rest struck through. */
function cut({ words: { text }, heard }) {
  const said = Object.assign(document.createElement("span"), { className: "past", textContent: heard });
  const rest = Object.assign(document.createElement("s"), { textContent: text.slice(heard.length) });
  const mark = Object.assign(document.createElement("span"), { className: "unseen", textContent: " – interrupted, not heard: " });
  return rest.textContent ? [said, mark, rest] : [said];
}
