/**
 * A counter that is not what its log makes, as an event of the feed and as a line of the log.
 */
import type { Logger } from 'pino'
import type { CounterDifference } from '../engine/shard/reconcile-compare.ts'
import type { EventFeed } from '../gateway/events/event-feed.ts'
import { formatId } from '../protocol/ids.ts'
import { campaignIndex, isCampaign } from '../protocol/ordinals.ts'

/** Members of the event, in their order; those that do not apply are left out. */
function differenceMembers(difference: CounterDifference): Readonly<Record<string, string | number>> {
  const { shard, seq, counter, ordinal, name, job, user, expected, seen } = difference
  return {
    counter,
    ...(ordinal === null || ordinal < 0 ? {} : namedRow(shard, ordinal, name)),
    ...(job === null ? {} : { jobId: formatId('job_', shard, job) }),
    ...(user === null ? {} : { userId: user }),
    expected,
    seen,
    position: `${shard}:${seq}`,
  }
}

function namedRow(shard: number, ordinal: number, name: string | null): Record<string, string> {
  const shown = name ?? ''
  if (isCampaign(ordinal)) return { campaignId: formatId('cmp_', shard, campaignIndex(ordinal)), name: shown }
  return { couponId: formatId('cpn_', shard, ordinal), code: shown }
}

/** Says it in the feed, where operators look, and in the log, which names no code and no user. */
export function tellDifference(difference: CounterDifference, feed: EventFeed, logger: Logger): void {
  const members = differenceMembers(difference)
  feed.tell('COUNTERS_DIFFERED', JSON.stringify(members).slice(1, -1))
  const { code: _, userId: __, ...shown } = members
  logger.error({ event: 'COUNTERS_DIFFERED', ...shown }, 'a counter is not what the log makes')
}
