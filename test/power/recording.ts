// A server whose disk is recorded: run under strace with a load on it, or started on a state of the disk and stopped again. What comes
// of it is the history of its data directory, and what its clients had been told by when.
//
// It runs under another boot id than the machine's, so that whoever opens a rebuilt state sees a machine that was restarted. The
// history is held against the directory as it was left, byte for byte: a call that the recorder does not know shows there.

import { cpSync, existsSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as wait } from 'node:timers/promises'
import { brotliCompressSync, brotliDecompressSync, constants } from 'node:zlib'
import { HttpClient } from '../support/http-client.ts'
import { PROJECT_ROOT } from '../support/project.ts'
import { SeededRandom } from '../support/seeded-random.ts'
import { type ServerOptions, type ServerProcess, startServer } from '../support/server-process.ts'
import { removeDirectory, temporaryDirectory } from '../support/temporary-directory.ts'
import { type Reply, repliesOf } from '../trace/replies.ts'
import { tracedCalls } from '../trace/strace-lines.ts'
import { DISK_CALLS, diskCalls } from './disk-calls.ts'
import { buildState } from './disk-states.ts'
import { type LogOutline, outlineOf } from './log-outline.ts'
import { type LoadSize, runLoad } from './power-load.ts'
import { RecordedDisk } from './recorded-disk.ts'

/** The data directory, below the root of the record. */
export const DATA = 'data'
/** Events after which snapshots are made, so that a short load sees several of them, and an archive. */
const SNAPSHOT_EVENTS = '150'
/** No write or reply is longer: a cut string would be an unknown byte. */
const STRING_BYTES_MAX = 8_388_608
/** Pages are written again and again, mostly as they were: a large window sees that. */
const COMPRESSION = { params: { [constants.BROTLI_PARAM_LGWIN]: 24, [constants.BROTLI_PARAM_QUALITY]: 10 } } as const
const LOOK_EVERY_MS = 10
/** Made up; in a recorded trace it stands for the machine's. */
const ROOT_OF_FILE = '/recorded'
const BOOT_IDS = ['0d15c0de-0000-4000-8000-000000000001', '0d15c0de-0000-4000-8000-000000000002'] as const

export interface Recording {
  readonly disk: RecordedDisk
  readonly replies: readonly Reply[]
  /** Lines of the trace. */
  readonly lines: number
  /** The log with everything in it. */
  readonly final: LogOutline
}

export interface RecordOptions {
  readonly size: LoadSize
  readonly settings?: Readonly<Record<string, string>>
  /** Of another build than the product's. */
  readonly entry?: string
  /** Where to keep the trace; it can be read again with `readRecording`. */
  readonly keepIn?: string
}

/** Records a server from the making of its data directory to its graceful end. */
export async function recordLoad({ size, settings = {}, entry, keepIn }: RecordOptions): Promise<Recording> {
  return await recorded(
    null,
    { settings: { SNAPSHOT_EVENTS, ...settings }, ...(entry === undefined ? {} : { entry }) },
    {
      work: async (server) => await runLoad(server, size),
      keepIn: keepIn ?? null,
    },
  )
}

/** Records a start on a state of the disk, all of which is taken for durable, and the stop behind it. */
export async function recordStart(
  state: string,
  options: Pick<ServerOptions, 'settings' | 'entry'> = {},
): Promise<Recording> {
  return await recorded(state, options, { work: listsAnswer, keepIn: null })
}

/** The databases beside the log are open, or made anew. */
async function listsAnswer({ port }: ServerProcess): Promise<void> {
  const http = new HttpClient(port, 1)
  for (const path of ['/v1/coupons?limit=1', '/v1/events?limit=1']) {
    while ((await http.get(path)).status === 503) await wait(LOOK_EVERY_MS)
  }
  http.close()
}

interface Work {
  readonly work: (server: ServerProcess) => Promise<void>
  readonly keepIn: string | null
}

async function recorded(
  initial: string | null,
  options: Pick<ServerOptions, 'settings' | 'entry'>,
  { work, keepIn }: Work,
): Promise<Recording> {
  const directory = temporaryDirectory('power')
  const tracePath = join(directory, 'trace')
  const root = join(directory, 'root')
  try {
    mkdirSync(root)
    if (initial !== null) cpSync(initial, root, { recursive: true })
    const before = temporaryCopy(initial)
    try {
      const server = await startServer({
        ...options,
        dataDir: join(root, DATA),
        wrap: tracer(tracePath),
        nodeOptions: ['--import', join(PROJECT_ROOT, 'dist/test/power/children/other-boot.js')],
        env: { OTHER_BOOT_ID: initial === null ? BOOT_IDS[0] : BOOT_IDS[1] },
      })
      try {
        await work(server)
        await server.stop()
      } finally {
        if (server.isRunning) await server.kill()
      }
      const trace = readFileSync(tracePath, 'latin1')
      const found = readTrace(trace, root, before, null)
      const difference = firstDifference(found.disk, root)
      if (difference !== null) throw new Error(`the recorder missed something: ${difference}`)
      if (keepIn !== null) writeFileSync(keepIn, brotliCompressSync(kept(trace, root), COMPRESSION))
      return found
    } finally {
      if (before !== null) removeDirectory(before)
    }
  } finally {
    removeDirectory(directory)
  }
}

/** A trace that was kept by `recordLoad`. `forgotten`: as if what was flushed of these paths had not been. */
export function readRecording(path: string, forgotten: RegExp | null = null): Recording {
  return readTrace(brotliDecompressSync(readFileSync(path)).toString('latin1'), ROOT_OF_FILE, null, forgotten)
}

function readTrace(trace: string, root: string, initial: string | null, forgotten: RegExp | null): Recording {
  const disk = new RecordedDisk(diskCalls(trace, root), initial, forgotten)
  const directory = temporaryDirectory('power-final')
  try {
    buildWhole(disk, directory)
    return {
      disk,
      replies: repliesOf(tracedCalls(trace)),
      lines: trace.split('\n').length,
      final: outlineOf(join(directory, DATA)),
    }
  } finally {
    removeDirectory(directory)
  }
}

function buildWhole(disk: RecordedDisk, to: string): void {
  const everything = { at: Infinity, files: 'kept', names: 'kept', sectorBytes: 4_096, mapped: 'zeros' } as const
  buildState(disk, everything, new SeededRandom(1), to)
}

/** Lines that somebody reads, without the place they were recorded in. */
function kept(trace: string, root: string): Buffer {
  const lines = trace
    .split('\n')
    .filter((line) => line.includes(root) || line.includes('<TCP:') || / resumed>/.test(line))
  return Buffer.from(lines.join('\n').replaceAll(root, ROOT_OF_FILE), 'latin1')
}

/** Between the whole history and the directory; what lies in memory files is not compared. */
function firstDifference(disk: RecordedDisk, root: string): string | null {
  const directory = temporaryDirectory('power-whole')
  try {
    buildWhole(disk, directory)
    const expected = filesIn(root)
    const found = filesIn(directory)
    for (const path of new Set([...expected, ...found])) {
      const [one, other] = [join(root, path), join(directory, path)]
      if (!existsSync(one)) return `${path} is gone`
      if (!existsSync(other)) return `${path} is not in the history`
      const isMapped = path.endsWith('-lock') || path.endsWith('-shm')
      if (!isMapped && !readFileSync(one).equals(readFileSync(other))) return `${path} has other bytes`
    }
    return null
  } finally {
    removeDirectory(directory)
  }
}

function filesIn(root: string): string[] {
  const paths = readdirSync(root, { recursive: true }).map(String)
  return paths.filter((path) => statSync(join(root, path)).isFile())
}

function temporaryCopy(initial: string | null): string | null {
  if (initial === null) return null
  const copy = temporaryDirectory('power-before')
  cpSync(initial, copy, { recursive: true })
  return copy
}

/** `-D`: the server stays our child, the tracer is its grandchild. */
function tracer(path: string): string[] {
  const calls = ['-e', 'signal=none', '-e', `trace=${DISK_CALLS}`, '-s', String(STRING_BYTES_MAX)]
  return ['strace', '-D', '-f', '--seccomp-bpf', '-qq', '-ttt', '-yy', ...calls, '-o', path]
}
