/**
 * How far long work has come: a bar with rate and time left, written over and over on a terminal, a line every tenth elsewhere. It
 * goes to standard error, so that what the work makes may go to a file.
 */

const CELLS = 32
const PLAIN_STEPS = 10
const EVERY_MS = 100
const ERASE_LINE = '\r\u001b[2K'

export interface BarOutput {
  readonly isTTY?: boolean
  write(text: string): unknown
}

export class WorkBar {
  private readonly noun: string
  private readonly output: BarOutput
  private readonly nowMs: () => number
  private readonly begunMs: number
  private shownMs = Number.NEGATIVE_INFINITY
  private stepsShown = 0
  private isShown = false

  /** `noun`: what is counted. */
  constructor(noun: string, output: BarOutput = process.stderr, nowMs: () => number = () => performance.now()) {
    this.noun = noun
    this.output = output
    this.nowMs = nowMs
    this.begunMs = nowMs()
  }

  /** So many of so many; `total` 0: nobody knows of how many. */
  show(done: number, total: number): void {
    const nowMs = this.nowMs()
    const share = total === 0 ? 0 : Math.min(1, done / total)
    const figures = `${counted(done)}${total === 0 ? '' : ` of ${counted(total)}`} ${this.noun}${this.pace(done, share, nowMs)}`
    if (this.output.isTTY === true) {
      if (share < 1 && nowMs - this.shownMs < EVERY_MS) return
      this.shownMs = nowMs
      this.isShown = true
      const filled = Math.floor(share * CELLS)
      this.output.write(`${ERASE_LINE}${'█'.repeat(filled)}${'░'.repeat(CELLS - filled)} ${figures}`)
      return
    }
    const steps = Math.floor(share * PLAIN_STEPS)
    if (steps <= this.stepsShown) return
    this.stepsShown = steps
    this.output.write(`${String(steps * PLAIN_STEPS).padStart(3)} %  ${figures}\n`)
  }

  /** The last line stays. */
  end(): void {
    if (this.isShown) this.output.write('\n')
    this.isShown = false
  }

  private pace(done: number, share: number, nowMs: number): string {
    const tookMs = nowMs - this.begunMs
    if (tookMs <= 0 || done === 0) return ''
    const rate = `, ${counted(Math.round((done * 1_000) / tookMs))}/s`
    return share === 0 || share === 1 ? rate : `${rate}, ${shownTime((tookMs / share) * (1 - share))} left`
  }
}

function counted(count: number): string {
  return count.toLocaleString('en-US')
}

function shownTime(ms: number): string {
  const seconds = Math.ceil(ms / 1_000)
  return seconds < 120 ? `${seconds} s` : `${Math.ceil(seconds / 60)} min`
}
