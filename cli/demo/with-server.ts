/**
 * What demos have in common: a server of their own on a temporary directory, which is removed whatever happens (unless it is to be
 * kept), and a proof, line by line.
 */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { shownCount } from './progress-bar.ts'
import { type DemoServer, startServer } from './server-process.ts'

/** Faults shown under a line of the proof. */
const FAULTS_SHOWN_MAX = 5

/** After a signal the server may still write for an instant while its directory is removed. */
const REMOVE_TRIES = 5
const REMOVE_WAIT_MS = 50

export async function withDemoServer(
  keep: boolean,
  play: (server: DemoServer, dataDir: string) => Promise<void>,
): Promise<void> {
  const dataDir = mkdtempSync(join(tmpdir(), 'tearoff-demo-'))
  const remove = (): void => {
    if (!keep) rmSync(dataDir, { recursive: true, force: true, maxRetries: REMOVE_TRIES, retryDelay: REMOVE_WAIT_MS })
  }
  const interrupted = (): never => process.exit(1)
  process.once('exit', remove)
  process.once('SIGINT', interrupted).once('SIGTERM', interrupted)
  try {
    const server = await startServer(dataDir)
    try {
      await play(server, dataDir)
    } finally {
      server.kill()
    }
  } finally {
    process.off('exit', remove)
    remove()
    say(keep ? `The log is kept in ${dataDir}` : 'The log is removed; --keep keeps it.')
  }
}

export interface ShownProof {
  readonly sentence: string
  /** What contradicts it; none: it is true. */
  readonly faults: readonly string[]
}

/** Throws when a line is not true. */
export function showProof(lines: readonly ShownProof[]): void {
  for (const { sentence, faults } of lines) {
    say(`  ${faults.length === 0 ? '✓' : '✗'} ${sentence}`)
    for (const fault of faults.slice(0, FAULTS_SHOWN_MAX)) say(`      ${fault}`)
    if (faults.length > FAULTS_SHOWN_MAX) say(`      and ${shownCount(faults.length - FAULTS_SHOWN_MAX)} more`)
  }
  if (lines.some(({ faults }) => faults.length > 0)) {
    throw new Error('the proof failed: the log contradicts what was promised')
  }
}

function say(line: string): void {
  process.stdout.write(`${line}\n`)
}
