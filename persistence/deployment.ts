/**
 * What is fixed when a deployment is made: the number of shards, the version of the hash that routes codes, and the
 * secret that keys it. Every code and every user key was placed by these, so they can never change under a log, and a
 * single wrong bit in the secret would make all codes unknown: hence the check sum, and a sentence instead of a guess.
 */

import { createHash } from 'node:crypto'
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { makeDirectoryDurably, writeFileDurably } from './durable-file.ts'
import { JournalError } from './errors.ts'

export const DEPLOYMENT_FILE = 'deployment.json'
export const LANES_DIRECTORY = 'lanes'
/** Segments that no start needs to read any more; may be a link to another disk. */
export const ARCHIVE_DIRECTORY = 'archive'
const FORMAT_VERSION = 1
const SECRET_BYTES = 32
const SHARDS_MAX = 1_024

export interface Deployment {
  readonly formatVersion: 1
  /** A power of two, 1 to 1,024. */
  readonly shards: number
  readonly hashVersion: 1
  /** 32 bytes; keys the hashes of codes and users. Never logged, never shown. */
  readonly secret: Uint8Array
  readonly createdAtMs: number
}

/**
 * Reads the deployment of a data directory, or makes it. Throws `DEPLOYMENT_MISMATCH` when it has another number of
 * shards than wanted, `JOURNAL_NEWER_FORMAT` when a later version made it, `JOURNAL_DAMAGED` when its file is broken or
 * missing beside a log. `random` gives that many unpredictable bytes.
 */
export function openOrCreateDeployment(
  dataDir: string,
  wanted: { readonly shards: number },
  now: () => number,
  random: (byteCount: number) => Uint8Array,
): Deployment {
  const { shards } = wanted
  if (!Number.isInteger(shards) || shards < 1 || shards > SHARDS_MAX || (shards & (shards - 1)) !== 0) {
    throw new JournalError(
      'DEPLOYMENT_MISMATCH',
      `the number of shards must be a power of two from 1 to 1,024, not ${shards}`,
    )
  }
  const path = join(dataDir, DEPLOYMENT_FILE)
  if (existsSync(path)) return checkedAgainst(readDeployment(dataDir), shards, path)
  if (existsSync(join(dataDir, LANES_DIRECTORY)) || existsSync(join(dataDir, ARCHIVE_DIRECTORY))) {
    throw new JournalError(
      'JOURNAL_DAMAGED',
      `${dataDir} holds a log but no ${DEPLOYMENT_FILE}: put that file back from a backup, the log cannot be read without it`,
    )
  }
  const secret = Uint8Array.from(random(SECRET_BYTES))
  if (secret.length !== SECRET_BYTES) throw new RangeError(`a secret has ${SECRET_BYTES} bytes`)
  const deployment: Deployment = { formatVersion: 1, shards, hashVersion: 1, secret, createdAtMs: now() }
  makeDirectoryDurably(dataDir)
  writeFileDurably(path, deploymentText(deployment), 0o600)
  makeDirectoryDurably(join(dataDir, LANES_DIRECTORY))
  return deployment
}

/** Reads the deployment of a data directory that has one; same errors. */
export function readDeployment(dataDir: string): Deployment {
  const path = join(dataDir, DEPLOYMENT_FILE)
  const broken = (cause?: unknown) =>
    new JournalError(
      'JOURNAL_DAMAGED',
      `${path} is damaged: put it back from a backup, nothing can be read without it`,
      {
        cause,
      },
    )
  try {
    return parseDeployment(readFileSync(path, 'utf8'), path, broken)
  } catch (cause) {
    throw cause instanceof JournalError ? cause : broken(cause)
  }
}

/** A deployment that another machine has made, for a data directory that has none. Same errors. */
export function adoptDeployment(dataDir: string, text: string, from: string): Deployment {
  const broken = (): JournalError => new JournalError('JOURNAL_DAMAGED', `${from} is damaged`)
  const deployment = parseDeployment(text, from, broken)
  makeDirectoryDurably(dataDir)
  writeFileDurably(join(dataDir, DEPLOYMENT_FILE), text, 0o600)
  makeDirectoryDurably(join(dataDir, LANES_DIRECTORY))
  return deployment
}

function parseDeployment(text: string, path: string, broken: () => JournalError): Deployment {
  const fields = JSON.parse(text) as Record<string, unknown>
  const { formatVersion, shards, hashVersion, secret, createdAtMs, checkSum } = fields
  if (
    (typeof formatVersion === 'number' && formatVersion > FORMAT_VERSION) ||
    (typeof hashVersion === 'number' && hashVersion > 1)
  ) {
    throw new JournalError(
      'JOURNAL_NEWER_FORMAT',
      `${path} was made by a later version of Tearoff (format ${String(formatVersion)}, hash ${String(hashVersion)}): start that version`,
    )
  }
  if (
    formatVersion !== 1 ||
    hashVersion !== 1 ||
    typeof shards !== 'number' ||
    typeof createdAtMs !== 'number' ||
    typeof secret !== 'string' ||
    !/^[0-9a-f]{64}$/.test(secret)
  ) {
    throw broken()
  }
  const deployment: Deployment = {
    formatVersion,
    shards,
    hashVersion,
    secret: Uint8Array.from(Buffer.from(secret, 'hex')),
    createdAtMs,
  }
  if (checkSum !== checkSumOf(deployment)) throw broken()
  return deployment
}

function checkedAgainst(deployment: Deployment, shards: number, path: string): Deployment {
  if (deployment.shards === shards) return deployment
  throw new JournalError(
    'DEPLOYMENT_MISMATCH',
    `${path} was made with ${deployment.shards} shards and ${shards} are asked for: the number is fixed when a deployment is made, so start with ${deployment.shards}`,
  )
}

/** As it lies in the file. */
export function deploymentText(deployment: Deployment): string {
  const fields = {
    formatVersion: deployment.formatVersion,
    shards: deployment.shards,
    hashVersion: deployment.hashVersion,
    secret: Buffer.from(deployment.secret).toString('hex'),
    createdAtMs: deployment.createdAtMs,
    checkSum: checkSumOf(deployment),
  }
  return `${JSON.stringify(fields, null, 2)}\n`
}

function checkSumOf({ formatVersion, shards, hashVersion, secret, createdAtMs }: Deployment): string {
  return createHash('sha256')
    .update(`${formatVersion} ${shards} ${hashVersion} ${createdAtMs} `)
    .update(secret)
    .digest('hex')
    .slice(0, 16)
}
