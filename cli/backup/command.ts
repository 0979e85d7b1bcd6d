/**
 * `tearoff backup` and `tearoff restore`: their flags, and what they did in sentences.
 */
import type { Command } from 'commander'
import { configuration } from '../configuration.ts'
import { EXIT } from '../ending.ts'
import { settingsOf } from '../setting-flags.ts'
import { cutOf } from '../rebuild/positions.ts'
import { withSteps } from '../rebuild/progress.ts'
import { serverCalls } from '../rebuild/server-calls.ts'
import { directoryOf, type Finding, type Flags, gathered, runTool, toolCommand } from '../rebuild/tool.ts'
import { barrierOf } from './barrier.ts'
import { makeBackup } from './make-backup.ts'
import { restore } from './restore.ts'

interface BackupFlags extends Flags {
  readonly to: string
  readonly url?: string
  readonly key?: string
}

interface RestoreFlags extends Flags {
  readonly from: string
  readonly to: string
  readonly until: readonly string[]
  readonly untilTime?: string
}

export function addBackupCommands(program: Command): void {
  toolCommand(program, 'backup', 'copy the log of a running or stopped server, up to one moment, and check the copy')
    .requiredOption('--to <folder>', 'where to: a new folder, or one with an earlier backup of the same deployment')
    .option('--url <url>', 'address of the server that runs on the directory (as HOST and PORT are set)')
    .option('--key <key>', 'an API key for it, of any role that reads coupons')
    .action(async (flags: BackupFlags) => await runTool(flags, async () => await backup(flags)))
  program
    .command('restore')
    .description('make a data directory of a backup, up to its end or any earlier time')
    .requiredOption('--from <folder>', 'the backup')
    .requiredOption('--to <folder>', 'the data directory to make: new, or empty')
    .option('--until <shard:seq>', 'leave out what a shard logged behind an event (repeatable)', gathered, [])
    .option('--until-time <time>', 'leave out what happened after a time, like 2026-11-20T18:00:00Z')
    .option('--json', 'print one JSON value instead of sentences', false)
    .action(async (flags: RestoreFlags) => await runTool(flags, async () => await restored(flags)))
}

async function backup(flags: BackupFlags): Promise<Finding> {
  const { host, port } = configuration(settingsOf(process.env, flags))
  const directory = directoryOf(flags)
  const server = serverCalls(
    flags.url ?? `http://${host.includes(':') ? `[${host}]` : host}:${port}`,
    flags.key ?? null,
  )
  return await withSteps(async (progress) => {
    const barrier = await barrierOf(directory, server)
    const made = await makeBackup(directory, barrier, flags.to, Date.now(), progress)
    const until = made.until === null ? 'all there is' : `until ${made.until}`
    const kept = made.keptFiles === 0 ? '' : `, ${made.keptFiles} segments of it from before`
    return {
      exitCode: EXIT.OK,
      json: { ok: true, to: flags.to, ...made },
      lines: [
        `backed up ${made.events} events of ${made.positions.length} shards, ${until}: ${made.files} files, ${made.bytes} bytes${kept}; read again and as it has to be`,
      ],
    }
  })
}

async function restored(flags: RestoreFlags): Promise<Finding> {
  return await withSteps(async (progress) => {
    const cut = ({ shards }: { readonly shards: number }) => cutOf(flags.until, flags.untilTime, shards)
    const made = await restore(flags.from, flags.to, cut, progress)
    const until = made.until === null ? '' : `, until ${made.until}`
    return {
      exitCode: EXIT.OK,
      json: { ok: true, to: flags.to, ...made },
      lines: [
        ...made.positions.map(({ shard, seq, at }) => `shard ${shard} ends at ${seq}, ${at}`),
        `restored ${made.events} events of ${made.positions.length} shards${until}; read again and as it has to be`,
      ],
    }
  })
}
