// Numbers as the page writes them, against the browser's own library for it. Arguments: the compiler, the file, how many.
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { pathToFileURL } from "node:url";

const [compiler, source, folder, count] = process.argv.slice(2);
const { default: ts } = await import(pathToFileURL(compiler));
const built = join(folder, "digits.mjs");
writeFileSync(built, ts.transpileModule(readFileSync(source, "utf8"), { compilerOptions: { module: "ESNext", target: "ES2022" } }).outputText);
const { placed, significant } = await import(pathToFileURL(built));

const formats = new Map();
const library = (options, value) => {
  const key = JSON.stringify(options);
  if (!formats.has(key)) formats.set(key, new Intl.NumberFormat("en-US", options));
  return formats.get(key).format(value);
};

// The same numbers each time; ties in decimal are among them, which no double holds.
let seed = 20261201;
const random = () => (seed = (seed * 16807) % 2147483647) / 2147483647;
const shapes = [(v) => v, (v) => Math.round(v * 1000) / 1000, (v) => Math.round(v * 20) / 20, (v) => Math.round(v * 8) / 8, (v) => Math.round(v)];
const wrong = [];
const same = (told, known, about) => told === known || wrong.push({ told, known, about });
const check = (value, digits, decimals) => {
  const most = Math.max(digits, Math.trunc(value).toString().length);
  same(significant(value, most), library({ maximumSignificantDigits: most }, value), [value, most]);
  same(placed(value, decimals), library({ minimumFractionDigits: decimals, maximumFractionDigits: decimals }, value), [value, decimals]);
};
for (const value of [0, 12.85, 1.005, 999.95, 9.9999999, 0.000001, 999999999999, 309735546062.69147]) for (let i = 0; i < 5; i += 1) check(value, 3 + i, i);
for (let i = 0; i < Number(count); i += 1) {
  const value = shapes[i % shapes.length](10 ** (random() * 17.99 - 6));
  if (value === 0 || (value >= 1e-6 && value < 1e12)) check(value, 3 + (i % 5), i % 4);
}
for (const odd of [NaN, 1e-7, 2e15, 1e21]) placed(odd, 2);
process.stdout.write(JSON.stringify(wrong.slice(0, 20)));
