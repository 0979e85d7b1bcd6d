/**
 * Admission: how much work the gateway takes before it says OVERLOADED. Two bounds: calls under way, and bytes of bodies
 * that are still arriving, so that ten thousand half-sent requests cannot fill the memory.
 *
 * A stop waits here until the last call under way has left.
 */
import { BODY_BYTES_MAX, HTTP_IN_FLIGHT_MAX } from '../limits.ts'

/** Bodies in more than one piece, over all connections. */
const PARTIAL_BODY_BYTES_MAX = 64 * BODY_BYTES_MAX

export class Admission {
  inFlight = 0
  private partialBytes = 0
  private whenIdle: (() => void) | null = null

  /** False: too many; the caller answers OVERLOADED and does not `leave`. */
  enter(): boolean {
    if (this.inFlight >= HTTP_IN_FLIGHT_MAX) return false
    this.inFlight++
    return true
  }

  leave(): void {
    this.inFlight--
    if (this.inFlight === 0) this.whenIdle?.()
  }

  /** False: too many bytes are held already. */
  hold(bytes: number): boolean {
    if (this.partialBytes + bytes > PARTIAL_BODY_BYTES_MAX) return false
    this.partialBytes += bytes
    return true
  }

  release(bytes: number): void {
    this.partialBytes -= bytes
  }

  /** Settles when nothing is under way. */
  async idle(): Promise<void> {
    if (this.inFlight === 0) return
    await new Promise<void>((resolve) => {
      this.whenIdle = resolve
    })
  }
}
