/**
 * `tearoff read-model rebuild`: drops the database of lists and makes it anew from the log of a stopped directory.
 *
 * Seldom needed: a database that is missing or does not fit is rebuilt by the next start, while checkouts go on. Progress goes
 * to standard error, the result to standard output.
 */
import type { Command } from 'commander'
import { lockDirectory } from '../../persistence/directory-lock.ts'
import { rebuildReadModel } from '../../readmodel/rebuild.ts'
import { configuration } from '../configuration.ts'
import { addSettingFlags, settingsOf } from '../setting-flags.ts'

const REPORT_EVERY_MS = 1_000

interface RebuildFlags extends Record<string, unknown> {
  readonly json?: boolean
}

export function addReadModelCommand(program: Command): void {
  const readModel = program.command('read-model').description('the database behind lists and histories')
  addSettingFlags(
    readModel.command('rebuild').description('drop it and make it anew from the log; the server must be stopped'),
    ['DATA_DIR'],
  )
    .option('--json', 'the result as JSON')
    .action((flags: RebuildFlags) => rebuild(flags))
}

function rebuild(flags: RebuildFlags): void {
  const { dataDir } = configuration(settingsOf(process.env, flags))
  const lock = lockDirectory(dataDir)
  try {
    const startedMs = performance.now()
    let reportedMs = startedMs
    const events = rebuildReadModel(dataDir, (progress) => {
      const nowMs = performance.now()
      if (nowMs - reportedMs < REPORT_EVERY_MS) return
      reportedMs = nowMs
      const rate = Math.round(progress.events / ((nowMs - startedMs) / 1_000))
      const until = new Date(progress.asOfMs).toISOString()
      process.stderr.write(`${progress.events} events, ${rate} a second, up to ${until}\n`)
    })
    const elapsedMs = Math.round(performance.now() - startedMs)
    process.stdout.write(
      flags.json === true
        ? `${JSON.stringify({ events, elapsedMs })}\n`
        : `the read model is rebuilt from ${events} events in ${(elapsedMs / 1_000).toFixed(1)} s\n`,
    )
  } finally {
    lock.release()
  }
}
