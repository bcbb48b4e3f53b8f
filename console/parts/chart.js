/** Charts of at most some hundred points as SVG: bars that stand on each other, or lines; each with its numbers as a table. */
import { html, useState } from "../html.js";

const WIDTH = 640;
const HEIGHT = 132;
const LEFT = 34;
const BOTTOM = 16;

/** A round number at or above `value`, for the top of an axis. */
export function roundUp(value) {
  if (value <= 0) return 1;
  const power = 10 ** Math.floor(Math.log10(value));
  return [1, 2, 2.5, 5, 10].map((one) => one * power).find((one) => one >= value);
}

/**
 * `points` are `{at, ...values}` in the order of time; `series` say how a value is named and drawn:
 * `{name, title, ink, kind: "bar" | "line"}`; `words` writes a value.
 */
export function Chart({ title, points, series, words = String, timeWords }) {
  const [over, setOver] = useState(-1);
  const [isTable, setTable] = useState(false);
  const sumOf = (point) => series.filter((one) => one.kind === "bar").reduce((sum, one) => sum + (point[one.name] ?? 0), 0);
  const most = roundUp(Math.max(...points.map((point) => Math.max(sumOf(point), ...series.filter((one) => one.kind === "line").map((one) => point[one.name] ?? 0))), 0));
  const step = (WIDTH - LEFT) / Math.max(points.length, 1);
  const y = (value) => (HEIGHT - BOTTOM) * (1 - value / most);
  const keys = (event) => {
    const move = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
    if (!move) return;
    event.preventDefault();
    setOver((known) => Math.max(0, Math.min(points.length - 1, (known < 0 ? points.length : known) + move)));
  };
  const shown = points[over];
  return html`<figure class="graph">
    <div class="sec"><h2>${title}</h2><button class="btn bare sm" aria-pressed=${isTable} onClick=${() => setTable(!isTable)}>As numbers</button></div>
    ${isTable
      ? html`<div class="scroll" tabindex="0" role="region" aria-label=${`${title} as numbers`}><table><thead><tr><th>Time</th>${series.map((one) => html`<th key=${one.name} class="r">${one.title}</th>`)}</tr></thead>
          <tbody>${points.map((point) => html`<tr key=${point.at}><td class="num">${timeWords(point.at)}</td>${series.map((one) => html`<td key=${one.name} class="r num">${point[one.name] === null || point[one.name] === undefined ? "" : words(point[one.name])}</td>`)}</tr>`)}</tbody></table></div>`
      : html`<svg class="chart" viewBox=${`0 0 ${WIDTH} ${HEIGHT}`} role="img" tabindex="0" aria-label=${`${title}: arrow keys read the values`} onKeyDown=${keys} onMouseLeave=${() => setOver(-1)}
          onMouseMove=${(event) => { const box = event.currentTarget.getBoundingClientRect(); setOver(Math.max(0, Math.min(points.length - 1, Math.floor((((event.clientX - box.left) / box.width) * WIDTH - LEFT) / step)))); }}>
          ${[0, 0.5, 1].map((share) => html`<line key=${share} class="grid" x1=${LEFT} x2=${WIDTH} y1=${y(most * share)} y2=${y(most * share)} /><text key=${`t${share}`} x=${LEFT - 4} y=${y(most * share) + 3} text-anchor="end">${words(most * share)}</text>`)}
          ${points.map((point, place) => {
            let below = 0;
            return series.filter((one) => one.kind === "bar" && point[one.name]).map((one) => {
              const top = y(below + point[one.name]);
              const height = y(below) - top;
              below += point[one.name];
              return html`<rect key=${place + one.name} class=${`k-${one.ink}`} x=${LEFT + place * step + step * 0.1} y=${top} width=${step * 0.8} height=${height} />`;
            });
          })}
          ${series.filter((one) => one.kind === "line").map((one) => html`<path key=${one.name} class=${`k-${one.ink} stroke`} d=${pathOf(points, one.name, (place) => LEFT + (place + 0.5) * step, y)} />`)}
          ${shown && html`<line class="at" x1=${LEFT + (over + 0.5) * step} x2=${LEFT + (over + 0.5) * step} y1="0" y2=${HEIGHT - BOTTOM} />`}
          ${points.length > 0 && html`<text x=${LEFT} y=${HEIGHT - 3}>${timeWords(points[0].at)}</text><text x=${WIDTH} y=${HEIGHT - 3} text-anchor="end">${timeWords(points[points.length - 1].at)}</text>`}
        </svg>`}
    <ul class="key" aria-live="polite">${shown && html`<li class="when num">${timeWords(shown.at)}</li>`}${series.map((one) => html`<li key=${one.name} class=${`k-${one.ink}`}>${one.title}${shown ? html` <b class="num">${shown[one.name] === null || shown[one.name] === undefined ? "none" : words(shown[one.name])}</b>` : ""}</li>`)}</ul>
  </figure>`;
}

/** The line of a value; where there is none it is interrupted. */
function pathOf(points, name, x, y) {
  let isDown = false;
  return points.map((point, place) => {
    const value = point[name];
    const command = value === null || value === undefined ? "" : `${isDown ? "L" : "M"}${x(place).toFixed(1)} ${y(value).toFixed(1)}`;
    const isAlone = command && !isDown && (points[place + 1]?.[name] ?? null) === null;
    const dot = isAlone ? "m-4 0h8" : "";
    isDown = command !== "";
    return command + dot;
  }).join("");
}
