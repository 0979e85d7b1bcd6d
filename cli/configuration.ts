/**
 * Configuration: the environment, and flags of the same names, which win. Everything is checked here, once; an unknown
 * TEAROFF_ name or a bad value stops the start with a sentence that says which and what is allowed.
 */
import { availableParallelism, totalmem } from 'node:os'
import type { Durability } from '../protocol/durability.ts'
import { CLUSTER_NAME } from '../engine/transport/nats/subjects.ts'

/** A wrong setting: the message is the sentence to print. */
class ConfigurationError extends Error {
  readonly code = 'BAD_CONFIGURATION'
  override readonly name = 'ConfigurationError'
}

export interface Configuration {
  readonly host: string
  readonly port: number
  readonly dataDir: string
  readonly workers: number
  readonly shards: number
  readonly durability: Durability
  readonly auth: boolean
  readonly rateLimits: boolean
  readonly uniformRefusals: boolean
  readonly orderWindowMs: number
  readonly orderBytesMax: number
  /** 0: never. */
  readonly snapshotEvents: number
  readonly snapshotEveryMs: number
  readonly logLevel: string
  /** null: one process, no bus. */
  readonly nats: NatsSettings | null
}

export interface NatsSettings {
  /** Servers, parted by commas. */
  readonly url: string
  readonly cluster: string
  /** Servers that keep each stream. */
  readonly replicas: number
}

const SHARDS_MAX = 1_024
const WORKERS_MAX = 64
const LOG_LEVELS = ['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent']

/** Share of this machine's memory for order records, over all shards. */
const ORDER_MEMORY_SHARE = 0.125

/** Retries come within seconds; a year is more than any shop asks for. */
const ORDER_WINDOW_MS_MIN = 60_000
const ORDER_WINDOW_MS_MAX = 366 * 24 * 3_600_000

/** Every setting: its environment name is TEAROFF_ and this, its flag the same in lower case with hyphens. */
export const SETTINGS = {
  HOST: 'address to listen on (127.0.0.1)',
  PORT: 'port to listen on, 0 for any free one (8080)',
  DATA_DIR: 'folder of the log (./data)',
  WORKERS: 'threads that own shards (cores - 1, at least 1); may change at any start',
  SHARDS: 'shards of a new deployment, a power of two up to 1,024 (16); fixed once it is made',
  DURABILITY: 'flush (on disk before the reply), replicated (and in NATS) or relaxed (flush within 50 ms)',
  NATS_URL: 'servers of NATS, nats://host:port or tls://host:port, several parted by commas (unset: one process)',
  STREAM_REPLICAS: 'servers of NATS that keep each stream, 1, 3 or 5 (1); fixed when the streams are made',
  CLUSTER: 'name of the cluster in NATS, small letters, digits and hyphens (tearoff)',
  AUTH: 'on, or off (allowed on a loopback address only, and the default there)',
  RATE_LIMITS: 'on, or off (the default on a loopback address only)',
  UNIFORM_REFUSALS: 'on, or off (off): callers of role checkout are told the same of all codes that cannot be used',
  ORDER_WINDOW_HOURS: 'how long orders are remembered in memory, fractions allowed, from a minute (168)',
  SNAPSHOT_EVENTS: 'new events after which snapshots are made, which keep starts short; 0 for never (1000000)',
  SNAPSHOT_MINUTES: 'minutes after which a hundredth of that is enough (60)',
  LOG_LEVEL: `one of ${LOG_LEVELS.join(', ')} (info)`,
} as const

export type SettingName = keyof typeof SETTINGS
export type Settings = Partial<Record<SettingName, string>>

const PREFIX = 'TEAROFF_'

/** The TEAROFF_ part of an environment; throws on a name that is none of ours. */
export function settingsOfEnvironment(environment: Readonly<Record<string, string | undefined>>): Settings {
  const settings: Settings = {}
  for (const [name, value] of Object.entries(environment)) {
    if (!name.startsWith(PREFIX) || value === undefined) continue
    const setting = name.slice(PREFIX.length)
    if (!(setting in SETTINGS)) {
      throw new ConfigurationError(
        `${name} is not a setting; there are ${Object.keys(SETTINGS)
          .map((known) => PREFIX + known)
          .join(', ')}`,
      )
    }
    settings[setting as SettingName] = value
  }
  return settings
}

export function configuration(settings: Settings): Configuration {
  const host = settings.HOST ?? '127.0.0.1'
  return {
    host,
    port: integer(settings, 'PORT', 8080, 0, 65_535),
    dataDir: settings.DATA_DIR ?? './data',
    workers: integer(settings, 'WORKERS', Math.max(1, availableParallelism() - 1), 1, WORKERS_MAX),
    shards: shardCount(settings),
    durability: choice(settings, 'DURABILITY', ['flush', 'relaxed', 'replicated'], 'flush') as Durability,
    auth: auth(settings, host),
    rateLimits: choice(settings, 'RATE_LIMITS', ['on', 'off'], isLoopback(host) ? 'off' : 'on') === 'on',
    uniformRefusals: choice(settings, 'UNIFORM_REFUSALS', ['on', 'off'], 'off') === 'on',
    orderWindowMs: orderWindowMs(settings),
    orderBytesMax: totalmem() * ORDER_MEMORY_SHARE,
    snapshotEvents: integer(settings, 'SNAPSHOT_EVENTS', 1_000_000, 0, 1_000_000_000),
    snapshotEveryMs: integer(settings, 'SNAPSHOT_MINUTES', 60, 1, 7 * 24 * 60) * 60_000,
    logLevel: choice(settings, 'LOG_LEVEL', LOG_LEVELS, 'info'),
    nats: nats(settings),
  }
}

function nats(settings: Settings): NatsSettings | null {
  const cluster = settings.CLUSTER ?? 'tearoff'
  if (!CLUSTER_NAME.test(cluster)) {
    throw new ConfigurationError(
      `TEAROFF_CLUSTER=${cluster}: the name of a cluster is up to 31 small letters, digits and hyphens, a letter first`,
    )
  }
  const replicas = choice(settings, 'STREAM_REPLICAS', ['1', '3', '5'], '1')
  const url = settings.NATS_URL ?? ''
  if (url === '') {
    if (settings.DURABILITY !== 'replicated') return null
    throw new ConfigurationError('TEAROFF_DURABILITY=replicated needs TEAROFF_NATS_URL, where the copies are to be')
  }
  for (const server of url.split(',')) {
    if (/^(nats|tls):\/\/\S+$/.test(server.trim())) continue
    throw new ConfigurationError(
      `TEAROFF_NATS_URL: ${withoutPassword(server.trim())} is no address of NATS; it is nats://host:port or tls://host:port`,
    )
  }
  return { url, cluster, replicas: Number(replicas) }
}

/** As it may be shown. */
function withoutPassword(url: string): string {
  return url.replace(/\/\/[^@/]*@/, '//…@')
}

function shardCount(settings: Settings): number {
  const shards = integer(settings, 'SHARDS', 16, 1, SHARDS_MAX)
  if ((shards & (shards - 1)) !== 0) {
    throw new ConfigurationError(`TEAROFF_SHARDS=${shards}: the number of shards is a power of two from 1 to 1,024`)
  }
  return shards
}

/** The one setting whose unit is too large for small windows. */
function orderWindowMs(settings: Settings): number {
  const text = settings.ORDER_WINDOW_HOURS ?? '168'
  const windowMs = Math.round(Number(text) * 3_600_000)
  if (!/^\d+(\.\d+)?$/.test(text) || windowMs < ORDER_WINDOW_MS_MIN || windowMs > ORDER_WINDOW_MS_MAX) {
    throw new ConfigurationError(
      `TEAROFF_ORDER_WINDOW_HOURS=${text} is not a number of hours from a minute (0.0167) to ${ORDER_WINDOW_MS_MAX / 3_600_000}`,
    )
  }
  return windowMs
}

function auth(settings: Settings, host: string): boolean {
  const loopback = isLoopback(host)
  const wanted = choice(settings, 'AUTH', ['on', 'off'], loopback ? 'off' : 'on')
  if (wanted === 'off' && !loopback) {
    throw new ConfigurationError(
      `TEAROFF_AUTH=off is allowed on a loopback address only, and ${host} can be reached from other machines; set it to on`,
    )
  }
  return wanted === 'on'
}

function isLoopback(host: string): boolean {
  return host === 'localhost' || host === '::1' || /^127\.\d{1,3}\.\d{1,3}\.\d{1,3}$/.test(host)
}

function integer(settings: Settings, name: SettingName, fallback: number, min: number, max: number): number {
  const text = settings[name]
  if (text === undefined) return fallback
  const value = Number(text)
  if (!/^\d+$/.test(text) || value < min || value > max) {
    throw new ConfigurationError(`${PREFIX}${name}=${text} is not a whole number from ${min} to ${max}`)
  }
  return value
}

function choice(settings: Settings, name: SettingName, choices: readonly string[], fallback: string): string {
  const text = settings[name] ?? fallback
  if (!choices.includes(text)) {
    throw new ConfigurationError(`${PREFIX}${name}=${text} is not one of ${choices.join(', ')}`)
  }
  return text
}
