/** Where files come in: a button, what is dropped on the page, what is pasted. */

const NAMELESS = /^image\.(\w+)$/; // what browsers call a picture that was copied

export class FileIntake {
  #take;
  #picker;
  #depth = 0; // how many elements of the page the dragged files are over
  #stage;
  isOpen = false; // whether files are taken now

  /**
   * @param {HTMLElement} stage where files are dropped
   * @param {HTMLInputElement} picker the hidden field that opens the browser's own choice
   * @param {(given: {file: File, name: string, problem?: string}[]) => void} take
   */
  constructor(stage, picker, take) {
    this.#stage = stage;
    this.#picker = picker;
    this.#take = take;
    picker.addEventListener("change", () => this.#picked());
    addEventListener("dragenter", (event) => this.#dragged(event, 1));
    addEventListener("dragleave", (event) => this.#dragged(event, -1));
    addEventListener("dragover", (event) => isOfFiles(event) && event.preventDefault());
    addEventListener("drop", (event) => this.#dropped(event));
    addEventListener("paste", (event) => this.#pasted(event));
  }

  choose() {
    if (this.isOpen) this.#picker.click();
  }

  // Internal

  #picked() {
    const given = Array.from(this.#picker.files, (file) => ({ file, name: file.name }));
    this.#picker.value = ""; // the same file can be chosen again
    this.#give(given);
  }

  #dragged(event, step) {
    if (!isOfFiles(event)) return;
    event.preventDefault();
    this.#depth = Math.max(this.#depth + step, 0);
    this.#stage.toggleAttribute("data-dropping", this.isOpen && this.#depth > 0);
  }

  #dropped(event) {
    if (!isOfFiles(event)) return;
    event.preventDefault(); // else the browser leaves the page to show the file
    this.#depth = 0;
    this.#stage.removeAttribute("data-dropping");
    const items = Array.from(event.dataTransfer.items).filter(({ kind }) => kind === "file");
    this.#give(items.map(fromItem).filter(({ file }) => file));
  }

  /** What is copied from an office program is text, and brings a picture of itself along. */
  #pasted(event) {
    const { files, types } = event.clipboardData ?? {};
    const isText = types?.includes("text/plain") && types.includes("text/html");
    if (!this.isOpen || !files?.length || isText) return;
    event.preventDefault();
    this.#give(Array.from(files, (file) => ({ file, name: pastedName(file.name) })));
  }

  #give(given) {
    if (this.isOpen && given.length) this.#take(given);
  }
}

function isOfFiles({ dataTransfer }) {
  return dataTransfer?.types.includes("Files");
}

function fromItem(item) {
  const isFolder = item.webkitGetAsEntry?.()?.isDirectory;
  const file = item.getAsFile();
  return { file, name: file?.name, ...(isFolder && { problem: "This is a folder. Choose the files in it." }) };
}

/** Two pictures that are pasted one after the other are two files. */
function pastedName(name, now = Date.now()) {
  const found = NAMELESS.exec(name);
  return found ? `Pasted ${new Date(now).toLocaleTimeString("en-GB").replaceAll(":", ".")}.${found[1]}` : name;
}
