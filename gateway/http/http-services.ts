/**
 * What every HTTP call shares: ports, bounds, meters, the log. One object a gateway.
 */
import type { Admission } from '../operations/admission.ts'
import type { CheckoutGuard } from '../guard/checkout-guard.ts'
import type { EventStreams } from '../events/event-streams.ts'
import type { Report } from '../operator/log.ts'
import type { OperationPorts } from '../operations/operations.ts'
import type { RequestIds } from './request-ids.ts'
import type { CheckoutScanner } from '../checkout/scan-checkout.ts'

export interface HttpServices {
  readonly ports: OperationPorts
  /** The same for a caller whose refusals are uniform. */
  readonly uniformPorts: OperationPorts
  readonly scanner: CheckoutScanner
  readonly admission: Admission
  readonly guard: CheckoutGuard
  /** null: there is no feed of events. */
  readonly streams: EventStreams | null
  readonly requestIds: RequestIds
  readonly report: Report
  /** Monotonic. */
  readonly nowMs: () => number
  /** Calls that take longer are logged. */
  readonly slowMs: number
  /** Answers close their connections from now on. */
  readonly isStopping: () => boolean
}
