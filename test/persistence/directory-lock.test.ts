import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { lockDirectory } from '../../persistence/directory-lock.ts'
import { compiledChild } from './children/build.ts'
import { errorOf, temporaryDirectory } from './support.ts'

interface Holder {
  readonly child: ChildProcess
  readonly said: string
}

/** Starts a process that wants the lock and waits for what it says. */
async function startHolder(dataDir: string): Promise<Holder> {
  const child = spawn(process.execPath, [compiledChild('lock-holder'), dataDir], { stdio: ['pipe', 'pipe', 'inherit'] })
  const [line] = (await once(child.stdout, 'data')) as [Buffer]
  return { child, said: line.toString().trim() }
}

test('a second process on the directory is told who has it', async () => {
  const dataDir = temporaryDirectory()
  const { child, said } = await startHolder(dataDir)
  expect(said).toBe('locked')
  const error = errorOf(() => lockDirectory(dataDir))
  expect(error.code).toBe('DIRECTORY_IN_USE')
  expect(error.message).toContain(`is in use by process ${child.pid}`)

  child.stdin?.write('go\n')
  await once(child, 'exit')
  lockDirectory(dataDir).release()
})

test('the lock of a killed process is taken over', async () => {
  const dataDir = temporaryDirectory()
  const { child } = await startHolder(dataDir)
  child.kill('SIGKILL')
  await once(child, 'exit')
  expect(existsSync(join(dataDir, 'process.lock'))).toBe(true)
  const lock = lockDirectory(dataDir)
  expect(readFileSync(join(dataDir, 'process.lock'), 'utf8')).toContain(`"pid":${process.pid}`)
  lock.release()
  expect(existsSync(join(dataDir, 'process.lock'))).toBe(false)
})

test('a process with the same id that started at another time or boot is not the holder', () => {
  for (const other of [{ startedAt: '1' }, { bootId: 'another' }]) {
    const dataDir = temporaryDirectory()
    lockDirectory(dataDir)
    const path = join(dataDir, 'process.lock')
    const held = readFileSync(path, 'utf8')
    writeFileSync(path, JSON.stringify({ ...(JSON.parse(held) as object), ...other }))
    lockDirectory(dataDir)
    expect(readFileSync(path, 'utf8')).toBe(held)
  }
})

test('the same process cannot take the directory twice', () => {
  const dataDir = temporaryDirectory()
  const lock = lockDirectory(dataDir)
  expect(errorOf(() => lockDirectory(dataDir)).message).toContain(`process ${process.pid}`)
  lock.release()
  lock.release()
  lockDirectory(dataDir).release()
})

test('a lock that was cut off is taken over', () => {
  const dataDir = temporaryDirectory()
  writeFileSync(join(dataDir, 'process.lock'), '{"pid": 1')
  lockDirectory(dataDir)
  expect(readFileSync(join(dataDir, 'process.lock'), 'utf8')).toContain(`"pid":${process.pid}`)
})

test('of many processes that find a stale lock at once, exactly one gets it', async () => {
  const dataDir = temporaryDirectory()
  const { child: dead } = await startHolder(dataDir)
  dead.kill('SIGKILL')
  await once(dead, 'exit')
  const holders = await Promise.all(Array.from({ length: 8 }, () => startHolder(dataDir)))
  expect(holders.filter(({ said }) => said === 'locked')).toHaveLength(1)
  for (const { child } of holders) child.kill('SIGKILL')
})
