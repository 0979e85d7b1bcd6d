/** `npm run sim`: many runs, one seed each. */
import { plan } from './plan.ts'
import { run } from './run.ts'
import { parseArgs } from 'node:util'
import { MODES } from './steps.ts'

const { values } = parseArgs({
  options: {
    seeds: { type: 'string', default: '100' },
    from: { type: 'string', default: '1' },
    operations: { type: 'string', default: '500' },
    mode: { type: 'string', default: 'local' },
  },
})
const mode = MODES.find((each) => each === values.mode) ?? 'local'
const from = Number(values.from)
const counts: Record<string, number> = {}
let commands = 0
let events = 0
let bad = 0
const begunMs = performance.now()
const begunCpu = process.cpuUsage()
for (let seed = from; seed < from + Number(values.seeds); seed++) {
  const result = run(plan(seed, { mode, operations: Number(values.operations) }))
  for (const [what, count] of Object.entries(result.counts)) counts[what] = (counts[what] ?? 0) + count
  commands += result.commands
  events += result.events
  if (result.faults.length === 0) continue
  bad++
  console.log(`seed ${seed}: ${result.faults.slice(0, 4).join('\n    ')}`)
  if (bad > 20) break
}
const seconds = (performance.now() - begunMs) / 1000
console.log(counts)
const { user, system } = process.cpuUsage(begunCpu)
console.log(`${Math.round((commands * 1e6) / (user + system))} commands a second of processor time`)
console.log(`${bad} bad, ${commands} commands, ${events} events, ${Math.round(commands / seconds)} commands/s`)
