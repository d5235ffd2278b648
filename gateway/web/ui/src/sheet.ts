// A table as a file that a spreadsheet opens.

/** A spreadsheet computes text that begins so, in full width too; a number may begin with its sign. */
const COMPUTED = /^[=+\-@\t\r＝＋－＠]/;

function cell(text: string): string {
  const shown = COMPUTED.test(text) && !(text.trim() && Number.isFinite(Number(text))) ? `'${text}` : text;
  return /[",\n\r]/.test(shown) ? `"${shown.replaceAll('"', '""')}"` : shown;
}

/** Lines of cells, comma between them; Excel takes a file for UTF-8 only with this mark. */
export const sheet = (rows: string[][]): string => `\uFEFF${rows.map((row) => row.map(cell).join(",")).join("\r\n")}\r\n`;
