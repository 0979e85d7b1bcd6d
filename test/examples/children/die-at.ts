// Loaded into a shop before anything else, with `--import`: kills it, as SIGKILL does, at the moment that DIE_AT
// numbers. The shop knows nothing of it. Moments are counted from SIGUSR2 on, or from the start with DIE_ARMED, in the
// order in which they come, and there are three kinds:
//
//     cut <n>        half of a line of the journal is written
//     wrote          a line is written and flushed, and nothing has followed from it yet
//     after <call>   it has been answered, and the shop has not looked at the answer
//
// The moment before a call is no fourth kind: it is the one after the line that made the call due.
//
// The log says when counting begins, and the moment before the end, so that a failure names it.

import fs from 'node:fs'
import { syncBuiltinESMExports } from 'node:module'

const dieAt = Number(process.env['DIE_AT'])
const STDOUT = 1
const CONSOLE_MAX = 2
let isArmed = process.env['DIE_ARMED'] !== undefined
let moments = 0

const { writeSync, fdatasyncSync } = fs
const call = globalThis.fetch

process.on('SIGUSR2', () => {
  isArmed = true
  say({ msg: 'armed' })
})

function say(entry: Readonly<Record<string, string>>): void {
  writeSync(STDOUT, `${JSON.stringify(entry)}\n`)
}

function isDue(moment: string): boolean {
  if (!isArmed) return false
  moments++
  if (moments !== dieAt) return false
  say({ msg: 'dies', at: moment })
  return true
}

function die(): never {
  process.kill(process.pid, 'SIGKILL')
  throw new Error('nobody outlives SIGKILL')
}

fs.writeSync = ((file: number, bytes: Buffer, offset = 0): number => {
  if (file > CONSOLE_MAX && isDue(`cut ${bytes.length >> 1}`)) {
    writeSync(file, bytes, offset, bytes.length >> 1)
    die()
  }
  return writeSync(file, bytes, offset)
}) as typeof fs.writeSync

fs.fdatasyncSync = (file: number): void => {
  fdatasyncSync(file)
  if (isDue('wrote')) die()
}

globalThis.fetch = async (input, init) => {
  const response = await call(input, init)
  const { pathname } = new URL(input instanceof Request ? input.url : input)
  if (isDue(`after ${init?.method ?? 'GET'} ${pathname}`)) die()
  return response
}

syncBuiltinESMExports()
