// The process of the judge. Arguments: a data directory and a file of facts. Exit code 1 with the violation as its last words.

import { readFileSync } from 'node:fs'
import { type Facts, judge } from './judge.ts'
import { Violation } from './ledger.ts'

const [, , dataDir = '', path = ''] = process.argv
try {
  judge(dataDir, JSON.parse(readFileSync(path, 'utf8')) as Facts)
} catch (error) {
  if (!(error instanceof Violation)) throw error
  process.stderr.write(error.message)
  process.exit(1)
}
