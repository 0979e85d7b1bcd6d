/**
 * `tearoff replay`: its flags, and what it found in sentences.
 */
import type { Command } from 'commander'
import { type Replayed, replayDirectory } from './replay-directory.ts'
import { EXIT } from '../ending.ts'
import { cutOf } from '../rebuild/positions.ts'
import { ProgressLine } from '../rebuild/progress.ts'
import { directoryOf, type Finding, type Flags, gathered, runTool, toolCommand } from '../rebuild/tool.ts'

interface ReplayFlags extends Flags {
  readonly until: readonly string[]
  readonly untilTime?: string
  readonly coupon?: string
}

export function addReplayCommand(program: Command): void {
  toolCommand(program, 'replay', 'rebuild every shard from the log, and check whatever claims to know its state')
    .option('--until <shard:seq>', 'stop that shard after an event (repeatable)', gathered, [])
    .option('--until-time <time>', 'stop every shard after a time, like 2026-11-20T18:00:00Z')
    .option('--coupon <code>', 'tell the life of this coupon (code or id) or campaign (id)')
    .action(async (flags: ReplayFlags) => await runTool(flags, () => replay(flags)))
}

function replay(flags: ReplayFlags): Finding {
  const directory = directoryOf(flags)
  const cut = cutOf(flags.until, flags.untilTime, directory.deployment.shards)
  const progress = new ProgressLine('replaying the log')
  try {
    const replayed = replayDirectory(directory, {
      cut,
      coupon: flags.coupon ?? null,
      onProgress: (doneShare, events) => progress.show(doneShare, events, 'events'),
    })
    progress.end()
    return { exitCode: EXIT.OK, json: { ok: true, ...replayed }, lines: linesOf(replayed) }
  } finally {
    progress.end()
  }
}

function linesOf(replayed: Replayed): readonly string[] {
  const { events, entries, segments, snapshots, shards, life } = replayed
  const lines = (life ?? []).map(({ at, position, sentence }) => `${at}  ${position}  ${sentence}`)
  if (life !== null) return lines
  const coupons = shards.reduce((sum, shard) => sum + shard.coupons, 0)
  for (const { shard, seq, at, uses, reserved, coupons: own, campaigns, codes } of shards) {
    const bulk = campaigns + codes === 0 ? '' : ` ${campaigns} campaigns, ${codes} codes made in bulk,`
    lines.push(
      `shard ${shard}: ${seq} events until ${at ?? '-'}, ${own} coupons,${bulk} ${uses} uses, ${reserved} reserved`,
    )
  }
  lines.push(
    `replayed ${events} events of ${shards.length} shards (${segments} segments, ${entries} entries, ${coupons} coupons): check sums, chains, counters and ${snapshots} snapshots are as they have to be`,
  )
  return lines
}
