/**
 * What `/metrics` shows: calls (see `meters.ts`), what is under way, the process, and the size of every shard, asked for at
 * the moment of the scrape. A shard that answers late is left out of that scrape, never shown with an old figure.
 */
import { collectDefaultMetrics, Counter, Gauge, Registry } from 'prom-client'
import type { CheckoutGuard } from '../guard/checkout-guard.ts'
import { DESCRIBE_SHARDS_MS_MAX } from '../limits.ts'
import { metersText, type RouteMeter } from './meters.ts'
import type { EventFeed } from '../events/event-feed.ts'
import type { EngineHealth } from './health.ts'
import type { ReadModel } from '../lists/read-model.ts'
import type { SearchPort } from '../lists/search-port.ts'
import { type ReplyHandler, SETTLED, type Settled, type ShardTransport } from '../../engine/transport/port.ts'
import { type ByteReader, ByteWriter } from '../../protocol/bytes.ts'
import { writeCommand } from '../../protocol/command-codec.ts'
import { COMMAND } from '../../protocol/commands.ts'
import { readOutcome, readPosition } from '../../protocol/outcome-codec.ts'
import { OUTCOME, type ShardOutcome } from '../../protocol/outcomes.ts'

export const METRICS_CONTENT_TYPE = 'text/plain; version=0.0.4; charset=utf-8'

export class Metrics {
  /** Others may register here what they own. */
  readonly registry = new Registry()
  private readonly transport: ShardTransport
  private readonly meters: readonly RouteMeter[]
  private readonly shardGauges: readonly ShardGauge[]

  constructor(transport: ShardTransport, meters: readonly RouteMeter[], httpInFlight: () => number) {
    this.transport = transport
    this.meters = meters
    const { registry } = this
    collectDefaultMetrics({ register: registry })
    gauge(registry, 'tearoff_http_in_flight', 'HTTP calls that wait for an answer.', httpInFlight)
    gauge(registry, 'tearoff_shard_calls_in_flight', 'Commands that wait for a shard.', () => transport.inFlight)
    this.shardGauges = SHARD_FIGURES.map((figure) => new ShardGauge(registry, figure))
  }

  /** How far lists are behind the log; no number while the read model does not run. */
  showLag(readModel: ReadModel): void {
    gauge(this.registry, 'tearoff_read_model_lag_seconds', 'How far lists are behind the log.', () => {
      return seconds(readModel.lagMs())
    })
  }

  showSearch(search: SearchPort): void {
    gauge(this.registry, 'tearoff_search_index_bytes', 'Bytes of the index of the search that are in use.', () => {
      return search.indexBytes()
    })
  }

  showSnapshots(health: EngineHealth): void {
    const { registry } = this
    gauge(registry, 'tearoff_snapshot_timestamp_seconds', 'When the newest snapshots were made.', () =>
      seconds(health.snapshots().madeAtMs),
    )
    gauge(registry, 'tearoff_snapshot_events_behind', 'Events that a start would replay.', () => {
      return health.snapshots().eventsBehind
    })
    gauge(registry, 'tearoff_archive_bytes', 'Bytes of archived segments.', () => {
      return health.snapshots().archiveBytes ?? Number.NaN
    })
  }

  /** Labels name quotas and kinds, never a user or an address. */
  showGuard({ limits, guessing }: CheckoutGuard): void {
    const { registry } = this
    counter(registry, 'tearoff_wrong_codes_total', 'Codes of checkout calls that do not exist.', [], () => [
      [{}, guessing.wrongCodes],
    ])
    counter(registry, 'tearoff_guessing_total', 'Users and addresses found guessing codes.', ['by'], () =>
      Object.entries(guessing.found).map(([by, count]) => [{ by }, count]),
    )
    if (limits === null) return
    counter(registry, 'tearoff_rate_limited_total', 'Calls refused by a quota.', ['quota'], () =>
      [...limits.refused].map(([quota, count]) => [{ quota }, count]),
    )
  }

  showEvents(feed: EventFeed): void {
    counter(this.registry, 'tearoff_events_total', 'Events found for the feed since the start.', ['type'], () =>
      [...feed.counts].map(([type, count]) => [{ type }, count]),
    )
  }

  showReconciliation(health: EngineHealth): void {
    const { registry } = this
    gauge(registry, 'tearoff_reconcile_timestamp_seconds', 'When counters were last compared with the log.', () =>
      seconds(health.reconciliation().endedAtMs),
    )
    gauge(registry, 'tearoff_reconcile_rounds_for_all', 'Rounds of comparison that see every counter.', () => {
      return health.reconciliation().roundsForAll ?? Number.NaN
    })
    counter(registry, 'tearoff_reconcile_counters_total', 'Counters compared with the log.', [], () => [
      [{}, health.reconciliation().countersCompared],
    ])
    counter(registry, 'tearoff_counter_differences_total', 'Counters that were not what the log makes.', [], () => [
      [{}, health.reconciliation().differences],
    ])
    gauge(registry, 'tearoff_counter_difference_timestamp_seconds', 'When the last of them was found.', () =>
      seconds(health.reconciliation().lastDifferenceAtMs),
    )
  }

  async text(): Promise<string> {
    const shards = await describeShards(this.transport)
    for (const shardGauge of this.shardGauges) shardGauge.show(shards)
    return metersText(this.meters) + (await this.registry.metrics())
  }
}

function seconds(ms: number | null): number {
  return ms === null ? Number.NaN : ms / 1_000
}

function gauge(registry: Registry, name: string, help: string, read: () => number): void {
  const made = new Gauge({
    name,
    help,
    registers: [registry],
    collect() {
      made.set(read())
    },
  })
}

/** A counter that somebody else counts. */
function counter(
  registry: Registry,
  name: string,
  help: string,
  labelNames: readonly string[],
  read: () => readonly (readonly [Record<string, string>, number])[],
): void {
  const made = new Counter({
    name,
    help,
    labelNames,
    registers: [registry],
    collect() {
      made.reset()
      for (const [labels, count] of read()) made.inc(labels, count)
    },
  })
}

interface ShardFigure {
  readonly name: string
  readonly help: string
  readonly of: (shard: ShardOutcome) => number
}

const SHARD_FIGURES: readonly ShardFigure[] = [
  { name: 'tearoff_shard_coupons', help: 'Coupons of a shard.', of: (shard) => shard.coupons },
  { name: 'tearoff_shard_user_counters', help: 'Counters of users on coupons.', of: (shard) => shard.userCounters },
  { name: 'tearoff_shard_orders', help: 'Order records that a shard remembers.', of: (shard) => shard.orders },
  {
    name: 'tearoff_shard_reservations',
    help: 'Reservations that a shard remembers.',
    of: (shard) => shard.reservations,
  },
  {
    name: 'tearoff_state_bytes',
    help: 'Bytes of the tables of a shard, as allocated.',
    of: (shard) => shard.stateBytes,
  },
]

class ShardGauge {
  private readonly gauge: Gauge<'shard'>
  private readonly figure: ShardFigure

  constructor(registry: Registry, figure: ShardFigure) {
    this.figure = figure
    this.gauge = new Gauge({ name: figure.name, help: figure.help, labelNames: ['shard'], registers: [registry] })
  }

  show(shards: ReadonlyMap<number, ShardOutcome>): void {
    this.gauge.reset()
    for (const [shard, outcome] of shards) this.gauge.set({ shard: String(shard) }, this.figure.of(outcome))
  }
}

class Described implements ReplyHandler {
  private readonly settle: (outcome: ShardOutcome | null) => void

  constructor(settle: (outcome: ShardOutcome | null) => void) {
    this.settle = settle
  }

  settled(kind: Settled, reply: ByteReader): void {
    if (kind !== SETTLED.ANSWERED) {
      this.settle(null)
      return
    }
    readPosition(reply)
    const outcome = readOutcome(reply)
    this.settle(outcome.type === OUTCOME.SHARD ? outcome : null)
  }
}

/** The sizes of all shards that answer in time. */
async function describeShards(transport: ShardTransport): Promise<Map<number, ShardOutcome>> {
  const writer = new ByteWriter(16)
  writeCommand(writer, { type: COMMAND.DESCRIBE_SHARD })
  const found = new Map<number, ShardOutcome>()
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<void>((resolve) => {
    timer = setTimeout(resolve, DESCRIBE_SHARDS_MS_MAX)
  })
  const asked: Promise<void>[] = []
  for (let shard = 0; shard < transport.shards; shard++) {
    asked.push(
      new Promise<void>((resolve) => {
        const described = new Described((outcome) => {
          if (outcome !== null) found.set(shard, outcome)
          resolve()
        })
        transport.call(shard, writer.buf, writer.pos, described)
      }),
    )
  }
  await Promise.race([Promise.all(asked), late])
  clearTimeout(timer)
  return new Map(found)
}
