// A tool of the command line as a child process, and what a data directory needs to be looked at by one.

import { spawn } from 'node:child_process'
import { PRODUCT_ENTRY } from '../support/project.ts'

export interface ToolEnding {
  readonly status: number | null
  readonly stdout: string
  readonly stderr: string
}

/** Runs beside whatever this process does, such as feeding a server. */
export function runTool(...args: readonly string[]): Promise<ToolEnding> {
  const child = spawn(process.execPath, [PRODUCT_ENTRY, ...args], {
    env: { PATH: process.env['PATH'] ?? '' },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  let stdout = ''
  let stderr = ''
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    stdout += text
  })
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    stderr += text
  })
  return new Promise((resolve, reject) => {
    child.once('error', reject)
    child.once('close', (status) => resolve({ status, stdout, stderr }))
  })
}

/** The one JSON value of a tool that ended as expected. */
export async function toolJson(status: number, ...args: readonly string[]): Promise<Record<string, unknown>> {
  const ending = await runTool(...args, '--json')
  if (ending.status !== status)
    throw new Error(`${args.join(' ')} ended with ${ending.status}: ${ending.stdout}${ending.stderr}`)
  return JSON.parse(ending.stdout) as Record<string, unknown>
}
