// `npm run test:linear -- --histories 1000`: histories of a server that is killed in the middle, judged for linearizability;
// `--history FILE` judges one again that was kept. Exit code 1 where one is not.

import { readFileSync } from 'node:fs'
import { parseArgs } from 'node:util'
import { judgeHistory } from './checker.ts'
import { historyOfText } from './history-file.ts'
import { proveByHistories } from './proof.ts'
import { shortened } from './shorten.ts'
import { wordsOf } from './words.ts'

const HISTORIES_DEFAULT = 1_000
const OPERATIONS_DEFAULT = 250

const { values } = parseArgs({
  options: {
    histories: { type: 'string' },
    operations: { type: 'string' },
    seed: { type: 'string' },
    history: { type: 'string' },
  },
})

if (values.history === undefined) await prove()
else judgeAgain(values.history)

async function prove(): Promise<void> {
  const histories = Number(values.histories ?? HISTORIES_DEFAULT)
  const operations = Number(values.operations ?? OPERATIONS_DEFAULT)
  const seed = Number(values.seed ?? Date.now() % 1_000_000_007)
  if (![histories, operations, seed].every(Number.isInteger) || histories < 1 || operations < 1) {
    console.error('test:linear takes --histories, --operations and --seed, all whole numbers, or --history with a file')
    process.exit(2)
  }
  console.log(`seed ${seed}, ${histories} histories of at least ${operations} operations`)
  const startedMs = performance.now()
  try {
    const counts = await proveByHistories({ histories, operations, seed, report: (line) => console.log(line) })
    const seconds = Math.round((performance.now() - startedMs) / 1_000)
    console.log(`every history is linearizable: ${counts.histories} histories, ${counts.kills} kills, ${seconds} s`)
  } catch (error) {
    console.error((error as Error).message)
    process.exit(1)
  }
}

function judgeAgain(path: string): void {
  const history = historyOfText(readFileSync(path, 'utf8'))
  const judgement = judgeHistory(history)
  console.log(`${history.operations.length} operations, ${judgement.steps} steps`)
  if (judgement.isLinearizable) {
    console.log('the history is linearizable')
    return
  }
  console.log(`the history is not linearizable\n${wordsOf(shortened(history))}`)
  process.exit(1)
}
