// The one table at the end: name, figure, target, ratio. The ratio is figure ÷ target, so that at least 1.00 is wanted
// for an "at least" and at most 1.00 for an "at most".

import type { Check, Figure, WorkloadReport } from './figure.ts'
import { meets } from './figure.ts'

export function figureTable(reports: readonly WorkloadReport[]): string[] {
  const rows = reports.flatMap((report) => report.figures.map((figure) => figureRow(figure)))
  return alignColumns([['name', 'figure', 'target', 'ratio', ''], ...rows])
}

export function failedChecks(reports: readonly WorkloadReport[]): string[] {
  return reports.flatMap((report) =>
    report.checks.filter((check) => !check.holds).map((check) => `${report.workload}: ${checkWords(check)}`),
  )
}

/** The figures that miss their target, in words. */
export function shortFigures(reports: readonly WorkloadReport[]): string[] {
  return reports
    .flatMap((report) => report.figures)
    .filter((figure) => !meets(figure))
    .map((figure) => {
      const [name, value, target] = figureRow(figure) as [string, string, string]
      return `${name}: ${value} instead of ${target}`
    })
}

function figureRow(figure: Figure): string[] {
  const { target } = figure
  if (target === null) return [figure.name, formatValue(figure.value, figure.unit), '', '', '']
  const sign = target.bound === 'atLeast' ? '≥' : '≤'
  return [
    figure.name,
    formatValue(figure.value, figure.unit),
    `${sign} ${formatValue(target.value, figure.unit)}`,
    target.value === 0 ? '' : (figure.value / target.value).toFixed(2),
    meets(figure) ? 'met' : 'SHORT',
  ]
}

function checkWords(check: Check): string {
  return `${check.name}: expected ${check.expected}, seen ${check.seen}`
}

export function formatValue(value: number, unit: Figure['unit']): string {
  if (Number.isNaN(value)) return 'not measured'
  if (unit === 'ms') return `${value.toFixed(2)} ms`
  if (unit === 'B') return `${value.toFixed(1)} B`
  if (unit === 'MiB' || unit === 'MiB/min') return `${value.toFixed(1)} ${unit}`
  if (unit === 'MB/min') return `${value.toFixed(2)} MB/min`
  if (unit === '×') return `${value.toFixed(2)} ×`
  if (unit === '%') return `${(value * 100).toFixed(1)} %`
  return `${Math.round(value).toLocaleString('en')}${unit === '/s' ? ' /s' : ''}`
}

/** First column to the left, the others to the right. */
function alignColumns(rows: readonly (readonly string[])[]): string[] {
  const widths: number[] = []
  for (const row of rows) {
    row.forEach((cell, column) => {
      widths[column] = Math.max(widths[column] ?? 0, cell.length)
    })
  }
  return rows.map((row) =>
    row
      .map((cell, column) => {
        const width = widths[column] ?? 0
        return column === 0 ? cell.padEnd(width) : cell.padStart(width)
      })
      .join('  ')
      .trimEnd(),
  )
}
