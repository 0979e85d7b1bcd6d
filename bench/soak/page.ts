// The report of a soak: one HTML file that needs nothing else, neither a network nor another file. The judgement first, then
// everything over time, then every operation with what it came to.

import { type Check, type Figure, meets, type WorkloadReport } from '../report/figure.ts'
import { type ChartLine, chartSvg, escaped } from '../report/svg-chart.ts'
import { formatValue } from '../report/table.ts'
import { growthPerMinute, settledSamples, type SoakRun } from './judge.ts'
import { median } from '../report/figure.ts'
import { OPERATIONS, type OperationName, WARMUP_SHARE } from './mix.ts'
import type { SoakSample } from './watch.ts'

const MIB = 1_048_576

/** Operations that are drawn together. */
const LATENCY_CHARTS: readonly { readonly title: string; readonly names: readonly OperationName[] }[] = [
  {
    title: 'p99 of redemptions',
    names: ['redeem', 'redeem stacked', 'redeem reserved', 'redeem late', 'redeem claimed', 'redeem again'],
  },
  {
    title: 'p99 of reservations, claims, reversals',
    names: ['reserve', 'reserve stacked', 'reserve scarce', 'release', 'claim', 'reverse'],
  },
  { title: 'p99 of reads', names: ['validate', 'read coupon', 'read redemption', 'read reservation', 'search'] },
  { title: 'p99 of lists', names: ['list coupons', 'list redemptions', 'list reservations', 'history', 'page events'] },
  {
    title: 'p99 of marketing',
    names: ['create coupon', 'change coupon', 'switch coupon', 'expire coupon', 'generate coupons'],
  },
]

const STYLE = `
body{font:15px/1.45 system-ui,sans-serif;margin:2rem auto;max-width:1500px;padding:0 1rem;color:#1f2328;background:#fff}
h1{font-size:1.5rem;margin:0}h2{font-size:1.1rem;margin:2rem 0 .5rem}
.verdict{font-weight:600;padding:.6rem .9rem;border-radius:6px;margin:1rem 0}
.good{background:#dafbe1}.bad{background:#ffd8d3}
table{border-collapse:collapse;font-variant-numeric:tabular-nums}td,th{padding:.2rem .9rem .2rem 0;text-align:right;vertical-align:top}
td:first-child,th:first-child{text-align:left}tr+tr td{border-top:1px solid #d8dee4}
.charts{display:grid;grid-template-columns:repeat(auto-fit,minmax(480px,1fr));gap:1.2rem}
figure{margin:0;border:1px solid #d8dee4;border-radius:6px;padding:.6rem}figcaption{font-size:.85rem}
figcaption span{margin-right:.8rem;white-space:nowrap}figcaption i{display:inline-block;width:.7em;height:.7em;border-radius:2px;margin-right:.3em}
svg{width:100%;height:auto;font:11px system-ui,sans-serif}svg path{fill:none;stroke-width:1.5;stroke-linejoin:round}
.grid{stroke:#d8dee4}.left{text-anchor:end;dominant-baseline:middle;fill:#59636e}.below{text-anchor:middle;fill:#59636e}
.scroll{overflow-x:auto}
@media (prefers-color-scheme:dark){body{color:#e6edf3;background:#0d1117}.good{background:#12361f}.bad{background:#5a1e1a}
tr+tr td,figure{border-color:#30363d}.grid{stroke:#30363d}.left,.below{fill:#9198a1}}
`

export function soakPage(run: SoakRun, report: WorkloadReport, about: readonly string[]): string {
  const short = report.figures.filter((figure) => !meets(figure))
  const failed = report.checks.filter(({ holds }) => !holds)
  const isGood = short.length === 0 && failed.length === 0
  const verdict = isGood
    ? 'Met: nothing grows, everything is exact, every error is documented.'
    : `Short: ${[...short.map(({ name }) => name), ...failed.map(({ name }) => name)].join('; ')}`
  return `<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>Tearoff: soak</title><style>${STYLE}</style></head><body>
<h1>Soak</h1>
<p>${about.map(escaped).join('<br>')}</p>
<p class="verdict ${isGood ? 'good' : 'bad'}">${escaped(verdict)}</p>
<h2>Figures</h2><div class="scroll">${figureRows(report.figures)}</div>
<h2>Checks</h2><div class="scroll">${checkRows(report.checks)}</div>
<h2>Over time</h2><div class="charts">${charts(run).join('\n')}</div>
<h2>Operations</h2><div class="scroll">${operationRows(run)}</div>
<h2>Warnings of the server</h2>${list(Object.entries(run.warnings).map(([words, count]) => `${count} × ${words}`))}
<h2>Answers that nobody provoked</h2>${list(run.totals.examples)}
</body></html>
`
}

function charts({ samples, size }: SoakRun): string[] {
  const times = samples.map(({ atSecond }) => atSecond / 60)
  const line = (name: string, of: (sample: SoakSample) => number, isDashed = false): ChartLine => {
    return { name, values: samples.map(of), isDashed }
  }
  const chart = (title: string, unit: string, lines: readonly ChartLine[]): string => {
    return chartSvg({ title, unit, times, lines })
  }
  const beyond = (sample: SoakSample): number => (sample.anonymousBytes - sample.stateBytes) / MIB
  const handles = [line('handles', ({ handles }) => handles), line('threads', ({ threads }) => threads)]
  return [
    chart('Memory', 'MiB', [
      line('anonymous', ({ anonymousBytes }) => anonymousBytes / MIB),
      line('state', ({ stateBytes }) => stateBytes / MIB),
      line('index of the search', ({ searchBytes }) => searchBytes / MIB),
      line('heap of the gateway', ({ heapBytes }) => heapBytes / MIB),
    ]),
    chart('Memory beyond the state', 'MiB', [line('anonymous less state', beyond), trendLine(samples, size.seconds)]),
    chart('On disk', 'MiB', [
      line('log', ({ logBytes }) => logBytes / MIB),
      line('archive', ({ archiveBytes }) => archiveBytes / MIB),
      line('snapshots', ({ snapshotBytes }) => snapshotBytes / MIB),
      line('databases', ({ databaseBytes }) => databaseBytes / MIB),
    ]),
    chart('Handles and threads', 'open', handles),
    chart('Event loop of the gateway, p99 of each stretch', 'ms', [
      line('delay', ({ loopDelayP99Ms }) => loopDelayP99Ms),
    ]),
    chart('Lag of the read model', 'ms', [line('lag', ({ readModelLagMs }) => readModelLagMs)]),
    chart('Orders in memory', 'records', [line('orders', ({ ordersRemembered }) => ordersRemembered)]),
    chart('Operations', 'a second', [
      line('all', ({ operations, seconds }) => {
        return Object.values(operations).reduce((sum, { count }) => sum + count, 0) / seconds
      }),
    ]),
    ...LATENCY_CHARTS.map(({ title, names }) => {
      const lines = names.map((name) => line(name, ({ operations }) => operations[name]?.p99Ms ?? Number.NaN))
      return chart(title, 'ms, from when a call was due', lines)
    }),
    chart('Refusals by code', 'a second', refusalLines(samples)),
  ]
}

/** The slope that is judged, through the middle of what it was taken from. */
function trendLine(samples: readonly SoakSample[], seconds: number): ChartLine {
  const perSecond = growthPerMinute(samples, seconds) / 60
  const settled = settledSamples(samples, seconds)
  const middle = median(
    settled.map(({ atSecond, anonymousBytes, stateBytes }) => anonymousBytes - stateBytes - perSecond * atSecond),
  )
  const values = samples.map(({ atSecond }) => {
    return atSecond < seconds * WARMUP_SHARE ? Number.NaN : (middle + perSecond * atSecond) / MIB
  })
  return { name: `slope that is judged, ${((perSecond * 60) / 1e6).toFixed(2)} MB a minute`, values, isDashed: true }
}

function refusalLines(samples: readonly SoakSample[]): ChartLine[] {
  const codes = [...new Set(samples.flatMap(({ refusals }) => Object.keys(refusals)))].sort()
  return codes.map((code) => ({
    name: code,
    values: samples.map(({ refusals, seconds }) => (refusals[code] ?? 0) / seconds),
  }))
}

function figureRows(figures: readonly Figure[]): string {
  return table(
    ['figure', '', 'target', ''],
    figures.map((figure) => {
      const { target } = figure
      const bound =
        target === null ? '' : `${target.bound === 'atLeast' ? '≥' : '≤'} ${formatValue(target.value, figure.unit)}`
      return [
        figure.name,
        formatValue(figure.value, figure.unit),
        bound,
        target === null ? '' : meets(figure) ? 'met' : 'SHORT',
      ]
    }),
  )
}

function checkRows(checks: readonly Check[]): string {
  return table(
    ['check', 'expected', 'seen', ''],
    checks.map(({ name, expected, seen, holds }) => [name, expected, seen, holds ? 'holds' : 'DOES NOT HOLD']),
  )
}

function operationRows({ totals }: SoakRun): string {
  const codes = (counts: Readonly<Record<string, number>>): string =>
    Object.entries(counts)
      .map(([code, count]) => `${code} ${count.toLocaleString('en')}`)
      .join(', ')
  return table(
    ['operation', 'done', 'p50 ms', 'p99 ms', 'p99.9 ms', 'max ms', 'provoked', 'not provoked', 'not documented'],
    OPERATIONS.map((name) => {
      const { done, latency, provoked, surprises, undocumented } = totals.operations[name]
      const times = [latency.p50Ms, latency.p99Ms, latency.p999Ms, latency.maxMs].map((ms) => ms.toFixed(2))
      return [name, done.toLocaleString('en'), ...times, codes(provoked), codes(surprises), codes(undocumented)]
    }),
  )
}

function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const cells = (tag: string, row: readonly string[]): string =>
    `<tr>${row.map((cell) => `<${tag}>${escaped(cell)}</${tag}>`).join('')}</tr>`
  return `<table>${cells('th', head)}${rows.map((row) => cells('td', row)).join('\n')}</table>`
}

function list(lines: readonly string[]): string {
  return lines.length === 0 ? '<p>none</p>' : `<ul>${lines.map((line) => `<li>${escaped(line)}</li>`).join('')}</ul>`
}
