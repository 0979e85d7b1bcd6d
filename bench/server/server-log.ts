// The log of a server under measurement: JSON lines in any pieces, kept while there is room, and awaited by their message.
//
// Some of what a workload has to prove happens inside the server and is told there only: that snapshots were made, and
// when. Warnings are counted by message and shown with the figures, because a run with warnings is not a quiet run.

/** What the server says when a run of snapshots is over. */
export const SNAPSHOTS_MADE = 'snapshots made'

/** Lines that are kept; a server that says more is told by its last words. */
const LINES_MAX = 10_000

/** pino's number for `warn`. */
const LEVEL_WARN = 40

export interface LogLine {
  readonly level: number
  /** Unix time of the line. */
  readonly timeMs: number
  readonly message: string
  readonly fields: Readonly<Record<string, unknown>>
}

interface Waiting {
  readonly message: string
  readonly count: number
  readonly resolve: (lines: readonly LogLine[]) => void
  readonly reject: (error: Error) => void
}

export class ServerLog {
  readonly #lines: LogLine[] = []
  readonly #waiting = new Set<Waiting>()
  #rest = ''
  #ended: string | null = null

  feed(text: string): void {
    const parts = (this.#rest + text).split('\n')
    this.#rest = parts.pop() ?? ''
    for (const part of parts) {
      const line = parseLine(part)
      if (line !== null && this.#lines.length < LINES_MAX) this.#lines.push(line)
    }
    for (const waiting of this.#waiting) this.#settle(waiting)
  }

  /** The server is gone: nobody waits any more. */
  end(how: string): void {
    this.#ended = how
    for (const { reject, message } of this.#waiting) reject(new Error(`${how} before it said "${message}"`))
    this.#waiting.clear()
  }

  /** The lines with this message so far. */
  all(message: string): LogLine[] {
    return this.#lines.filter((line) => line.message === message)
  }

  /** How often each warning or error was said. */
  warnings(): Record<string, number> {
    const counts: Record<string, number> = {}
    for (const { level, message } of this.#lines) {
      if (level >= LEVEL_WARN) counts[message] = (counts[message] ?? 0) + 1
    }
    return counts
  }

  /** The first warnings and errors, whole. */
  firstWarnings(count: number): LogLine[] {
    return this.#lines.filter(({ level }) => level >= LEVEL_WARN).slice(0, count)
  }

  /** Resolves once the message has been said so often; fails when the server ends before, or after so long. */
  async until(message: string, count: number, limitMs: number): Promise<readonly LogLine[]> {
    if (this.#ended !== null) throw new Error(`${this.#ended} before "${message}" was awaited`)
    let timer: NodeJS.Timeout | undefined
    try {
      return await new Promise<readonly LogLine[]>((resolve, reject) => {
        const waiting: Waiting = { message, count, resolve, reject }
        this.#waiting.add(waiting)
        timer = setTimeout(() => {
          this.#waiting.delete(waiting)
          reject(new Error(`the server did not say "${message}" within ${limitMs} ms`))
        }, limitMs)
        this.#settle(waiting)
      })
    } finally {
      clearTimeout(timer)
    }
  }

  #settle(waiting: Waiting): void {
    const lines = this.all(waiting.message)
    if (lines.length < waiting.count) return
    this.#waiting.delete(waiting)
    waiting.resolve(lines)
  }
}

/** null: not a line of the log. */
function parseLine(text: string): LogLine | null {
  if (!text.startsWith('{')) return null
  let fields: Record<string, unknown>
  try {
    fields = JSON.parse(text) as Record<string, unknown>
  } catch {
    return null
  }
  const { level, time, msg } = fields
  if (typeof level !== 'number' || typeof time !== 'string' || typeof msg !== 'string') return null
  return { level, timeMs: Date.parse(time), message: msg, fields }
}
