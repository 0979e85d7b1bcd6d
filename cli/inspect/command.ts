/**
 * `tearoff inspect`: what is in a data directory, in tables or as JSON.
 */
import type { Command } from 'commander'
import { EXIT } from '../ending.ts'
import { shardPosition } from '../rebuild/positions.ts'
import { ProgressLine } from '../rebuild/progress.ts'
import type { LogProgress } from '../rebuild/read-log.ts'
import { directoryOf, type Finding, type Flags, runTool, toolCommand } from '../rebuild/tool.ts'
import { type ListedDirectory, listDirectory } from './list-directory.ts'
import { readContents, readCoupon, readEventAt, type ShardContents } from './read-contents.ts'

interface InspectFlags extends Flags {
  readonly shards: boolean
  readonly position?: string
  readonly code?: string
}

export function addInspectCommand(program: Command): void {
  toolCommand(program, 'inspect', 'show what is in a data directory')
    .option('--shards', 'read the whole log: positions, times and events of each shard', false)
    .option('--position <shard:seq>', 'show one event')
    .option('--code <code>', 'show one coupon (code or id) or campaign (id) as it stands')
    .action(async (flags: InspectFlags) => await runTool(flags, () => inspect(flags)))
}

function inspect(flags: InspectFlags): Finding {
  const directory = directoryOf(flags)
  const line = new ProgressLine('reading the log')
  const progress: LogProgress = (doneShare, events) => line.show(doneShare, events, 'events')
  try {
    if (flags.position !== undefined) {
      const event = readEventAt(directory, shardPosition(flags.position, directory.deployment.shards), progress)
      return { exitCode: EXIT.OK, json: event, lines: [JSON.stringify(event, null, 2)] }
    }
    if (flags.code !== undefined) {
      const coupon = readCoupon(directory, flags.code, Date.now(), progress)
      return { exitCode: EXIT.OK, json: coupon, lines: [JSON.stringify(coupon, null, 2)] }
    }
    const listed = listDirectory(directory)
    const contents = flags.shards ? readContents(directory, progress) : null
    const json = contents === null ? listed : { ...listed, shards: contents }
    return { exitCode: EXIT.OK, json, lines: [...directoryLines(listed), ...(contents ?? []).map(shardLine)] }
  } finally {
    line.end()
  }
}

function directoryLines({ dataDir, runningPid, deployment, segments, snapshots, bytes }: ListedDirectory): string[] {
  const runs = runningPid === null ? 'no server works on it' : `process ${runningPid} works on it`
  const { shards, createdAt, formatVersion, hashVersion } = deployment
  return [
    `${dataDir}: ${runs}`,
    `deployment of ${shards} shards, made ${createdAt} (format ${formatVersion}, hash ${hashVersion})`,
    ...segments.map(
      (each) =>
        `lane ${each.lane}, segment ${each.segment}: ${each.state}, ${each.records} records, ${sized(each.bytes)}`,
    ),
    ...snapshots.map(({ shard, seq, bytes: size }) => `snapshot of shard ${shard} after ${seq}: ${sized(size)}`),
    `${segments.length} segments and ${snapshots.length} snapshots, ${sized(bytes)}`,
  ]
}

function shardLine(contents: ShardContents): string {
  const { shard, lastSeq, firstAt, lastAt, entries, bytes, coupons, campaigns, codes, events } = contents
  const bulk = campaigns + codes === 0 ? '' : `, ${campaigns} campaigns, ${codes} codes made in bulk`
  const types = Object.entries(events).map(([name, count]) => `${count} ${name}`)
  return `shard ${shard}: ${lastSeq} events in ${entries} entries (${sized(bytes)}), ${firstAt} to ${lastAt}, ${coupons} coupons${bulk}: ${types.join(', ')}`
}

function sized(bytes: number): string {
  if (bytes < 1024 * 1024) return `${Math.ceil(bytes / 1024)} KiB`
  return `${(bytes / 1024 / 1024).toFixed(1)} MiB`
}
