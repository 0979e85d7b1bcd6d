/**
 * `tearoff keys`: makes, lists and revokes API keys. It touches nothing but the file of keys in the data directory, so it
 * works beside a running server, which notices within a second.
 *
 * Standard output carries the key or the table alone, so that both can be piped; what is said about it goes to standard error.
 */
import { randomBytes } from 'node:crypto'
import { type Command, Option } from 'commander'
import { type Role, ROLES } from '../gateway/access/authenticate.ts'
import { createKey, KEYS_RELOAD_MS, type KeyListing, listKeys, revokeKey } from '../gateway/access/keys.ts'
import { configuration } from './configuration.ts'
import { addSettingFlags, settingsOf } from './setting-flags.ts'

interface CreateFlags extends Record<string, unknown> {
  readonly role: Role
  readonly name: string
}

export function addKeysCommand(program: Command): void {
  const keys = program.command('keys').description('make, list and revoke API keys')
  withDataDir(keys.command('create').description('make a key and print it, this once'))
    .addOption(new Option('--role <role>', 'what it may do').choices([...ROLES]).makeOptionMandatory())
    .requiredOption('--name <name>', 'who uses it; unique among valid keys')
    .action((flags: CreateFlags) => create(flags))
  withDataDir(keys.command('list').description('show all keys, without their secrets')).action(
    (flags: Record<string, unknown>) => list(dataDirOf(flags)),
  )
  withDataDir(
    keys
      .command('revoke')
      .description('end a key for ever')
      .argument('<name>', 'its name, or its id as the list shows it'),
  ).action((name: string, flags: Record<string, unknown>) => revoke(dataDirOf(flags), name))
}

function withDataDir(command: Command): Command {
  return addSettingFlags(command, ['DATA_DIR'])
}

function dataDirOf(flags: Readonly<Record<string, unknown>>): string {
  return configuration(settingsOf(process.env, flags)).dataDir
}

function create(flags: CreateFlags): void {
  const dataDir = dataDirOf(flags)
  const key = createKey(dataDir, { role: flags.role, name: flags.name }, randomBytes, Date.now)
  process.stdout.write(`${key}\n`)
  process.stderr.write(
    `Keep it now: only its hash is stored, in ${dataDir}. Send it as "Authorization: Bearer <key>".\n`,
  )
}

function list(dataDir: string): void {
  const keys = listKeys(dataDir)
  if (keys.length === 0) process.stderr.write(`there are no keys in ${dataDir}\n`)
  else process.stdout.write(tableOf(keys))
}

function revoke(dataDir: string, name: string): void {
  const revoked = revokeKey(dataDir, name, Date.now)
  process.stdout.write(
    `${revoked.keyId} (${revoked.role}, "${revoked.name}") is revoked; a running server refuses it within ${KEYS_RELOAD_MS / 1_000} s\n`,
  )
}

function tableOf(keys: readonly KeyListing[]): string {
  const rows = [
    ['KEY', 'ROLE', 'NAME', 'CREATED', 'REVOKED'],
    ...keys.map(({ keyId, role, name, createdAt, revokedAt }) => [keyId, role, name, createdAt, revokedAt ?? '-']),
  ]
  const widths = rows[0]?.map((_, column) => Math.max(...rows.map((row) => row[column]?.length ?? 0))) ?? []
  const lines = rows.map((row) => row.map((cell, column) => cell.padEnd(widths[column] ?? 0)).join('  '))
  return lines.map((line) => `${line.trimEnd()}\n`).join('')
}
