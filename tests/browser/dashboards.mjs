// Draws dashboards as pictures: what their panels show, from answers of a real Prometheus.
//
//   node dashboards.mjs ANSWERS PICTURES
//
// ANSWERS holds a file per dashboard, as the integration tests leave them in target/dashboards: each panel with its
// place on the grid, and of each query the series that Prometheus answered with. PICTURES gets a PNG of each.
//
// This stands in for Grafana, which no package index that the tests use holds: the same panels, queries and places,
// drawn plainly. It says so on every picture.

import { mkdirSync, readdirSync, readFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { launch } from './browser.mjs';

const COLOURS = ['#0b5394', '#a61b1b', '#1f5a3d', '#7a4d00', '#5b3a8c', '#00707a', '#8a3b62', '#3b4a5e'];
/** Pixels of one unit of the grid, which is 24 units wide. */
const CELL = { width: 58, height: 38 };

const [answers, pictures] = process.argv.slice(2);
if (!answers || !pictures) {
  console.error('usage: node dashboards.mjs ANSWERS PICTURES');
  process.exit(2);
}

const escape = (text) => String(text).replace(/[&<>"]/g, (c) => `&#${c.charCodeAt(0)};`);
/** The colour that the dashboard gives a series, or the next of ours. */
const colour = (panel, series, n) => panel.colours?.[series.name] ?? COLOURS[n % COLOURS.length];
const last = (series) => Number(series.points.at(-1)?.[1] ?? NaN);

/** A number in a panel's unit, short. */
function say(value, unit) {
  if (Number.isNaN(value)) return 'no data';
  if (unit === 'percentunit') return `${(100 * value).toFixed(1)} %`;
  if (unit !== 's') return String(Number(value.toPrecision(3)));
  if (value >= 120) return `${(value / 60).toFixed(1)} min`;
  return value >= 1 || value === 0 ? `${Number(value.toPrecision(3))} s` : `${Number((1000 * value).toPrecision(3))} ms`;
}

/** What Grafana would call a series. */
function name(target, series) {
  const labels = Object.entries(series.labels).filter(([label]) => label !== '__name__');
  if (!target.legend || target.legend === '__auto') {
    return labels.map(([label, value]) => `${label}=${value}`).join(', ') || 'value';
  }
  return target.legend.replace(/\{\{\s*(\w+)\s*\}\}/g, (_, label) => series.labels[label] ?? '');
}

const named = (panel) =>
  panel.targets.flatMap((target) => target.series.map((series) => ({ ...series, name: name(target, series) })));

function stat(panel) {
  const values = named(panel);
  const shown = values.length ? values.map((series) => say(last(series), panel.unit)) : ['no data'];
  return shown.map((text) => `<p class="stat">${escape(text)}</p>`).join('');
}

/** A histogram's buckets each hold those below them; shown is what each holds by itself. */
function buckets(panel) {
  const all = named(panel)
    .map((series) => ({ upTo: Number(series.labels.le.replace('+Inf', 'Infinity')), count: last(series) }))
    .sort((a, b) => a.upTo - b.upTo);
  const alone = all.map(({ upTo, count }, n) => ({ name: `up to ${upTo}`, points: [[0, count - (all[n - 1]?.count ?? 0)]] }));
  return drawBars(alone.filter((bucket) => last(bucket) > 0), panel.unit);
}

function bars(panel) {
  return drawBars(named(panel).sort((a, b) => last(b) - last(a)).slice(0, 8), panel.unit);
}

function drawBars(values, unit) {
  const most = Math.max(...values.map(last), 1e-9);
  const bar = (series) =>
    `<li><span class="bar" style="width:${(60 * last(series)) / most}%"></span>
     <b>${escape(say(last(series), unit))}</b> ${escape(series.name)}</li>`;
  return values.length ? `<ul class="bars">${values.map(bar).join('')}</ul>` : '<p>nothing</p>';
}

function table(panel) {
  const row = (series) => `<tr><td>${escape(series.name)}</td><td>${escape(say(last(series), panel.unit))}</td></tr>`;
  return `<table>${named(panel).map(row).join('')}</table>`;
}

function lines(panel) {
  const all = named(panel);
  const width = panel.grid.w * CELL.width - 90;
  const height = panel.grid.h * CELL.height - 36 - 34 - 20 * Math.ceil(Math.min(all.length, 6) / 3);
  const points = all.flatMap((series) => series.points.map(([at, value]) => [at, Number(value)]));
  const real = points.filter(([, value]) => Number.isFinite(value));
  if (!real.length) return '<p>no data</p>';
  const [from, to] = [Math.min(...real.map(([at]) => at)), Math.max(...real.map(([at]) => at))];
  const top = Math.max(...real.map(([, value]) => value)) || 1;
  const x = (at) => 62 + ((at - from) / Math.max(to - from, 1)) * width;
  const y = (value) => 8 + (1 - value / top) * (height - 16);
  const path = (series) =>
    series.points
      .map(([at, value]) => [at, Number(value)])
      .filter(([, value]) => Number.isFinite(value))
      .map(([at, value]) => `${x(at).toFixed(1)},${y(value).toFixed(1)}`)
      .join(' ');
  const grid = [0, 0.5, 1].map(
    (part) =>
      `<line x1="62" x2="${62 + width}" y1="${y(top * part)}" y2="${y(top * part)}"/>
       <text x="56" y="${y(top * part) + 4}">${escape(say(top * part, panel.unit))}</text>`,
  );
  const drawn = all.map(
    (series, n) => `<polyline points="${path(series)}" stroke="${colour(panel, series, n)}"/>`,
  );
  const key = (series, n) => `<li><i style="background:${colour(panel, series, n)}"></i>${escape(series.name)}</li>`;
  return `<svg width="${width + 70}" height="${height}">${grid.join('')}${drawn.join('')}</svg>
    <ul class="key">${all.slice(0, 6).map(key).join('')}</ul>`;
}

const drawing = { stat, bargauge: bars, heatmap: buckets, table };

function panel(it) {
  const { x, y, w, h } = it.grid;
  const place = `left:${x * CELL.width}px;top:${y * CELL.height}px;width:${w * CELL.width}px;height:${h * CELL.height}px`;
  if (it.type === 'row') return `<h2 style="${place}">${escape(it.title)}</h2>`;
  const draw = drawing[it.type] ?? lines;
  return `<section style="${place}"><div><h3>${escape(it.title)}</h3>${draw(it)}</div></section>`;
}

function page({ title, panels }) {
  const height = Math.max(...panels.map(({ grid }) => grid.y + grid.h)) * CELL.height;
  return `<!doctype html><meta charset="utf-8"><title>${escape(title)}</title><style>
    body { margin: 16px; font: 13px/1.35 system-ui, sans-serif; color: #1a2230; background: #f5f6f8; }
    h1 { font-size: 20px; margin: 0 } h1 + p { margin: 2px 0 10px; color: #4f5b6b }
    main { position: relative; width: ${24 * CELL.width}px; height: ${height}px }
    main > * { position: absolute; box-sizing: border-box; margin: 0; padding: 4px }
    h2 { font-size: 16px; padding: 8px 6px } h3 { font-size: 13px; margin: 0 0 6px }
    section > div { background: #fff; border: 1px solid #cfd6df; border-radius: 4px; height: 100%; padding: 8px 10px; overflow: hidden; box-sizing: border-box }
    .stat { font-size: 30px; margin: 18px 0 0; text-align: center } ul { list-style: none; margin: 0; padding: 0 }
    .key { display: flex; flex-wrap: wrap; gap: 0 14px } .key i { display: inline-block; width: 10px; height: 10px; margin-right: 4px }
    .bars li { margin: 6px 0; white-space: nowrap } .bar { display: inline-block; height: 12px; background: #0b5394; vertical-align: middle; margin-right: 6px }
    td { padding: 2px 14px 2px 0 } svg line { stroke: #dfe4ea } svg text { font-size: 11px; text-anchor: end; fill: #4f5b6b }
    svg polyline { fill: none; stroke-width: 1.6 }
  </style><h1>${escape(title)}</h1>
  <p>Panels and queries of the dashboard, answered by Prometheus and drawn plainly by the tests; not a picture of Grafana.</p>
  <main>${panels.map(panel).join('')}</main>`;
}

const files = readdirSync(answers).filter((file) => file.endsWith('.json')).sort();
if (!files.length) {
  console.error(`no answers in ${answers}: run the integration tests first`);
  process.exit(1);
}
mkdirSync(pictures, { recursive: true });
const browser = await launch();
try {
  for (const file of files) {
    const tab = await browser.newPage();
    await tab.setViewport({ width: 24 * CELL.width + 32, height: 900 });
    await tab.setContent(page(JSON.parse(readFileSync(join(answers, file), 'utf8'))));
    const picture = join(pictures, `dashboard-${basename(file, '.json')}.png`);
    await tab.screenshot({ path: picture, fullPage: true });
    console.log(picture);
  }
} finally {
  await browser.close();
}
