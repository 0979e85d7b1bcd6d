// Figures over time: written as CSV beside the results, and drawn with letters where the run is watched.
//
//   12.4 ┤      •          one column a value, the highest value at the top,
//        ┤  •  • •         nothing at the bottom; a gap where there is no value
//    0.0 ┤•• ••   •

export interface Series {
  readonly columns: readonly string[]
  /** One number a column; NaN where there is none. */
  readonly rows: readonly (readonly number[])[]
}

const CHART_ROWS = 8
/** Of so many values each, the highest is drawn, so that the chart fits a screen. */
const CHART_COLUMNS_MAX = 100

export function csvText({ columns, rows }: Series): string {
  const lines = rows.map((row) => row.map((value) => (Number.isNaN(value) ? '' : String(value))).join(','))
  return `${[columns.join(','), ...lines].join('\n')}\n`
}

/** The lines of a chart; none when there is nothing to draw. */
export function chartLines(title: string, values: readonly number[]): string[] {
  const drawn = highestOfEach(values, Math.ceil(values.length / CHART_COLUMNS_MAX))
  const highest = Math.max(0, ...drawn.filter((value) => !Number.isNaN(value)))
  if (highest === 0) return []
  const rowOf = (value: number): number => Math.min(CHART_ROWS - 1, Math.floor((value / highest) * CHART_ROWS))
  const labels = [highest.toFixed(1), '0.0']
  const width = Math.max(...labels.map((label) => label.length))
  const lines = Array.from({ length: CHART_ROWS }, (_, index) => {
    const row = CHART_ROWS - 1 - index
    const label = row === CHART_ROWS - 1 ? labels[0] : row === 0 ? labels[1] : ''
    const dots = drawn.map((value) => (rowOf(value) === row ? '•' : ' ')).join('')
    return `${(label ?? '').padStart(width)} ┤${dots}`.trimEnd()
  })
  return [title, ...lines]
}

function highestOfEach(values: readonly number[], count: number): number[] {
  const highest: number[] = []
  for (let at = 0; at < values.length; at += count) {
    const known = values.slice(at, at + count).filter((value) => !Number.isNaN(value))
    highest.push(known.length === 0 ? Number.NaN : Math.max(...known))
  }
  return highest
}
