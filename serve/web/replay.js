// Buffer of audio and messages, in order, that the server has not acknowledged yet.

/** Positions are in bytes of audio since the start of the session. */
export class Replay {
  #items = []; // {at, bytes} or {at, message}; `at` is the position in the audio
  #next = 0; // index of the first item not sent on this connection

  /** Bytes of audio that have been added. */
  end = 0;
  /** Bytes of audio in the buffer. */
  kept = 0;
  /** Bytes of audio not sent on this connection. */
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

  /** Take the next frame to send, audio in pieces of at most `most` bytes; null if there is none. */
  take(most) {
    const item = this.#items[this.#next];
    if (!item) return null;
    if (item.message) {
      this.#next += 1;
      return JSON.stringify(item.message);
    }
    if (item.bytes.length > most) {
      const size = most - (most % 8); // whole samples in every format
      const rest = { at: item.at + size, bytes: item.bytes.subarray(size) };
      this.#items.splice(this.#next, 1, { at: item.at, bytes: item.bytes.subarray(0, size) }, rest);
    }
    const { bytes } = this.#items[this.#next];
    this.#next += 1;
    this.unsent -= bytes.length;
    return bytes;
  }

  /** Drop what has arrived: the first `received` bytes of audio, and all messages before the last of them. */
  acknowledge(received) {
    let gone = 0;
    while (gone < this.#next && behind(this.#items[gone], received)) gone += 1;
    this.#drop(gone);
  }

  /** Start over on a new connection: everything after `received` bytes is sent again. */
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

  /** Drop the first sent message of a type: the server has answered it. */
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
