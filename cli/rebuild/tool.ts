/**
 * What the tools over a data directory have in common: their flags, how they print, how they end.
 *
 *     0  fine        1  a divergence or damage, named        2  what was typed makes no sense
 *
 * With `--json` there is exactly one JSON value on standard output, also when something was found. Progress and sentences of
 * failure go to standard error.
 */
import type { Command } from 'commander'
import { configuration } from '../configuration.ts'
import { EXIT, type ExitCode, reportFailure } from '../ending.ts'
import { addSettingFlags, settingsOf } from '../setting-flags.ts'
import { JournalError } from '../../persistence/errors.ts'
import { type DataDirectory, openDataDirectory } from './data-directory.ts'
import { Divergence } from './divergence.ts'
import { UsageFault } from './positions.ts'

export type Flags = Readonly<Record<string, unknown>>

/** What a tool found: the same facts for programs and for people. */
export interface Finding {
  readonly exitCode: ExitCode
  readonly json: unknown
  readonly lines: readonly string[]
}

/** `--data-dir` and `--json`. */
export function toolCommand(program: Command, name: string, description: string): Command {
  return addSettingFlags(program.command(name).description(description), ['DATA_DIR']).option(
    '--json',
    'print one JSON value instead of sentences',
    false,
  )
}

export function directoryOf(flags: Flags): DataDirectory {
  return openDataDirectory(dataDirOf(flags))
}

function dataDirOf(flags: Flags): string {
  return configuration(settingsOf(process.env, flags)).dataDir
}

/** For options that may be given several times. */
export function gathered(value: string, before: readonly string[]): readonly string[] {
  return [...before, value]
}

/** Runs a tool, prints what it found, and sets the exit code of the process. */
export async function runTool(flags: Flags, tool: () => Finding | Promise<Finding>): Promise<void> {
  const isJson = flags['json'] === true
  try {
    const { exitCode, json, lines } = await tool()
    process.stdout.write(isJson ? `${JSON.stringify(json, null, 2)}\n` : lines.map((line) => `${line}\n`).join(''))
    process.exitCode = exitCode
  } catch (error) {
    process.exitCode = ended(error, isJson)
  }
}

function ended(error: unknown, isJson: boolean): ExitCode {
  const isUsage = error instanceof UsageFault
  if (isJson && !isUsage) process.stdout.write(`${JSON.stringify({ ok: false, fault: faultOf(error) }, null, 2)}\n`)
  const code = reportFailure(error)
  return isUsage ? EXIT.USAGE : code
}

/** A failure as data. */
function faultOf(error: unknown): Readonly<Record<string, unknown>> {
  const sentence = error instanceof Error ? error.message : String(error)
  if (error instanceof Divergence) {
    const { code, shard, seq, where } = error
    return { code, sentence, shard, seq, lane: where?.lane, segment: where?.segment, record: where?.record }
  }
  return { code: error instanceof JournalError ? error.code : 'FAILED', sentence, ...placeIn(sentence) }
}

/** Sentences of the journal name the place; programs get it as numbers. */
function placeIn(sentence: string): Readonly<Record<string, number>> {
  const place: Record<string, number> = {}
  for (const name of ['lane', 'segment', 'record', 'shard']) {
    const number = new RegExp(`\\b${name} (\\d+)`).exec(sentence)?.[1]
    if (number !== undefined) place[name] = Number(number)
  }
  return place
}
