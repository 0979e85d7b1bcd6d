// The servers of the peers: a Redis or a PostgreSQL of its own in a folder of its own, reached by a Unix socket only, so
// that no port is taken and nobody else reaches them.
//
// Each is ended by its own id, in every way the bench can end: Redis as any other child, PostgreSQL by an immediate stop,
// because its processes are not all ours and have to be told by theirs. Their settings are what an expert would set, without
// giving up any durability: what is on is said in `settings` and printed with the figures.

import { spawn, spawnSync } from 'node:child_process'
import type { ChildProcess } from 'node:child_process'
import { chmodSync, chownSync, mkdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { performance } from 'node:perf_hooks'
import { setTimeout as pause } from 'node:timers/promises'
import pg from 'pg'
import { endChild, track } from '../children.ts'
import type { PeerBinaries } from './binaries.ts'
import { connectRedis } from './redis-connection.ts'

const READY_TIME_LIMIT_MS = 20_000
const READY_POLL_MS = 20
const STOP_GRACE_MS = 10_000
const LAST_WORDS_MAX = 4_000

/** `always`: every answer is flushed. `everysec`: Redis's default, for a counter that the database can rebuild. */
export type RedisFlush = 'always' | 'everysec'

export interface RedisServer {
  readonly socketPath: string
  readonly settings: string
  readonly stop: () => Promise<void>
}

export interface PostgresServer {
  /** The folder of its socket: what a client takes for a host. */
  readonly host: string
  readonly user: string
  readonly settings: string
  readonly stop: () => Promise<void>
}

export async function startRedis(binaries: PeerBinaries, folder: string, flush: RedisFlush): Promise<RedisServer> {
  mkdirSync(folder, { recursive: true })
  const socketPath = join(folder, 'redis.sock')
  // No snapshots and no rewrite of the log during the run: both would cost, and the run is too short to need them.
  const settings = ['--appendonly yes', `--appendfsync ${flush}`, '--auto-aof-rewrite-percentage 0']
  const options = ['--port 0', `--unixsocket ${socketPath}`, `--dir ${folder}`, '--daemonize no', ...settings]
  const child = track(
    spawn(binaries.redisServer, [...options.flatMap((option) => option.split(' ')), '--save', ''], {
      stdio: ['ignore', 'pipe', 'pipe'],
    }),
  )
  const lastWords = keepLastWords(child)
  try {
    await untilReady(child, async () => {
      const redis = await connectRedis(socketPath)
      await redis.send(['PING'])
      await redis.close()
    })
  } catch (cause) {
    await endChild(child, 'SIGKILL', 1_000)
    throw new Error(`Redis did not start: ${(cause as Error).message}\n${lastWords()}`, { cause })
  }
  return {
    socketPath,
    settings: settings.map((setting) => setting.slice(2)).join(', '),
    stop: async () => {
      await endChild(child, 'SIGTERM', STOP_GRACE_MS)
    },
  }
}

/** Everything durable stays as PostgreSQL has it by default; fsync and synchronous_commit are named to be seen. */
const POSTGRES_SETTINGS = [
  'fsync=on',
  'synchronous_commit=on',
  'full_page_writes=on',
  'shared_buffers=512MB',
  'wal_buffers=64MB',
  // No checkpoint falls into the run.
  'max_wal_size=4GB',
  'checkpoint_timeout=30min',
  'jit=off',
  'max_connections=100',
]

/** `folder` must lie where the user that the server runs as may go. */
export async function startPostgres(binaries: PeerBinaries, folder: string): Promise<PostgresServer> {
  const owner = databaseOwner()
  const dataDir = join(folder, 'data')
  mkdirSync(folder, { recursive: true })
  if (owner !== null) chownSync(folder, owner.uid, owner.gid)
  chmodSync(folder, 0o700)
  const identity = owner === null ? {} : { uid: owner.uid, gid: owner.gid }
  const user = 'bench'
  const made = spawnSync(
    binaries.initdb,
    ['--pgdata', dataDir, '--username', user, '--auth', 'trust', '--encoding', 'UTF8', '--no-locale', '--no-sync'],
    { encoding: 'utf8', cwd: folder, ...identity },
  )
  if (made.status !== 0) throw new Error(`initdb failed: ${made.error?.message ?? `${made.stdout}${made.stderr}`}`)
  const settings = [...POSTGRES_SETTINGS, 'listen_addresses=', `unix_socket_directories=${folder}`]
  const child = spawn(binaries.postgres, ['-D', dataDir, ...settings.flatMap((setting) => ['-c', setting])], {
    stdio: ['ignore', 'pipe', 'pipe'],
    cwd: folder,
    ...identity,
  })
  const lastWords = keepLastWords(child)
  const endNow = (): void => {
    spawnSync(binaries.pgCtl, ['stop', '-D', dataDir, '-m', 'immediate', '-w', '-t', '5'], { cwd: folder, ...identity })
  }
  process.prependListener('exit', endNow)
  try {
    await untilReady(child, async () => {
      const client = new pg.Client({ host: folder, user, database: 'postgres' })
      client.on('error', () => {})
      await client.connect()
      await client.end()
    })
  } catch (cause) {
    endNow()
    process.off('exit', endNow)
    throw new Error(`PostgreSQL did not start: ${(cause as Error).message}\n${lastWords()}`, { cause })
  }
  return {
    host: folder,
    user,
    settings: POSTGRES_SETTINGS.join(', '),
    stop: async () => {
      // SIGINT is its fast stop: open transactions are broken off, everything committed stays.
      await endChild(child, 'SIGINT', STOP_GRACE_MS)
      process.off('exit', endNow)
    },
  }
}

/** PostgreSQL refuses to run as root; then it runs as a user that is there for such things. null: as ourselves. */
function databaseOwner(): { uid: number; gid: number } | null {
  if (process.getuid?.() !== 0) return null
  const users = readFileSync('/etc/passwd', 'utf8').split('\n')
  for (const name of ['postgres', 'nobody']) {
    const [, , uid, gid] = users.find((line) => line.startsWith(`${name}:`))?.split(':') ?? []
    if (uid !== undefined && gid !== undefined) return { uid: Number(uid), gid: Number(gid) }
  }
  throw new Error('PostgreSQL does not run as root, and there is no user postgres or nobody to run it as')
}

async function untilReady(child: ChildProcess, probe: () => Promise<void>): Promise<void> {
  const failures: Error[] = []
  child.once('error', (error) => failures.push(error))
  const deadlineMs = performance.now() + READY_TIME_LIMIT_MS
  for (;;) {
    const [failure] = failures
    if (failure !== undefined) throw failure
    if (child.exitCode !== null || child.signalCode !== null) {
      throw new Error(`it ended with ${child.exitCode ?? child.signalCode}`)
    }
    try {
      await probe()
      return
    } catch (cause) {
      if (performance.now() > deadlineMs) throw new Error(`not ready within ${READY_TIME_LIMIT_MS} ms`, { cause })
    }
    await pause(READY_POLL_MS)
  }
}

function keepLastWords(child: ChildProcess): () => string {
  let words = ''
  const keep = (chunk: Buffer): void => {
    words = (words + chunk.toString()).slice(-LAST_WORDS_MAX)
  }
  child.stdout?.on('data', keep)
  child.stderr?.on('data', keep)
  return () => words
}
