// Language picker: check boxes with a filter.

export class Picker {
  #root;
  #boxes = [];
  #none;

  /**
   * @param {HTMLElement} root fieldset with .chosen, input[type=search] and .options
   * @param {string} none text for an empty choice
   * @param {() => void} onChange
   */
  constructor(root, none, onChange) {
    this.#root = root;
    this.#none = none;
    root.querySelector(".options").addEventListener("change", () => {
      this.#sum();
      onChange();
    });
    const search = root.querySelector("input[type=search]");
    search.addEventListener("input", () => this.#filter(search.value.trim().toLowerCase()));
    this.#sum();
  }

  /** @param {{code: string, name: string, native: string}[]} languages */
  fill(languages) {
    const byName = [...languages].sort((a, b) => a.name.localeCompare(b.name));
    this.#boxes = byName.map((language) => {
      const input = Object.assign(document.createElement("input"), { type: "checkbox", value: language.code });
      const label = document.createElement("label");
      const name = Object.assign(document.createElement("span"), { textContent: language.name });
      label.title = language.native;
      label.append(input, name);
      return { input, label, text: `${language.code} ${language.name} ${language.native}`.toLowerCase(), language };
    });
    this.#root.querySelector(".options").replaceChildren(...this.#boxes.map(({ label }) => label));
    this.#root.querySelector("input[type=search]").hidden = languages.length < 12;
    this.#root.hidden = !languages.length;
    this.#sum();
  }

  get codes() {
    return this.#boxes.filter(({ input }) => input.checked).map(({ input }) => input.value);
  }

  #sum() {
    const names = this.#boxes.filter(({ input }) => input.checked).map(({ language }) => language.name);
    this.#root.querySelector(".chosen").textContent = names.join(", ") || this.#none;
  }

  #filter(text) {
    for (const { label, input, text: own } of this.#boxes) label.hidden = !own.includes(text) && !input.checked;
  }
}
