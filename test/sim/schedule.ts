/**
 * Virtual time: what is to happen, in the order of its time, and of what was planned first where times are equal.
 *
 * Nothing waits: the clock jumps to the next event. No timer of the system, no real clock, so that the same plan always comes
 * to the same run. Times are whole milliseconds since the beginning of the run.
 */
interface Planned {
  readonly atMs: number
  readonly order: number
  readonly run: () => void
}

export class Schedule {
  nowMs = 0
  private readonly heap: Planned[] = []
  private orders = 0

  /** In `delayMs` from now; 0: after everything that was planned for now. */
  after(delayMs: number, run: () => void): void {
    const planned = { atMs: this.nowMs + delayMs, order: this.orders++, run }
    const { heap } = this
    let at = heap.length
    heap.push(planned)
    while (at > 0) {
      const parent = (at - 1) >> 1
      if (!isBefore(planned, heap[parent] as Planned)) break
      heap[at] = heap[parent] as Planned
      at = parent
    }
    heap[at] = planned
  }

  /** Everything that is planned up to then, and what that plans; the time is then. */
  runTo(untilMs: number): void {
    for (;;) {
      const first = this.heap[0]
      if (first === undefined || first.atMs > untilMs) break
      this.takeFirst()
      this.nowMs = first.atMs
      first.run()
    }
    this.nowMs = untilMs
  }

  private takeFirst(): void {
    const { heap } = this
    const last = heap.pop() as Planned
    if (heap.length === 0) return
    let at = 0
    for (;;) {
      let child = 2 * at + 1
      if (child >= heap.length) break
      if (child + 1 < heap.length && isBefore(heap[child + 1] as Planned, heap[child] as Planned)) child++
      if (isBefore(last, heap[child] as Planned)) break
      heap[at] = heap[child] as Planned
      at = child
    }
    heap[at] = last
  }
}

function isBefore(a: Planned, b: Planned): boolean {
  return a.atMs < b.atMs || (a.atMs === b.atMs && a.order < b.order)
}
