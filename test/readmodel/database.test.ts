// A database that does not fit: of another deployment, another shape, another log, or no database any more. Each is noticed, and
// what is built instead is what the log says.

import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { Cursor, LogDiffers } from '../../readmodel/cursor.ts'
import { closeDatabase, DATABASE_FILE, dropDatabase, isDamage, openDatabase } from '../../readmodel/database.ts'
import { created, redeemed } from './support/events.ts'
import { modelDirectory, TestModel } from './support/model.ts'
import { BEGIN_MS, TestLog } from './support/test-log.ts'

const SHARD = 1

function smallLog(): TestLog {
  const log = new TestLog()
  log.append(SHARD, BEGIN_MS, created(0, 'FIRST', { maxUses: 9 }))
  log.append(SHARD, BEGIN_MS + 5, redeemed([0]))
  return log
}

/** A closed database with that log in it. */
function closedModel(log = smallLog()): string {
  const model = new TestModel()
  model.project(log.entries)
  closeDatabase(model.database, model.dataDir)
  return model.dataDir
}

const BELONGING = { deployment: 'a deployment', bootId: 'a boot' }

describe('opening', () => {
  test('what was closed is there again', () => {
    const { database, dropped } = openDatabase({ dataDir: closedModel(), ...BELONGING })
    expect(dropped).toBeNull()
    expect(database.query('SELECT shard, seq FROM cursor').all()).toEqual([[SHARD, 2]])
  })

  test('one of another deployment is dropped', () => {
    const dataDir = closedModel()
    const belonging = { ...BELONGING, deployment: 'another' }
    const { database, dropped } = openDatabase({ dataDir, ...belonging })
    expect(dropped).toMatch(/another deployment/)
    expect(database.query('SELECT * FROM cursor').all()).toEqual([])
    database.close()
    expect(openDatabase({ dataDir, ...belonging }).dropped).toBeNull()
  })

  test('one of another shape is dropped', () => {
    const dataDir = closedModel()
    const { database } = openDatabase({ dataDir, ...BELONGING })
    database.sql("UPDATE about SET value = '0' WHERE name = 'shape'").run()
    database.close()
    expect(openDatabase({ dataDir, ...BELONGING }).dropped).toMatch(/another version/)
  })

  test('a file that is no database is dropped', () => {
    const dataDir = closedModel()
    writeFileSync(join(dataDir, DATABASE_FILE), 'no database at all '.repeat(1_000))
    expect(openDatabase({ dataDir, ...BELONGING }).dropped).toMatch(/not a database/)
    expect(openDatabase({ dataDir, ...BELONGING }).dropped).toBeNull()
  })

  /** A database that nobody closed, changed byte by byte, as the next boot finds it. */
  function reopenedAfterPowerCut(change: (bytes: Buffer) => Buffer): string | null {
    const model = new TestModel()
    model.project(smallLog().entries)
    model.database.checkpoint()
    model.database.close()
    const path = join(model.dataDir, DATABASE_FILE)
    writeFileSync(path, change(readFileSync(path)))
    return openDatabase({ dataDir: model.dataDir, ...BELONGING, bootId: 'the next boot' }).dropped
  }

  test('one that was open when the machine went down is dropped, whatever is in it', () => {
    expect(reopenedAfterPowerCut((bytes) => bytes)).toMatch(/went down while it was open/)
    expect(reopenedAfterPowerCut((bytes) => bytes.fill(0xa5, 8_192))).toMatch(/went down while it was open/)
  })

  test('one that was open when the machine went down is dropped though it was closed before, and nothing of it was flushed', () => {
    const dataDir = closedModel()
    const path = join(dataDir, DATABASE_FILE)
    const closed = readFileSync(path)
    openDatabase({ dataDir, ...BELONGING }).database.close()
    // What the disk has of it is what was there before.
    dropDatabase(dataDir)
    writeFileSync(path, closed)
    expect(openDatabase({ dataDir, ...BELONGING, bootId: 'the next boot' }).dropped).toMatch(/while it was open/)
  })

  test('one that was closed is there again after a restart of the machine', () => {
    const dataDir = closedModel()
    expect(openDatabase({ dataDir, ...BELONGING, bootId: 'the next boot' }).dropped).toBeNull()
  })

  test('deleted it is gone with all its files', () => {
    const dataDir = closedModel()
    dropDatabase(dataDir)
    for (const ending of ['', '-wal', '-shm', '-journal']) {
      expect(existsSync(join(dataDir, DATABASE_FILE + ending))).toBe(false)
    }
  })

  test('damage that shows later is told from other errors', () => {
    const dataDir = modelDirectory()
    const { database } = openDatabase({ dataDir, ...BELONGING })
    database.checkpoint()
    const [page] = database.query("SELECT rootpage FROM sqlite_schema WHERE name = 'run'").first() ?? []
    database.close()
    const path = join(dataDir, DATABASE_FILE)
    const at = ((page as number) - 1) * 4_096
    writeFileSync(path, readFileSync(path).fill(0xa5, at, at + 4_096))
    const { database: reopened, dropped } = openDatabase({ dataDir, ...BELONGING })
    expect(dropped).toBeNull()
    const found = attempt(() => reopened.query('SELECT * FROM run').all())
    expect(isDamage(found)).toBe(true)
    expect(isDamage(new Error('anything else'))).toBe(false)
  })
})

function attempt(work: () => unknown): unknown {
  try {
    work()
    return null
  } catch (error) {
    return error
  }
}

describe('another log than the one that was projected', () => {
  function reopened(dataDir: string): TestModel {
    return new TestModel(dataDir)
  }

  test('begins behind the entry before the last, and takes what follows', () => {
    const log = smallLog()
    const model = reopened(closedModel(log))
    expect([...model.projection.cursor.beginsAfter()]).toEqual([[SHARD, 1]])
    log.append(SHARD, BEGIN_MS + 9, redeemed([0], { order: 'order-2' }))
    expect(model.project(log.entries.slice(1))).toBe(1)
    model.projection.cursor.confirmAll()
    expect(model.coupons(BEGIN_MS + 10)).toMatchObject([{ uses: 2 }])
  })

  test.each([
    ['other events', (log: TestLog) => log.append(SHARD, BEGIN_MS + 5, redeemed([0], { user: 'bob' }))],
    ['another time', (log: TestLog) => log.append(SHARD, BEGIN_MS + 6, redeemed([0]))],
    ['more events in one entry', (log: TestLog) => log.append(SHARD, BEGIN_MS + 5, redeemed([0]), redeemed([0]))],
  ])('is noticed by %s', (_, append) => {
    const dataDir = closedModel()
    const other = new TestLog()
    other.append(SHARD, BEGIN_MS, created(0, 'FIRST', { maxUses: 9 }))
    append(other)
    const model = reopened(dataDir)
    expect(() => model.project(other.entries.slice(1))).toThrow(LogDiffers)
  })

  test('is noticed where it is shorter', () => {
    const model = reopened(closedModel())
    expect(model.project([])).toBe(0)
    expect(() => model.projection.cursor.confirmAll()).toThrow(/ends before 2/)
  })

  test('is noticed where an entry is missing', () => {
    const log = smallLog()
    const model = new TestModel()
    log.append(SHARD, BEGIN_MS + 9, redeemed([0]))
    expect(() =>
      model.project([log.entries[0] as (typeof log.entries)[0], log.entries[2] as (typeof log.entries)[0]]),
    ).toThrow(LogDiffers)
    // Nothing of the batch is there.
    expect(new Cursor(model.database).seqOf(SHARD)).toBe(0)
    expect(model.codes(BEGIN_MS)).toEqual([])
  })
})
