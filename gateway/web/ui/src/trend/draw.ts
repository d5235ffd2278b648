// What is drawn on a canvas, the same on the screen and in a picture that is saved.
import type { Paint } from "../paint";
import { isWhole, type Track } from "./shape";

export interface Place {
  left: number;
  top: number;
  width: number;
  height: number;
  x(time: number): number;
  y(value: number): number;
}

const DEPTHS = [0.3, 0.1, 0.5, 0.2, 0.4];

/** A path that goes on where it was: dashes begin anew with every piece. */
class Pen {
  readonly path = new Path2D();
  private at = [NaN, NaN];

  line(x: number, y: number, toX: number, toY: number): void {
    if (x !== this.at[0] || y !== this.at[1]) this.path.moveTo(x, y);
    this.path.lineTo(toX, toY);
    this.at = [toX, toY];
  }
}

/** Band of least to greatest, line, and a dot where one row stands alone. */
export function drawTrack(context: CanvasRenderingContext2D, place: Place, track: Track, colour: string, paint: Paint): void {
  const [solid, dashed] = [new Pen(), new Pen()];
  const [band, dots] = [new Path2D(), new Path2D()];
  const holds = track.line.form === "step";
  const { x, y, cut } = track;
  const size = 2 * paint.ratio;
  const many = x.length * 8 * paint.ratio > place.width;
  for (let i = 0; i < x.length; i += 1) {
    const value = y[i] ?? null;
    if (value === null) continue;
    const isLast = i === x.length - 1;
    const at = place.x(x[i] as number);
    const level = place.y(value);
    const pen = isWhole(track.quality[i] as number) ? solid : dashed;
    const goesOn = !isLast && !cut[i + 1];
    // A state holds until something else is known, also until it is known to be lost.
    const until = holds ? (isLast ? track.until : goesOn || y[i + 1] === null ? (x[i + 1] as number) : (track.end[i] as number)) : isLast ? track.until : (x[i] as number);
    if (until > (x[i] as number)) pen.line(at, level, place.x(until), level);
    if (goesOn) {
      const next = place.x(x[i + 1] as number);
      const turn = isWhole(track.quality[i + 1] as number) ? pen : dashed;
      turn.line(holds ? next : at, level, next, place.y(y[i + 1] as number));
    }
    if (!many || (cut[i] && !goesOn)) {
      dots.moveTo(at + size, level);
      dots.arc(at, level, size, 0, 2 * Math.PI);
    }
    addBand(band, place, track, i, goesOn);
  }
  context.save();
  context.beginPath();
  context.rect(place.left, place.top, place.width, place.height);
  context.clip();
  context.lineJoin = "round";
  context.fillStyle = colour;
  context.strokeStyle = colour;
  context.globalAlpha = 0.2;
  context.fill(band);
  context.globalAlpha = 1;
  context.lineWidth = 1.5 * paint.ratio;
  context.stroke(solid.path);
  context.setLineDash([4 * paint.ratio, 3 * paint.ratio]);
  context.stroke(dashed.path);
  context.fill(dots);
  context.restore();
}

function addBand(band: Path2D, place: Place, track: Track, i: number, goesOn: boolean): void {
  const [low, high] = [track.low[i], track.high[i]];
  if (typeof low !== "number" || typeof high !== "number" || low === high) return;
  const [top, bottom] = [place.y(high), place.y(low)];
  const begins = place.x((track.end[i] as number) - track.line.width);
  const ends = place.x(track.end[i] as number);
  band.rect(begins, top, Math.max(1, ends - begins), Math.max(1, bottom - top));
  // Between buckets with readings the stretch without any is as wide as what surrounds it, unless broken.
  if (!goesOn || i + 1 >= track.line.time.length) return;
  const next = place.x((track.end[i + 1] as number) - track.line.width);
  if (next - ends < 1) return;
  band.moveTo(ends, top);
  band.lineTo(next, place.y(track.high[i + 1] as number));
  band.lineTo(next, place.y(track.low[i + 1] as number));
  band.lineTo(ends, bottom);
  band.closePath();
}

/** Words, or on and off, as pieces of a band; what is not known stays empty. */
export function drawBand(context: CanvasRenderingContext2D, place: Place, track: Track, word: (i: number) => string | null, colour: string, paint: Paint): void {
  context.save();
  context.beginPath();
  context.rect(place.left, place.top, place.width, place.height);
  context.clip();
  context.font = paint.font;
  context.textBaseline = "middle";
  const depth = depths(track, word);
  for (const { i, from, to } of pieces(track, word)) {
    const [left, right] = [place.x(from), place.x(to)];
    if (right < place.left || left > place.left + place.width) continue;
    const width = Math.max(paint.ratio, right - left);
    context.globalAlpha = depth(i);
    context.fillStyle = colour;
    context.fillRect(left, place.top, width, place.height);
    context.globalAlpha = 1;
    context.fillRect(left, place.top, paint.ratio, place.height);
    if (!isWhole(track.quality[i] as number)) {
      context.setLineDash([4 * paint.ratio, 3 * paint.ratio]);
      context.strokeStyle = colour;
      context.strokeRect(left, place.top, width, place.height);
      context.setLineDash([]);
    }
    const begins = Math.max(left, place.left) + 4 * paint.ratio;
    const room = Math.min(right, place.left + place.width) - begins - 2 * paint.ratio;
    context.fillStyle = paint.text;
    const text = fitted(context, word(i) ?? "", room);
    if (text) context.fillText(text, begins, place.top + place.height / 2);
  }
  context.restore();
}

/** How deep a piece is painted: on and off differ, and so do words, in the order of their letters. */
function depths(track: Track, word: (i: number) => string | null): (i: number) => number {
  if (track.line.form === "switch") return (i) => (track.y[i] === 1 ? 0.3 : 0.08);
  const words = [...new Set(track.text.filter((each) => each !== null))].sort();
  return (i) => DEPTHS[words.indexOf(word(i) ?? "") % DEPTHS.length] ?? 0.3;
}

function fitted(context: CanvasRenderingContext2D, text: string, room: number): string {
  if (context.measureText(text).width <= room) return text;
  for (let length = text.length - 1; length > 1; length -= 1) {
    const cut = `${text.slice(0, length)}…`;
    if (context.measureText(cut).width <= room) return cut;
  }
  return "";
}

/** Neighbours that say the same are one piece. */
export function pieces(track: Track, word: (i: number) => string | null): { i: number; from: number; to: number }[] {
  const found: { i: number; from: number; to: number }[] = [];
  let open: { i: number; from: number; to: number } | null = null;
  track.x.forEach((from, i) => {
    const said = word(i);
    const ends = track.x[i + 1] ?? Math.max(track.until, track.end[i] as number);
    // Behind a bucket in which readings failed nothing is known.
    const to = i < track.line.bad.length && track.line.bad[i] && said !== null ? Math.min(ends, track.end[i] as number) : ends;
    if (said === null) open = null;
    else if (open && word(open.i) === said && isWhole(track.quality[open.i] as number) === isWhole(track.quality[i] as number) && !track.cut[i]) open.to = to;
    else found.push((open = { i, from, to }));
  });
  return found;
}
