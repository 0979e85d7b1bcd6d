/**
 * How a command ends badly: one sentence on standard error, so that the last line says what is wrong and what to do. The
 * stack is for those who ask for it with TEAROFF_LOG_LEVEL=debug or trace.
 */
import { inspect } from 'node:util'

export const EXIT = { OK: 0, FAILED: 1, USAGE: 2 } as const
export type ExitCode = (typeof EXIT)[keyof typeof EXIT]

const LEVELS_WITH_STACK = ['debug', 'trace']

/** Says why, and returns the exit code for it. `logLevel` is the one of the settings where they could be read. */
export function reportFailure(
  error: unknown,
  logLevel: string | undefined = process.env['TEAROFF_LOG_LEVEL'],
): ExitCode {
  if (logLevel !== undefined && LEVELS_WITH_STACK.includes(logLevel)) {
    process.stderr.write(`${error instanceof Error ? (error.stack ?? error.message) : inspect(error)}\n`)
  }
  process.stderr.write(`tearoff: ${sentenceOf(error)}\n`)
  return EXIT.FAILED
}

/** The message on one line. */
function sentenceOf(error: unknown): string {
  const message = error instanceof Error ? error.message : String(error)
  const line = message.trim().replaceAll(/\s*\n\s*/g, '; ')
  return line === '' ? 'it failed without a reason' : line
}
