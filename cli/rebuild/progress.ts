/**
 * How far long work has come: one line on standard error, written over and over, with its rate and the time that is left.
 * Only on a terminal: a file or a pipe gets the result and nothing else.
 */

const ERASE_LINE = '\r\u001b[2K'
const EVERY_MS = 200

export interface Output {
  readonly isTTY?: boolean
  write(text: string): unknown
}

export class ProgressLine {
  private readonly output: Output
  private readonly what: string
  private readonly begunMs: number
  private readonly nowMs: () => number
  private shownMs = Number.NEGATIVE_INFINITY
  private isShown = false

  constructor(what: string, output: Output = process.stderr, nowMs: () => number = () => performance.now()) {
    this.what = what
    this.output = output
    this.nowMs = nowMs
    this.begunMs = nowMs()
  }

  /** `doneShare` of 1 is done; `count` things of `noun` so far. */
  readonly show = (doneShare: number, count: number, noun: string): void => {
    const nowMs = this.nowMs()
    if (this.output.isTTY !== true || nowMs - this.shownMs < EVERY_MS) return
    this.shownMs = nowMs
    this.isShown = true
    const tookMs = Math.max(1, nowMs - this.begunMs)
    const share = Math.min(1, Math.max(0, doneShare))
    const left = share > 0.01 ? `, about ${seconds((tookMs / share) * (1 - share))} left` : ''
    const rate = Math.round((count * 1_000) / tookMs).toLocaleString('en-US')
    this.output.write(`${ERASE_LINE}${this.what}: ${Math.floor(share * 100)} %, ${rate} ${noun}/s${left}`)
  }

  /** Takes the line away again. */
  end(): void {
    if (this.isShown) this.output.write(ERASE_LINE)
    this.isShown = false
  }
}

function seconds(ms: number): string {
  const whole = Math.ceil(ms / 1_000)
  return whole < 120 ? `${whole} s` : `${Math.ceil(whole / 60)} min`
}

/** Work in steps, each with a line of its own. */
export async function withSteps<Result>(
  work: (progress: (step: string) => (doneShare: number, events: number) => void) => Promise<Result>,
): Promise<Result> {
  const lines: ProgressLine[] = []
  try {
    return await work((step) => {
      lines.at(-1)?.end()
      const line = new ProgressLine(step)
      lines.push(line)
      return (doneShare, events) => line.show(doneShare, events, 'events')
    })
  } finally {
    lines.at(-1)?.end()
  }
}
