// Child processes of the bench and the one conversation it has with them: one input, one result.
//
//   parent ── input ──▶ child ── {kind: 'result', value} | {kind: 'failed', message} ──▶ parent
//
// Generators run in processes of their own so that they share a thread with nothing. Every child is remembered until
// it has ended and is ended by its id when the bench goes away for any reason; a child of ours also leaves when its
// parent is gone. Nothing here may ever end a process by name.

import { type ChildProcess, spawn } from 'node:child_process'
import { CHILD_TIME_LIMIT_MS } from './sizes.ts'

type Answer<Result> = { kind: 'result'; value: Result } | { kind: 'failed'; message: string }

const live = new Set<ChildProcess>()
let guarded = false

/** Remembers a child until it has ended. */
export function track(child: ChildProcess): ChildProcess {
  if (!guarded) {
    guarded = true
    // Before everything else that happens at exit: folders of children can only be removed once these are gone.
    process.prependListener('exit', endAllNow)
  }
  live.add(child)
  child.once('exit', () => live.delete(child))
  child.once('error', () => live.delete(child))
  return child
}

/** SIGKILL to every child that still runs. For the exit path, where nothing can be awaited. */
function endAllNow(): void {
  for (const child of live) child.kill('SIGKILL')
}

/** Resolves with the exit code (null: ended by a signal) once the child is gone; at once if it already is. */
export function ended(child: ChildProcess): Promise<number | null> {
  if (child.exitCode !== null || child.signalCode !== null) return Promise.resolve(child.exitCode)
  return new Promise((resolve) => child.once('exit', (code) => resolve(code)))
}

/** Sends the signal, waits up to `graceMs`, then sends SIGKILL. True when the child left by itself in time. */
export async function endChild(child: ChildProcess, signal: NodeJS.Signals, graceMs: number): Promise<boolean> {
  if (child.exitCode !== null || child.signalCode !== null) return true
  let inTime = true
  const timer = setTimeout(() => {
    inTime = false
    child.kill('SIGKILL')
  }, graceMs)
  child.kill(signal)
  await ended(child)
  clearTimeout(timer)
  return inTime
}

/** A child that has answered and goes on running until `end` is called. */
export interface RunningChild<Result> {
  readonly result: Result
  readonly end: () => Promise<void>
}

/** Starts a built entry, hands it the input and waits for its result. The child goes on running. */
export async function startChild<Input, Result>(
  entry: string,
  input: Input,
  limitMs: number = CHILD_TIME_LIMIT_MS,
  nodeFlags: readonly string[] = [],
): Promise<RunningChild<Result>> {
  const child = track(
    spawn(process.execPath, [...nodeFlags, entry], { stdio: ['ignore', 'inherit', 'inherit', 'ipc'] }),
  )
  const end = async (): Promise<void> => {
    await endChild(child, 'SIGTERM', 2_000)
  }
  try {
    const result = await new Promise<Result>((resolve, reject) => {
      const timer = setTimeout(() => reject(new Error(`${entry} gave no result within ${limitMs} ms`)), limitMs)
      child.once('error', reject)
      child.once('exit', (code, signal) => reject(new Error(`${entry} ended early (${signal ?? code})`)))
      child.once('message', (message) => {
        clearTimeout(timer)
        const answer = message as Answer<Result>
        if (answer.kind === 'result') resolve(answer.value)
        else reject(new Error(answer.message))
      })
      child.once('exit', () => clearTimeout(timer))
      child.send(input as object)
    })
    return { result, end }
  } catch (cause) {
    await end()
    throw cause
  }
}

/** Runs a built entry to its end and returns its one result. Only runs that are longer on purpose give a limit. */
export async function runChild<Input, Result>(
  entry: string,
  input: Input,
  limitMs?: number,
  nodeFlags?: readonly string[],
): Promise<Result> {
  const running = await startChild<Input, Result>(entry, input, limitMs, nodeFlags)
  await running.end()
  return running.result
}

/** The child's side: waits for the input, answers once. The process stays as long as it has something open. */
export function answerParent<Input, Result>(run: (input: Input) => Promise<Result>): void {
  process.once('disconnect', () => process.exit(0))
  process.once('message', (message) => {
    run(message as Input).then(
      (value) => process.send?.({ kind: 'result', value } satisfies Answer<Result>),
      (cause: unknown) =>
        process.send?.({ kind: 'failed', message: cause instanceof Error ? cause.message : String(cause) }),
    )
  })
}
