// What the figures were measured on. Printed before every run and stored with every result: a latency without the
// disk it was measured on says nothing.

import { readFileSync } from 'node:fs'
import { arch, availableParallelism, cpus, loadavg, platform, release, totalmem } from 'node:os'

export interface Machine {
  readonly cpu: string
  readonly cores: number
  readonly memoryMiB: number
  readonly kernel: string
  readonly node: string
  /** Load average of the minute before the run: how busy others kept the machine. */
  readonly loadAverage: number
  /** Device, file system and mount options behind the data directory. */
  readonly disk: string
  /** Settings of the product that the caller's environment changes; empty: all defaults. */
  readonly settings: Readonly<Record<string, string>>
}

export function describeMachine(dataDir: string, settings: Readonly<Record<string, string>>): Machine {
  return {
    cpu: cpus()[0]?.model.trim() ?? 'unknown',
    cores: availableParallelism(),
    memoryMiB: Math.round(totalmem() / 2 ** 20),
    kernel: `${platform()} ${release()} ${arch()}`,
    node: process.version,
    loadAverage: loadavg()[0] ?? 0,
    disk: describeDisk(dataDir),
    settings,
  }
}

export function machineLines(machine: Machine): string[] {
  const settings = Object.entries(machine.settings).map(([name, value]) => `${name}=${value}`)
  return [
    `cpu       ${machine.cpu}, ${machine.cores} cores (shared with the load generator)`,
    `memory    ${machine.memoryMiB} MiB`,
    `kernel    ${machine.kernel}`,
    `node      ${machine.node}`,
    `busy      load average ${machine.loadAverage.toFixed(2)} in the minute before`,
    `disk      ${machine.disk}`,
    `settings  ${settings.length > 0 ? settings.join(' ') : 'defaults'}`,
  ]
}

/** The mount whose path is the longest beginning of the folder's. */
function describeDisk(folder: string): string {
  let mounts: string
  try {
    mounts = readFileSync('/proc/self/mounts', 'utf8')
  } catch {
    return 'unknown (no list of mounts on this system)'
  }
  let best = { path: '', words: 'unknown' }
  for (const line of mounts.split('\n')) {
    const [device, path, type, options] = line.split(' ')
    if (device === undefined || path === undefined || type === undefined) continue
    const inside = path === '/' || folder === path || folder.startsWith(`${path}/`)
    if (inside && path.length >= best.path.length) best = { path, words: `${device} ${type} (${options ?? ''})` }
  }
  return best.words
}
