// Lines over time as SVG text: what a report shows without any help from elsewhere.
//
//   600 ┤        ╭─╮           gridlines at round values, one line a series, its name in the legend;
//   400 ┤  ╭─────╯ ╰──         a hole where there is no value; lowest value always 0
//     0 ┼────────────────
//        0     10    20 min

export interface ChartLine {
  readonly name: string
  /** One a point in time; NaN where there is none. */
  readonly values: readonly number[]
  readonly isDashed?: boolean
}

export interface Chart {
  readonly title: string
  readonly unit: string
  /** Minutes, ascending. */
  readonly times: readonly number[]
  readonly lines: readonly ChartLine[]
}

const WIDTH = 720
const HEIGHT = 240
const LEFT = 64
const RIGHT = 24
const TOP = 12
const BOTTOM = 28
const PLOT_WIDTH = WIDTH - LEFT - RIGHT
const PLOT_HEIGHT = HEIGHT - TOP - BOTTOM
const GRID_LINES = 4
/** Minutes between two marks: the smallest that leaves them room. */
const TIME_STEPS = [0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 30, 60, 120]
const TIME_MARKS_MAX = 8
const COLOURS = ['#1f6feb', '#d1570b', '#1a7f37', '#8250df', '#bf3989', '#6e7781', '#9a6700', '#0a7d8c']

/** A figure with title, legend and drawing. */
export function chartSvg({ title, unit, times, lines }: Chart): string {
  const highest = roundUp(Math.max(0, ...lines.flatMap(({ values }) => values.filter((value) => !Number.isNaN(value)))))
  const lastTime = Math.max(times.at(-1) ?? 0, Number.EPSILON)
  const x = (time: number): number => LEFT + (time / lastTime) * PLOT_WIDTH
  const y = (value: number): number => TOP + PLOT_HEIGHT - (value / highest) * PLOT_HEIGHT
  const grid = steps(highest, GRID_LINES).map((value) => {
    const at = y(value).toFixed(1)
    return (
      `<line x1="${LEFT}" x2="${WIDTH - RIGHT}" y1="${at}" y2="${at}" class="grid"/>` +
      `<text x="${LEFT - 6}" y="${at}" class="left">${escaped(shortNumber(value))}</text>`
    )
  })
  const marks = timeMarks(lastTime).map((time) => {
    return `<text x="${x(time).toFixed(1)}" y="${HEIGHT - 8}" class="below">${shortNumber(time)} min</text>`
  })
  const drawn = lines.map(({ values, isDashed }, index) => {
    const dashes = isDashed === true ? ' stroke-dasharray="5 4"' : ''
    return `<path d="${pathOf(values, times, x, y)}" stroke="${colourOf(index)}"${dashes}/>`
  })
  const legend = lines.map(
    ({ name }, index) => `<span><i style="background:${colourOf(index)}"></i>${escaped(name)}</span>`,
  )
  return (
    `<figure><figcaption><b>${escaped(title)}</b>, ${escaped(unit)}<br>${legend.join(' ')}</figcaption>` +
    `<svg viewBox="0 0 ${WIDTH} ${HEIGHT}" role="img" aria-label="${escaped(title)}">` +
    `${grid.join('')}${marks.join('')}${drawn.join('')}</svg></figure>`
  )
}

/** Text that may hold anything, for HTML and SVG. */
export function escaped(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;').replaceAll('"', '&quot;')
}

function pathOf(
  values: readonly number[],
  times: readonly number[],
  x: (time: number) => number,
  y: (value: number) => number,
): string {
  let path = ''
  let isDown = false
  for (const [index, value] of values.entries()) {
    if (Number.isNaN(value)) {
      isDown = false
      continue
    }
    path += `${isDown ? 'L' : 'M'}${x(times[index] ?? 0).toFixed(1)} ${y(value).toFixed(1)}`
    isDown = true
  }
  return path
}

/** The next 1, 2 or 5 times a power of ten, so that the lines of the grid are round. */
function roundUp(value: number): number {
  if (!(value > 0)) return 1
  const power = 10 ** Math.floor(Math.log10(value))
  const times = [1, 2, 4, 5, 8, 10].find((candidate) => candidate * power >= value) ?? 10
  return times * power
}

function steps(highest: number, count: number): number[] {
  return Array.from({ length: count + 1 }, (_, index) => (highest * index) / count)
}

function timeMarks(lastTime: number): number[] {
  const step = TIME_STEPS.find((candidate) => lastTime / candidate <= TIME_MARKS_MAX) ?? lastTime
  return Array.from({ length: Math.floor(lastTime / step) + 1 }, (_, index) => index * step)
}

function shortNumber(value: number): string {
  return value >= 100 ? Math.round(value).toLocaleString('en') : String(Number(value.toPrecision(3)))
}

function colourOf(index: number): string {
  return COLOURS[index % COLOURS.length] as string
}
