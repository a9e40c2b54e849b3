// Text of a reply and the words of it that are said: where each lies in the text, and which one is said when.

const REACH = 24; // letters within which a word of the voice is looked for in the text
const LETTER = /[\p{L}\p{N}]/u;
const UNSPACED = /[\p{Script=Han}\p{Script=Hiragana}\p{Script=Katakana}\p{Script=Thai}\p{Script=Lao}\p{Script=Khmer}]/u;

export class ReplyWords {
  #words = []; // {start, end, startMs, endMs}: letters of the text, end exclusive, and milliseconds of the reply

  /** All text so far. */
  text = "";

  add(delta) {
    this.text += delta;
  }

  /**
   * Take words in the order in which they are said, after their text. A word that begins no later than one before it
   * is said again: the voice has gone back.
   * @param {{text: string, start_ms: number, end_ms: number}[]} words
   */
  say(words) {
    for (const { text, start_ms: startMs, end_ms: endMs } of words) {
      while (this.#words.length && this.#words.at(-1).startMs >= startMs) this.#words.pop();
      const [start, end] = this.#place(text);
      const last = this.#words.at(-1);
      if (last && start < last.end) last.endMs = endMs; // "$5" is two words
      else if (end > start) this.#words.push({ start, end, startMs, endMs });
    }
  }

  /** The text in order, as {text, startMs, endMs}; what lies between words has no times. */
  get pieces() {
    const found = [];
    let place = 0;
    for (const { start, end, startMs, endMs } of this.#words) {
      if (start > place) found.push({ text: this.text.slice(place, start) });
      found.push({ text: this.text.slice(start, end), startMs, endMs });
      place = end;
    }
    if (place < this.text.length) found.push({ text: this.text.slice(place) });
    return found;
  }

  /** Letters that a word stands for: its own, or what is written next if it is written otherwise, such as "$5". */
  #place(word) {
    const last = this.#words.at(-1);
    const from = last?.end ?? 0;
    const lower = this.text.toLowerCase();
    const written = lower.length === this.text.length ? lower : this.text;
    const wanted = written === lower ? word.toLowerCase() : word;
    for (let at = written.indexOf(wanted, from); wanted && at >= 0 && at - from <= REACH; ) {
      if (whole(written, at, at + wanted.length)) return [at, at + wanted.length];
      at = written.indexOf(wanted, at + 1);
    }
    const rest = this.text.slice(from);
    const next = /^[^\p{L}\p{N}]*?(?=\S*[\p{L}\p{N}])(\S+)/u.exec(rest);
    if (!next) return [from, from];
    const start = from + next[0].length - next[1].length;
    return [start, start + next[1].length];
  }
}

/** Whether a range is not a part of a longer word. */
function whole(text, start, end) {
  const joined = (outer, inner) => LETTER.test(outer) && LETTER.test(inner) && !UNSPACED.test(outer + inner);
  return !joined(text.charAt(start - 1), text.charAt(start)) && !joined(text.charAt(end), text.charAt(end - 1));
}
