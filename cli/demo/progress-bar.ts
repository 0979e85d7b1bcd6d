/**
 * How far the race is: one line that is written over and over on a terminal, a line every tenth elsewhere.
 */
import type { RaceProgress } from './race.ts'

const CELLS = 32
const PLAIN_STEPS = 10
const ERASE_LINE = '\r\u001b[2K'

export interface Output {
  readonly isTTY?: boolean
  write(text: string): unknown
}

export class ProgressBar {
  private readonly output: Output
  private readonly total: number
  private stepsShown = 0

  constructor(output: Output, total: number) {
    this.output = output
    this.total = total
  }

  show({ answered, redeemed }: RaceProgress): void {
    const figures = `${shownCount(answered)} of ${shownCount(this.total)} answered, ${shownCount(redeemed)} redeemed`
    if (this.output.isTTY === true) {
      const filled = Math.floor((answered / this.total) * CELLS)
      this.output.write(`${ERASE_LINE}${'█'.repeat(filled)}${'░'.repeat(CELLS - filled)} ${figures}`)
      return
    }
    const steps = Math.floor((answered / this.total) * PLAIN_STEPS)
    if (steps <= this.stepsShown) return
    this.stepsShown = steps
    this.output.write(`${String(steps * PLAIN_STEPS).padStart(3)} %  ${figures}\n`)
  }

  end(): void {
    if (this.output.isTTY === true) this.output.write('\n')
  }
}

export function shownCount(count: number): string {
  return count.toLocaleString('en-US')
}
