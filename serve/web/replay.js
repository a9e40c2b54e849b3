// Audio and messages in the order in which they were said, as long as the server may not have them.

/** Positions are bytes of audio since the session began. */
export class Replay {
  #items = []; // {at, bytes} or {at, message}; `at` is how much audio came before
  #next = 0; // first item that this connection has not been given

  /** Bytes of audio that have been added. */
  end = 0;
  /** Bytes of audio that are held. */
  kept = 0;
  /** Bytes of audio that this connection has not been given. */
  unsent = 0;

  addAudio(bytes) {
    this.#items.push({ at: this.end, bytes });
    this.end += bytes.length;
    this.kept += bytes.length;
    this.unsent += bytes.length;
  }

  addMessage(message) {
    this.#items.push({ at: this.end, message });
  }

  /** What is to be sent next, audio in pieces of at most `most` bytes; null if there is nothing. */
  take(most) {
    const item = this.#items[this.#next];
    if (!item) return null;
    if (item.message) {
      this.#next += 1;
      return JSON.stringify(item.message);
    }
    if (item.bytes.length > most) {
      const size = most - (most % 8); // whole samples, whatever the format
      const rest = { at: item.at + size, bytes: item.bytes.subarray(size) };
      this.#items.splice(this.#next, 1, { at: item.at, bytes: item.bytes.subarray(0, size) }, rest);
    }
    const { bytes } = this.#items[this.#next];
    this.#next += 1;
    this.unsent -= bytes.length;
    return bytes;
  }

  /** The server has so much audio, and with it every message that was said before its last byte. */
  acknowledge(received) {
    let gone = 0;
    while (gone < this.#next && behind(this.#items[gone], received)) gone += 1;
    this.#drop(gone);
  }

  /** A new connection: what the server has not received is to be sent again. */
  rewind(received) {
    let gone = 0;
    while (gone < this.#items.length && behind(this.#items[gone], received)) gone += 1;
    this.#drop(gone);
    const first = this.#items[0];
    if (first?.bytes && first.at < received) {
      this.#items[0] = { at: received, bytes: first.bytes.subarray(received - first.at) };
      this.kept -= received - first.at;
    }
    this.#next = 0;
    this.unsent = this.kept;
  }

  /** The first message of this type has been answered. */
  answered(type) {
    const index = this.#items.findIndex((item, number) => number < this.#next && item.message?.type === type);
    if (index < 0) return;
    this.#items.splice(index, 1);
    this.#next -= 1;
  }

  #drop(count) {
    for (const item of this.#items.splice(0, count)) this.kept -= item.bytes?.length ?? 0;
    this.#next = Math.max(this.#next - count, 0);
  }
}

function behind(item, received) {
  return item.bytes ? item.at + item.bytes.length <= received : item.at < received;
}
