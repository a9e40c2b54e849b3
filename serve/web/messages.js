// Texts of errors, and the list on the page that shows them.

const NOTE_MS = 10_000;

const SERVER = {
  unauthorized: "The server wants an API key. Put it under “API key” and start again.",
  origin: "The server does not take connections from pages of this address. Its operator can allow it (origins).",
  overloaded: "The server is full or cannot keep up. Try again in a moment.",
  unreachable: "The server does not answer. Is it running, and is the network there?",
  lost: "The connection broke for too long. What is shown so far stays; start again to go on.",
  unknown_session: "The server no longer knows this session. What is shown so far stays; start again to go on.",
  resume_gap: "Too much was missed while the connection was broken. Start again to go on.",
  taken_over: "Another connection has taken this session over.",
  behind: "The server cannot keep up with the audio, and no more of it can be kept here.",
  too_fast: "Audio came faster than the server could process it.",
  idle: "The session ended because no audio came.",
  unknown_language: "The server does not know one of the languages.",
  bad_config: "The server does not take these options.",
  bad_reference: "The server cannot score against a part of this reference.",
  reference_too_long: "The reference is longer than the server takes.",
  score_failed: "The server could not score any further; the transcript goes on.",
  no_dialogue: "The server does not answer, or only to those who began with it.",
  internal: "The recogniser failed. Start again.",
  bad_key: "This API key cannot be sent by a page. Use a token of POST /v1/realtime/client_secrets instead.",
  device_gone: "The microphone has gone away.",
  device_silent: "The device gives no sound at the moment.",
  not_said: "Some of the translation could not be said. Its text goes on.",
  translation_failed: "Some of the speech could not be translated. The transcript goes on.",
  session_too_long: "The session has reached the length that the server allows. Start again to go on.",
};

const DEVICE = {
  NotAllowedError: "The browser was not allowed to use the microphone. Allow it in the address bar and start again.",
  NotFoundError: "There is no microphone.",
  NotReadableError: "It cannot be read; it may be in use by another program.",
  SecurityError: "Browsers give the microphone only to pages over https: or on localhost.",
  AbortError: "The device could not be started.",
  EncodingError: "The browser cannot read this file as audio.",
};

/** Text of an error of the server, of a device or of a file. */
export function inWords({ code, name, message }) {
  const known = typeof code === "string" ? SERVER[code] : DEVICE[name];
  const exact = [typeof code === "string" ? code : name, message].filter(Boolean).join(": ");
  return { text: known ?? "Something went wrong.", exact };
}

/** List of messages; notes disappear by themselves, the others stay until closed. */
export class Messages {
  #list;

  constructor(list) {
    this.#list = list;
  }

  /** @param {"error" | "warning" | "note"} kind */
  show(kind, { text, exact = "" }) {
    const item = document.createElement("li");
    item.className = kind;
    if (kind === "note") setTimeout(() => item.remove(), NOTE_MS);
    const words = document.createElement("p");
    words.append(text);
    if (exact) words.append(" ", Object.assign(document.createElement("small"), { textContent: exact }));
    const close = Object.assign(document.createElement("button"), { type: "button", textContent: "×" });
    close.setAttribute("aria-label", "Dismiss this message");
    close.addEventListener("click", () => item.remove());
    item.append(words, close);
    const last = this.#list.lastElementChild;
    if (last?.textContent === item.textContent) last.remove(); // show a repeated message once
    this.#list.append(item);
  }

  clear() {
    this.#list.replaceChildren();
  }
}
