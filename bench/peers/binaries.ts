// Where the servers of the peers are on this machine, and the sentence for when they are not.
//
// Distributions keep PostgreSQL's servers out of the path, one folder a version; the newest one is taken.

import { accessSync, constants, readdirSync } from 'node:fs'
import { delimiter, join } from 'node:path'

/** Where Debian and its relatives keep a version each: <root>/<version>/bin. */
const POSTGRES_ROOTS = ['/usr/lib/postgresql', '/usr/local/lib/postgresql', '/opt/postgresql']

/** Fedora, Alpine and others put them here or into the path. */
const PLAIN_FOLDERS = ['/usr/local/bin', '/usr/bin', '/usr/local/pgsql/bin']

export interface PeerBinaries {
  readonly redisServer: string
  readonly initdb: string
  readonly postgres: string
  readonly pgCtl: string
}

export interface Places {
  /** Folders to look in first, in order. */
  readonly folders: readonly string[]
  /** Folders with one folder a version of PostgreSQL. */
  readonly postgresRoots: readonly string[]
}

export function usualPlaces(path: string = process.env.PATH ?? ''): Places {
  const folders = path.split(delimiter).filter((folder) => folder !== '')
  return { folders: [...folders, ...PLAIN_FOLDERS], postgresRoots: POSTGRES_ROOTS }
}

export type Found = { readonly binaries: PeerBinaries } | { readonly missing: string }

/** All binaries, or one sentence that names what is missing and how to get it. */
export function findBinaries(places: Places = usualPlaces()): Found {
  const { folders } = places
  const versions = places.postgresRoots.flatMap(versionFolders)
  const redisServer = find('redis-server', folders)
  const initdb = find('initdb', [...versions, ...folders])
  const postgres = find('postgres', [...versions, ...folders])
  const pgCtl = find('pg_ctl', [...versions, ...folders])
  const packages = [
    ...(redisServer === null ? ['redis-server'] : []),
    ...(initdb === null || postgres === null || pgCtl === null ? ['postgresql'] : []),
  ]
  if (redisServer === null || initdb === null || postgres === null || pgCtl === null) {
    return { missing: installSentence(packages) }
  }
  return { binaries: { redisServer, initdb, postgres, pgCtl } }
}

function installSentence(packages: readonly string[]): string {
  const names = packages.join(' and ')
  const verb = packages.length === 1 ? 'is' : 'are'
  return (
    `${names} ${verb} not installed; on Debian or Ubuntu: apt-get install --no-install-recommends ${packages.join(' ')} ` +
    '(their services need not run: the bench starts servers of its own)'
  )
}

/** The bin folders below a root, newest version first. */
function versionFolders(root: string): string[] {
  let names: string[]
  try {
    names = readdirSync(root)
  } catch {
    return []
  }
  const versions = names.filter((name) => /^\d+(?:\.\d+)?$/.test(name))
  return versions.sort((a, b) => Number(b) - Number(a)).map((version) => join(root, version, 'bin'))
}

function find(name: string, folders: readonly string[]): string | null {
  for (const folder of folders) {
    const path = join(folder, name)
    try {
      accessSync(path, constants.X_OK)
      return path
    } catch {
      // Not here.
    }
  }
  return null
}
