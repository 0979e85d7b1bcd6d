// Loaded into a server before its own code: the machine seems to have been started under the id in OTHER_BOOT_ID. So what that
// server leaves behind is, to the next one, from before a restart of the machine, as after a power cut.

import fs from 'node:fs'
import { syncBuiltinESMExports } from 'node:module'

const BOOT_ID_PATH = '/proc/sys/kernel/random/boot_id'

const bootId = process.env['OTHER_BOOT_ID']
if (bootId === undefined) throw new Error('OTHER_BOOT_ID says which')
const read = fs.readFileSync
const readOther = (path: unknown, ...rest: unknown[]): unknown =>
  path === BOOT_ID_PATH ? `${bootId}\n` : (read as (...all: unknown[]) => unknown)(path, ...rest)
fs.readFileSync = readOther as typeof fs.readFileSync
syncBuiltinESMExports()
