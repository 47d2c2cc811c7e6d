/** Makes lines of text as it comes, in pieces. A line that is too long is cut, and the rest of it forgotten. */

export const maxLineLength: number = 8 * 1024;

export class LineCutter {
  #rest = '';
  /** The line is told already; what else comes of it is not. */
  #isSkipping = false;

  push(text: string): string[] {
    const pieces = text.split('\n');
    const last = pieces.pop()!;
    const lines: string[] = [];
    for (const piece of pieces) {
      const line = this.#rest + piece;
      if (!this.#isSkipping) lines.push(cut(line.endsWith('\r') ? line.slice(0, -1) : line));
      this.#rest = '';
      this.#isSkipping = false;
    }
    if (this.#isSkipping) return lines;
    this.#rest += last;
    if (this.#rest.length > maxLineLength) {
      lines.push(cut(this.#rest));
      this.#rest = '';
      this.#isSkipping = true;
    }
    return lines;
  }

  /** What was written without an end of line. */
  end(): string[] {
    const rest = this.#rest;
    this.#rest = '';
    return rest === '' ? [] : [rest];
  }
}

const cut = (line: string): string =>
  line.length > maxLineLength ? `${line.slice(0, maxLineLength)} [line cut]` : line;
