// A simple word error rate. Good for a look at one's own text; for numbers to compare there is `speech`'s own scorer.

const APOSTROPHES = /[\u2019\u2018\u02bc\u02b9\u00b4`\u2032\uff07]/g;
const DROPPED = /[\u0640\u00ad\u200b\u200c\u200d\ufeff]/g;
const WITHOUT_SPACES = /[\p{sc=Han}\p{sc=Hira}\p{sc=Kana}\p{sc=Thai}\p{sc=Laoo}\p{sc=Khmr}\p{sc=Mymr}\p{sc=Tibt}]/gu;

/** Lower case without punctuation, cut at spaces; where a script has none, characters. */
export function units(text) {
  const plain = text
    .replace(APOSTROPHES, "'")
    .normalize("NFKC")
    .replace(DROPPED, "")
    .toLowerCase()
    .replace(/[^\p{L}\p{M}\p{N}']/gu, " ")
    .replace(/(?<![^ '])'|'(?![^ '])/g, " ")
    .replace(WITHOUT_SPACES, " $& ");
  return plain.split(/\s+/).filter(Boolean);
}

/** {errors, words}: fewest words to change, add or leave out until what was heard is the reference of so many words. */
export function errors(reference, heard) {
  const wanted = units(reference);
  const found = units(heard);
  let row = Int32Array.from({ length: found.length + 1 }, (_, n) => n);
  for (const word of wanted) {
    const next = new Int32Array(row.length);
    next[0] = row[0] + 1;
    for (let n = 0; n < found.length; n += 1) {
      next[n + 1] = Math.min(row[n] + (word === found[n] ? 0 : 1), row[n + 1] + 1, next[n] + 1);
    }
    row = next;
  }
  return { errors: row.at(-1), words: wanted.length };
}
