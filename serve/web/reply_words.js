// Text of a reply and the words of it that are said: where each lies in the text, and which one is said when.

const REACH = 24; // letters within which a word of the voice is looked for in the text
const LONGEST = 200; // letters of what is written otherwise
const LETTER = /[\p{L}\p{N}]/u;
const UNSPACED = /[\p{Script=Han}\p{Script=Hiragana}\p{Script=Katakana}\p{Script=Thai}\p{Script=Lao}\p{Script=Khmer}]/u;

export class ReplyWords {
  #words = []; // {start, end, startMs, endMs, own}: letters of the text, end exclusive, and milliseconds of the reply

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
      const last = this.#words.at(-1);
      const from = last?.end ?? 0;
      const own = this.#find(text, from);
      const place = own ?? (last && !last.own ? null : this.#next(from)); // "$5" is two words
      if (place) this.#words.push({ ...place, startMs, endMs, own: own !== null });
      else if (last) last.endMs = endMs;
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

  /** Where a word is written as it is said; null if it is not. */
  #find(word, from) {
    const lower = this.text.toLowerCase();
    const same = lower.length === this.text.length; // else places would differ
    const [written, wanted] = same ? [lower, word.toLowerCase()] : [this.text, word];
    let start = wanted ? written.indexOf(wanted, from) : -1;
    while (start >= 0 && start - from <= REACH) {
      const end = start + wanted.length;
      if (whole(written, start, end)) return { start, end };
      start = written.indexOf(wanted, start + 1);
    }
    return null;
  }

  /** The next letters between spaces: what a word stands for that is written otherwise, such as "$5". */
  #next(from) {
    const found = /\S*[\p{L}\p{N}]\S*/u.exec(this.text.slice(from, from + LONGEST));
    return found && { start: from + found.index, end: from + found.index + found[0].length };
  }
}

/** Whether a range is not a part of a longer word. */
function whole(text, start, end) {
  const joined = (outer, inner) => LETTER.test(outer) && LETTER.test(inner) && !UNSPACED.test(outer + inner);
  return !joined(text.charAt(start - 1), text.charAt(start)) && !joined(text.charAt(end), text.charAt(end - 1));
}
