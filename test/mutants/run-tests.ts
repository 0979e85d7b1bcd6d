/**
 * Runs test files in a copy of the tree, each run a process of its own, and tells what came of it.
 *
 * A fault counts as noticed by a test that failed, or by a process that broke under it. That nothing could be run (a file
 * that does not load, a run that never ends) proves nothing and is told apart.
 */
import { spawn } from 'node:child_process'
import { readFileSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { temporaryDirectory, removeDirectory } from '../support/temporary-directory.ts'

/** Above what the suite gives a test: a busy machine is no fault that was noticed. */
const TEST_MS_MAX = 120_000
/** For each file: several times what the slowest takes alone. */
const RUN_MS_MAX = 180_000

export type TestRun =
  | { readonly ending: 'passed'; readonly tests: number }
  /** `by`: the first test that failed, or how the process broke. */
  | { readonly ending: 'failed'; readonly by: string; readonly why: string }
  | { readonly ending: 'broken'; readonly why: string }

interface Report {
  readonly numPassedTests: number
  readonly testResults: readonly {
    readonly status: string
    readonly message: string
    readonly assertionResults: readonly {
      readonly status: string
      readonly fullName: string
      readonly failureMessages: readonly string[]
    }[]
  }[]
}

/** `seed` is the one of every random test, so that what a random test notices, it notices again. */
export async function runTests(root: string, files: readonly string[], seed: number): Promise<TestRun> {
  const directory = temporaryDirectory('mutant-run')
  const reportPath = join(directory, 'report.json')
  const vitest = join(root, 'node_modules', 'vitest', 'vitest.mjs')
  const times = [`--testTimeout=${TEST_MS_MAX}`, `--hookTimeout=${TEST_MS_MAX}`]
  const options = ['--reporter=json', `--outputFile=${reportPath}`, '--bail=1', ...times]
  try {
    const msMax = RUN_MS_MAX * files.length
    const args = [vitest, 'run', ...files, ...options]
    const { text, status, isHung } = await ended(root, args, environment(seed, directory), msMax)
    if (isHung) return { ending: 'broken', why: `no end after ${msMax / 1_000} s` }
    return judged(reportPath, text, status, files.length)
  } finally {
    removeDirectory(directory)
  }
}

/** Of this process only what a test run needs: it may itself be a test run. What tests leave behind goes with `directory`. */
function environment(seed: number, directory: string): NodeJS.ProcessEnv {
  const { PATH, HOME } = process.env
  const random = String(seed)
  return { PATH, HOME, TMPDIR: directory, FC_SEED: random, TEST_SEED: random, TEAROFF_TEST_SEED: random }
}

function ended(
  cwd: string,
  args: readonly string[],
  env: NodeJS.ProcessEnv,
  msMax: number,
): Promise<{ text: string; status: number | null; isHung: boolean }> {
  // A process group of its own: what hangs is ended with everything that it started.
  const child = spawn(process.execPath, args, { cwd, env, detached: true, stdio: ['ignore', 'pipe', 'pipe'] })
  let text = ''
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8').on('data', (part: string) => {
      text += part
    })
  }
  let isHung = false
  const watch = setTimeout(() => {
    isHung = true
    if (child.pid !== undefined) process.kill(-child.pid, 'SIGKILL')
  }, msMax)
  return new Promise((resolve, reject) => {
    child.once('error', reject)
    child.once('close', (status) => {
      clearTimeout(watch)
      resolve({ text, status, isHung })
    })
  })
}

function judged(reportPath: string, text: string, exitCode: number | null, files: number): TestRun {
  let report: Report
  try {
    report = JSON.parse(readFileSync(reportPath, 'utf8')) as Report
  } catch {
    return { ending: 'broken', why: `no report: ${text.slice(-500)}` }
  }
  rmSync(reportPath)
  for (const { assertionResults } of report.testResults) {
    const failed = assertionResults.find(({ status }) => status === 'failed')
    if (failed !== undefined) return { ending: 'failed', by: failed.fullName, why: failed.failureMessages.join('\n') }
  }
  const suite = report.testResults.find(({ status }) => status === 'failed')
  if (suite !== undefined && suite.assertionResults.length > 0) {
    return { ending: 'failed', by: 'what all tests need', why: suite.message }
  }
  if (suite !== undefined) return { ending: 'broken', why: `a test file does not load: ${suite.message}` }
  // No test failed: something threw beside them, or a process died.
  if (exitCode !== 0) return { ending: 'failed', by: 'a process that broke', why: text }
  if (report.testResults.length !== files) return { ending: 'broken', why: 'not every test file was run' }
  if (report.numPassedTests === 0) return { ending: 'broken', why: 'no test was run' }
  return { ending: 'passed', tests: report.numPassedTests }
}
