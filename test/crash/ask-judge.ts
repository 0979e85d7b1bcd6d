// Hands facts to a judge in a process of its own, and brings its verdict back.

import { spawn } from 'node:child_process'
import { rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { PROJECT_ROOT } from '../support/project.ts'
import type { Facts } from './judge.ts'
import { Violation } from './ledger.ts'

const JUDGE = join(PROJECT_ROOT, 'dist', 'test', 'crash', 'judge-main.js')

/** Throws a Violation; the facts stay beside the directory then. */
export async function askJudge(dataDir: string, facts: Facts): Promise<void> {
  const path = `${dataDir}.facts.json`
  writeFileSync(path, JSON.stringify(facts))
  const child = spawn(process.execPath, [JUDGE, dataDir, path], { stdio: ['ignore', 'ignore', 'pipe'] })
  let words = ''
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    words += text
  })
  const code = await new Promise<number | null>((resolve, reject) => {
    child.once('error', reject)
    child.once('close', resolve)
  })
  if (code !== 0) throw new Violation(`${words}\nthe facts are kept in ${path}`)
  rmSync(path)
}
