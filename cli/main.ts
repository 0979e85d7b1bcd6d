#!/usr/bin/env node
/**
 * The command line: what there is to type, and how every command ends.
 *
 *     tearoff serve                         the coupon engine with its gateway
 *     tearoff gateway                       HTTP and WebSocket without shards, over NATS to their owner
 *     tearoff keys create | list | revoke   API keys
 *     tearoff demo                          a flash sale on this machine, and the proof of its outcome
 *     tearoff replay | verify | inspect     rebuild from the log and check; hold a server against it; look into it
 *     tearoff why                           decide a past request again
 *     tearoff import                        coupons from a file, through a running server
 *     tearoff generate | export             codes of a campaign: made, and written as CSV
 *     tearoff backup | restore              copy the log of a running server; make a data directory of a copy
 *     tearoff read-model rebuild            the database behind lists, made anew from the log
 *
 * Settings come from the environment, flags of the same names win. A failure is one sentence on standard error: exit code 1,
 * or 2 when what was typed makes no sense. Nothing is decided here; commands live in files of their own.
 */
import { Command, CommanderError } from 'commander'
import { addBackupCommands } from './backup/command.ts'
import { addDemoCommand } from './demo/command.ts'
import { GATEWAY_SETTINGS, runGateway } from './cluster/gateway.ts'
import { EXIT, reportFailure } from './ending.ts'
import { addExportCommand } from './export/command.ts'
import { addGenerateCommand } from './generate/command.ts'
import { addImportCommand } from './import/command.ts'
import { addInspectCommand } from './inspect/command.ts'
import { addKeysCommand } from './keys.ts'
import { addReadModelCommand } from './read-model/command.ts'
import { addReplayCommand } from './replay/command.ts'
import { serve } from './serve.ts'
import { addSettingFlags, settingsOf } from './setting-flags.ts'
import { addVerifyCommand } from './verify/command.ts'
import { packageVersion } from './version.ts'
import { addWhyCommand } from './why/command.ts'

/** Every command, ready to parse. Throws CommanderError instead of ending the process. */
function program(): Command {
  const tearoff = new Command('tearoff')
    .description('An exact, fast and replayable coupon engine.')
    .version(packageVersion())
    .exitOverride()
    // A flag belongs to the command it stands behind: `demo sale --keep` is not `demo --keep`.
    .enablePositionalOptions()
    .showHelpAfterError('(tearoff --help shows what there is)')
  addSettingFlags(tearoff.command('serve').description('run the engine and its HTTP and WebSocket gateway')).action(
    async (flags: Record<string, string>) => await serve(settingsOf(process.env, flags)),
  )
  addSettingFlags(
    tearoff.command('gateway').description('run a gateway without shards; NATS takes its calls to their owner'),
    GATEWAY_SETTINGS,
  ).action(async (flags: Record<string, string>) => await runGateway(settingsOf(process.env, flags)))
  addKeysCommand(tearoff)
  addDemoCommand(tearoff)
  addImportCommand(tearoff)
  addGenerateCommand(tearoff)
  addExportCommand(tearoff)
  addBackupCommands(tearoff)
  addReplayCommand(tearoff)
  addReadModelCommand(tearoff)
  addVerifyCommand(tearoff)
  addInspectCommand(tearoff)
  addWhyCommand(tearoff)
  return tearoff
}

try {
  await program().parseAsync()
} catch (error) {
  // Commander has said what was wrong, or printed the help that was asked for.
  if (error instanceof CommanderError) process.exitCode = error.exitCode === 0 ? EXIT.OK : EXIT.USAGE
  else process.exitCode = reportFailure(error)
}
