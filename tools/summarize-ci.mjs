// Command: node tools/summarize-ci.mjs --results FILE [--step NAME=STATUS ...]
//
// Ends a CI run with one plain line, `N passed, N failed`, counted from the results the test runner wrote and not from
// its exit status alone. Each of these counts as a failure of its own: a test file that broke before its first test,
// a step that ended badly, a test run that ended badly without a failed test, a skipped test, and a run without tests.
// Exit 0 only when something passed and nothing failed.

import { readFileSync } from 'node:fs'
import { parseArgs } from 'node:util'

/** @typedef {{ status: string }} Assertion */
/** @typedef {{ name: string, status: string, assertionResults: Assertion[] }} FileResult */

const TEST_STEP = 'test'

const { values: options } = parseArgs({
  options: { results: { type: 'string' }, step: { type: 'string', multiple: true } },
})
const files = readResults(options.results)
const steps = (options.step ?? []).map(parseStep)

const statuses = files.flatMap((file) => file.assertionResults.map((each) => each.status))
const passed = statuses.filter((status) => status === 'passed').length
const failedTests = statuses.filter((status) => status === 'failed').length
const brokenFiles = files.filter((file) => file.status === 'failed' && !hasFailedTest(file)).map((file) => file.name)

const complaints = brokenFiles.map((name) => `${name} broke before or beside its tests`)
const notRun = statuses.length - passed - failedTests
for (let index = 0; index < notRun; index += 1) complaints.push('a test did not run')
for (const { name, status } of steps) {
  const alreadyCounted = name === TEST_STEP && failedTests + brokenFiles.length > 0
  if (status !== 0 && !alreadyCounted) complaints.push(`step ${name} ended with status ${status}`)
}
if (statuses.length === 0) complaints.push('no test ran')

for (const complaint of complaints) console.log(complaint)
const failed = failedTests + complaints.length
console.log(`${passed} passed, ${failed} failed`)
process.exitCode = failed === 0 && passed > 0 ? 0 : 1

/**
 * @param {string | undefined} path
 * @returns {FileResult[]} empty when the runner wrote nothing, which is then counted as a failure
 */
function readResults(path) {
  if (path === undefined) throw new Error('--results FILE is needed')
  try {
    return JSON.parse(readFileSync(path, 'utf8')).testResults
  } catch (error) {
    console.log(`the results could not be read: ${error instanceof Error ? error.message : String(error)}`)
    return []
  }
}

/** @param {FileResult} file */
function hasFailedTest(file) {
  return file.assertionResults.some((each) => each.status === 'failed')
}

/** @param {string} text */
function parseStep(text) {
  const match = /^(.+)=(\d+)$/.exec(text)
  if (match?.[1] === undefined) throw new Error(`--step wants NAME=STATUS, got ${text}`)
  return { name: match[1], status: Number(match[2]) }
}
