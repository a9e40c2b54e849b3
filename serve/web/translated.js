// A translation that the server says while the speaker goes on: played as it comes, its words lit while they sound.

import { ReplyPlayer } from "./reply_player.js";
import { ReplyWords } from "./reply_words.js";

const KEPT = 3; // utterances that are shown

export class Translated {
  #parts;
  #onError;
  #player = new ReplyPlayer((place) => this.#played(place));
  #speakable = new Set(); // codes of targets
  #utterances = []; // {number, words, line, lights}
  #count = 0;
  #over = false; // no more will come

  /**
   * @param {{choice: HTMLElement, box: HTMLInputElement, said: HTMLElement}} parts of the page
   * @param {(text: string, exact: string) => void} onError is told why nothing is heard
   */
  constructor(parts, onError) {
    this.#parts = parts;
    this.#onError = onError;
  }

  /** Take the codes of the targets that the server can say. */
  fill(codes) {
    this.#speakable = new Set(codes);
  }

  /** Offer to say a translation if one of these targets can be. */
  offer(targets) {
    this.#parts.choice.hidden = !this.#target(targets);
  }

  /** Fields of the options for these targets; none if the server says nothing at all. */
  options(targets) {
    if (!this.#speakable.size) return {};
    const target = this.#parts.box.checked && this.#target(targets);
    return { interpret: target ? { target } : null };
  }

  /** Begin a session whose voice has this rate in Hz; call it at a click, so that the page may sound. */
  async begin(rate) {
    this.#over = false;
    this.#count = 0;
    this.#utterances.length = 0;
    this.#parts.said.replaceChildren();
    await this.open(rate);
  }

  /** Make the device ready if a translation is wanted. */
  async open(rate) {
    if (this.#parts.box.checked && !this.#parts.choice.hidden) await this.#player.open(rate);
  }

  /** The session is over; what has come is heard to its end. */
  end() {
    this.#over = true;
    if (!this.#utterances.some(({ sounds }) => sounds)) this.#close();
  }

  /** Take a message of the server. */
  take(event) {
    if (event.type !== "translation_audio") return;
    if (event.text !== undefined) this.#add(event);
    const utterance = this.#utterances.at(-1);
    if (!utterance) return;
    utterance.words.say(event.words);
    this.#draw(utterance);
    if (!event.pcm.byteLength) return;
    utterance.sounds = true;
    this.#player.open(event.sample_rate).catch((error) => this.#onError("The translation cannot be played.", error.message));
    this.#player.push(utterance.number, event.start_ms, event.pcm);
  }

  #target(targets) {
    return targets.find((code) => this.#speakable.has(code)) ?? null;
  }

  #add({ text, target }) {
    const line = Object.assign(document.createElement("p"), { dir: "auto" });
    const utterance = { number: this.#count++, words: new ReplyWords(), line, lights: [], sounds: false, target };
    utterance.words.add(text);
    this.#utterances.push(utterance);
    this.#parts.said.append(line);
    while (this.#utterances.length > KEPT && !this.#utterances[0].sounds) this.#utterances.shift().line.remove();
  }

  #draw(utterance) {
    utterance.lights = [];
    const nodes = utterance.words.pieces.map(({ text, startMs, endMs }) => {
      if (startMs === undefined) return text;
      const span = Object.assign(document.createElement("span"), { textContent: text });
      utterance.lights.push({ span, startMs, endMs });
      return span;
    });
    utterance.line.replaceChildren(...nodes);
  }

  #played({ reply: number, playedMs, sounds }) {
    for (const utterance of this.#utterances) {
      if (sounds && utterance.number >= number) continue;
      utterance.sounds = false;
      this.#light(utterance, Infinity);
    }
    const now = this.#utterances.find((utterance) => utterance.number === number);
    if (now && sounds) this.#light(now, playedMs);
    if (this.#over && !sounds) this.#close();
  }

  #light({ lights }, ms) {
    for (const { span, startMs, endMs } of lights) {
      span.classList.toggle("lit", startMs <= ms && ms < endMs);
      span.classList.toggle("past", endMs <= ms);
    }
  }

  #close() {
    this.#player.close();
  }
}
