// A host of a thread and a thread that does as it is told: what becomes of questions and of what is said while it does not run.

import { afterEach, beforeEach, expect, it } from 'vitest'
import { ThreadHost } from '../../engine/thread-host.ts'

class Unavailable extends Error {}

const TELLS_KEPT = 4
/** Longer than any test. */
const ANSWER_MS = 60_000
const STOP_MS = 500

let host: ThreadHost<string, string, string, string>
let told: string[]
let dropped: number[]
let died: { readonly error: unknown; readonly restartMs: number }[]
let onTold: () => void
/** Pieces of work that it has begun, and ended. */
let worked: Int32Array

beforeEach(() => {
  worked = new Int32Array(new SharedArrayBuffer(8))
  told = []
  dropped = []
  died = []
  onTold = () => {}
  host = hostOf(ANSWER_MS)
})

afterEach(async () => {
  // A frozen one never says that it has stopped.
  await host.stop(performance.now() + STOP_MS)
})

function hostOf(answerMs: number): ThreadHost<string, string, string, string> {
  return new ThreadHost({
    name: 'echo',
    entry: '../test/engine/children/echo-thread',
    workerData: { worked: worked.buffer },
    limits: { heapMib: 32, questions: 2, answerMs, tellsKept: TELLS_KEPT },
    unavailable: (reason) => new Unavailable(reason),
    onTold: (message) => {
      told.push(message)
      onTold()
    },
    onDied: (error, restartMs) => died.push({ error, restartMs }),
    onDropped: (tells) => dropped.push(tells),
  })
}

/** Settles when it has told so many things. */
async function untilTold(count: number): Promise<void> {
  while (told.length < count) {
    await new Promise<void>((resolve) => {
      onTold = resolve
    })
  }
}

/** How a question ended badly. */
async function fault(question: string): Promise<unknown> {
  return await host.ask(question).then(
    (answer) => `answered ${answer}`,
    (error: unknown) => error,
  )
}

it('answers questions, refuses with the error it was given, and tells defects apart', async () => {
  expect(await fault('early')).toEqual(new Unavailable('the echo does not run'))
  host.start()
  expect(await host.ask('hello')).toBe('hello!')
  const refused = await fault('refuse')
  expect(refused).toBeInstanceOf(Unavailable)
  expect(refused).toEqual(new Unavailable('not yet'))
  const failed = await fault('fail')
  expect(failed).not.toBeInstanceOf(Unavailable)
  expect(failed).toEqual(new Error('the echo failed at a question: a defect'))
})

it('refuses what is too much, and what takes too long', async () => {
  host = hostOf(20)
  host.start()
  const silent = [fault('be silent'), fault('be silent')]
  expect(await fault('hello')).toEqual(new Unavailable('too many questions are waiting'))
  expect(await Promise.all(silent)).toEqual(Array(2).fill(new Unavailable('the answer took too long')))
})

it('that dies refuses what it was asked, is started again, and hears the newer of what it was told meanwhile', async () => {
  host.start()
  host.tell('before')
  await untilTold(1)
  expect(await fault('die')).toEqual(new Unavailable('the echo has ended'))
  expect(died).toEqual([{ error: new Error('it ended with exit code 3'), restartMs: 500 }])
  expect(await fault('hello')).toEqual(new Unavailable('the echo does not run'))
  for (const word of ['a', 'b', 'c', 'd', 'e', 'f']) host.tell(word)
  // The fifth was one too many: the older half of four went.
  expect(dropped).toEqual([TELLS_KEPT / 2])
  await untilTold(5)
  expect(told).toEqual(['before', 'c', 'd', 'e', 'f'])
  expect(await host.ask('again')).toBe('again!')
})

it('is not started again once it was stopped', async () => {
  host.start()
  expect(await host.ask('hello')).toBe('hello!')
  await host.stop()
  expect(await fault('hello')).toEqual(new Unavailable('the echo does not run'))
  host.start()
  expect(await fault('hello')).toEqual(new Unavailable('the echo does not run'))
  expect(died).toEqual([])
})

it('frozen, ends the work in hand and begins no other', async () => {
  host.start()
  const asked = [fault('work')]
  await untilTold(1)
  host.freeze(performance.now() + ANSWER_MS)
  expect([...worked]).toEqual([1, 1])
  asked.push(fault('work'))
  await host.stop(performance.now() + STOP_MS)
  expect(await Promise.all(asked)).toEqual(Array(2).fill(new Unavailable('the echo has ended')))
  expect([...worked]).toEqual([1, 1])
})

it('that works longer is not waited for any more', async () => {
  host.start()
  const working = fault('work')
  await untilTold(1)
  host.freeze(performance.now())
  expect([...worked]).toEqual([1, 0])
  await host.stop()
  expect(await working).toEqual(new Unavailable('the echo has ended'))
})
