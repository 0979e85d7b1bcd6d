/**
 * Hunts mutants: plants one fault after the other in copies of the tree and runs the tests that have to notice it.
 */
import { type Mutant, planted } from './mutant.ts'
import { runTests } from './run-tests.ts'
import { TreeCopy } from './tree-copy.ts'

export interface Hunted {
  readonly mutant: Mutant
  /** The test file that noticed it; null: it survived. */
  readonly caughtBy: string | null
  /** The test in it, or what happened in place of one. */
  readonly how: string
  readonly seconds: number
}

/** Whether the tests notice one fault. Throws where it cannot be planted. */
export async function huntOne(copy: TreeCopy, mutant: Mutant, seed: number): Promise<Hunted> {
  const startedMs = performance.now()
  const hunted = (caughtBy: string | null, how: string): Hunted => {
    return { mutant, caughtBy, how, seconds: (performance.now() - startedMs) / 1_000 }
  }
  const { restore } = copy.replace(mutant.file, planted(copy.read(mutant.file), mutant))
  const misses: string[] = []
  try {
    for (const file of mutant.tests) {
      const run = await runTests(copy.root, [file], seed)
      if (run.ending === 'failed') return hunted(file, run.by)
      misses.push(run.ending === 'passed' ? `${file}: ${run.tests} passed` : `${file}: ${run.why}`)
    }
    return hunted(null, misses.join('; '))
  } finally {
    restore()
  }
}

/** Throws unless every test that is named passes on a copy without a fault. */
export async function passUnmutated(copy: TreeCopy, mutants: readonly Mutant[], seed: number): Promise<number> {
  const files = [...new Set(mutants.flatMap(({ tests }) => tests))]
  const run = await runTests(copy.root, files, seed)
  if (run.ending === 'passed') return run.tests
  throw new Error(`without any fault: ${run.ending === 'failed' ? `${run.by}: ` : ''}${run.why}`)
}

/** All of them, `jobs` at a time, in a copy each. */
export async function huntAll(
  mutants: readonly Mutant[],
  { jobs, seed, report }: { readonly jobs: number; readonly seed: number; readonly report: (hunted: Hunted) => void },
): Promise<Hunted[]> {
  const left = mutants.values()
  const all: Hunted[] = []
  const work = async (): Promise<void> => {
    const copy = new TreeCopy()
    try {
      for (const mutant of left) {
        const hunted = await huntOne(copy, mutant, seed)
        all.push(hunted)
        report(hunted)
      }
    } finally {
      copy.remove()
    }
  }
  await Promise.all(Array.from({ length: jobs }, work))
  return all
}
