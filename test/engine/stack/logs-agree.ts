/**
 * Whether the logs of all shards agree: what a coordinator decided is what every other shard of the call has logged, nobody
 * logged what nobody decided, and at the end nothing is left half done. A sentence for every fault.
 */
import { EVENT, type Redeemed, type RedemptionReversed, type Reserved } from '../../../protocol/events.ts'
import { partOf, type ShardLog } from './log-judge.ts'

/** Faults of all logs. `isSettled`: everything was delivered, so every decision has reached every shard. */
export function faultsOf(logs: readonly ShardLog[], isSettled: boolean): string[] {
  const faults = logs.flatMap((log) => log.faults)
  const byShard = new Map(logs.map((log) => [log.shard, log]))
  for (const log of logs) {
    for (const { seq, event } of log.decisions) {
      faults.push(...faultsOfDecision(log, seq, event, byShard, isSettled))
    }
    for (const [name, { said }] of log.shares) {
      const owner = byShard.get(Number(name.split(':')[0])) as ShardLog
      const there = owner.shares.get(name)?.said
      if (owner !== log && said !== 'aborted' && there !== said) {
        faults.push(`shard ${log.shard}: ${name} was ${said}, its coordinator says ${there}`)
      }
    }
    if (!isSettled) continue
    for (const name of log.undecided.keys()) faults.push(`shard ${log.shard}: ${name} is undecided at the end`)
    for (const [name, taken] of log.taken) {
      if (taken.txn === null) continue
      const owner = byShard.get(Number(name.split(':')[0])) as ShardLog
      const there = owner.taken.get(name)
      if (there === undefined) faults.push(`shard ${log.shard}: ${name} is held, and its coordinator has let go of it`)
      else if (there.untilMs !== taken.untilMs) {
        faults.push(`shard ${log.shard}: ${name} lasts until ${taken.untilMs}, on its coordinator ${there.untilMs}`)
      }
    }
  }
  return faults
}

function faultsOfDecision(
  log: ShardLog,
  seq: number,
  event: Reserved | Redeemed | RedemptionReversed,
  byShard: ReadonlyMap<number, ShardLog>,
  isSettled: boolean,
): string[] {
  const faults: string[] = []
  if (event.type === EVENT.REDEMPTION_REVERSED) {
    const id = `${log.shard}:${event.redemptionSeq}`
    for (const shard of event.stack?.shards ?? []) {
      const there = byShard.get(shard)?.reversals.get(id)
      if (there === undefined && !isSettled) continue
      if (there?.said !== `${event.reason}, ${event.returnUse}`)
        faults.push(`shard ${shard}: ${id} is reversed ${there?.said}`)
    }
    return faults
  }
  const { stack } = event
  // Where only a day was counted elsewhere, days are compared at the end.
  if (stack === null) return faults
  const name = `${log.shard}:${stack.txnSeq}`
  const said = log.shares.get(name)?.said
  for (const shard of new Set([...stack.coupons, ...(stack.campaigns ?? [])].map((one) => one.shard))) {
    const there = byShard.get(shard) as ShardLog
    const share = there.shares.get(name)
    if (share === undefined && !isSettled) {
      if (!there.undecided.has(name)) faults.push(`shard ${shard}: ${name} was decided and never prepared there`)
      continue
    }
    const mine = stack.coupons.filter((coupon) => coupon.shard === shard)
    const part = partOf(event, shard)
    const ordinals = part.ordinals.join()
    if (share?.said !== said) faults.push(`shard ${shard}: ${name} is ${share?.said}, was decided at ${seq} as ${said}`)
    else if (share?.ordinals.join() !== ordinals)
      faults.push(`shard ${shard}: ${name} has ${share?.ordinals.join()}, not ${ordinals}`)
    if (event.type === EVENT.REDEEMED) {
      const amounts = part.amounts.join()
      if (share?.amounts?.join() !== amounts)
        faults.push(`shard ${shard}: ${name} gave ${share?.amounts?.join()}, not ${amounts}`)
    }
    for (const { ordinal, code } of mine) {
      if (there.coupons[ordinal]?.definition.code !== code) faults.push(`shard ${shard}: ${ordinal} is not ${code}`)
    }
    const released = there.releases.get(name)
    const decided = log.releases.get(name)
    if (released !== decided && (isSettled || released !== undefined)) {
      faults.push(`shard ${shard}: ${name} was released by ${released}, on its coordinator by ${decided}`)
    }
  }
  return faults
}
