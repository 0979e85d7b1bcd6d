// import: a file of separately described coupons, from the first byte sent to the last row landed, and what it takes in memory
// beside the coupons themselves and the index that finds them.

import { once } from 'node:events'
import { createReadStream, createWriteStream } from 'node:fs'
import { stat } from 'node:fs/promises'
import { join } from 'node:path'
import { performance } from 'node:perf_hooks'
import { finished } from 'node:stream/promises'
import { atLeast, atMost, checkEqual, type WorkloadReport } from '../report/figure.ts'
import { jobEnded } from '../server/campaigns.ts'
import { type Footprint, FootprintSampler, metricsText, sumOfMetric } from '../server/footprint.ts'
import type { ImportSize } from '../sizes.ts'
import type { BenchContext } from './context.ts'
import { withProduct } from './with-product.ts'

const ROWS_PER_SECOND_TARGET = 30_000
const BESIDE_STATE_TARGET_BYTES = 300 * 1_048_576
const MIB = 1_048_576
const SAMPLE_EVERY_MS = 250

const THINGS = ['shoes', 'lamps', 'tents', 'bicycles', 'kettles', 'radios', 'jackets', 'carpets']
const WORDS = ['summer', 'winter', 'clearance', 'members', 'weekend', 'night', 'harvest', 'anniversary', 'welcome']

export async function runImport(context: BenchContext, size: ImportSize): Promise<WorkloadReport> {
  return await withProduct(context, async (product, scratch) => {
    const file = join(scratch, 'coupons.csv')
    await writeRows(file, size.rows)
    const { size: bytes } = await stat(file)
    const { baseUrl } = product
    const idle = await besideState(product.pid, baseUrl)
    const sampler = new FootprintSampler(product.pid, baseUrl, SAMPLE_EVERY_MS)
    const startMs = performance.now()
    const jobId = await upload(baseUrl, file)
    const sentMs = performance.now() - startMs
    const { processed, failed } = await jobEnded(baseUrl, jobId)
    const tookMs = performance.now() - startMs
    await sampler.stop()
    const beside = sampler.samples.map(besideOf)
    const indexBytes = Math.max(...sampler.samples.map(({ searchBytes }) => searchBytes))
    const coupons = sumOfMetric(await metricsText(baseUrl), 'tearoff_shard_coupons')
    context.say(
      `${(bytes / MIB).toFixed(0)} MiB sent in ${(sentMs / 1_000).toFixed(1)} s, all landed after ${(tookMs / 1_000).toFixed(1)} s`,
    )
    return {
      workload: 'import',
      figures: [
        {
          name: 'import: rows',
          value: (processed * 1_000) / tookMs,
          unit: '/s',
          target: atLeast(ROWS_PER_SECOND_TARGET),
        },
        {
          name: 'import: memory beside state and index of the search, highest',
          value: Math.max(...beside) / MIB,
          unit: 'MiB',
          target: atMost(BESIDE_STATE_TARGET_BYTES / MIB),
        },
        { name: 'import: the same, before', value: idle / MIB, unit: 'MiB', target: null },
        { name: 'import: index of the search', value: indexBytes / MIB, unit: 'MiB', target: null },
      ],
      checks: [
        checkEqual('import: rows processed', size.rows, processed),
        checkEqual('import: rows that did not land', 0, failed),
        checkEqual('import: coupons in the end', size.rows, coupons),
      ],
      detail: { bytes, sentMs, tookMs, samples: sampler.samples },
    }
  })
}

async function besideState(pid: number, baseUrl: string): Promise<number> {
  const sampler = new FootprintSampler(pid, baseUrl, SAMPLE_EVERY_MS)
  await sampler.stop()
  const [sample] = sampler.samples
  return sample === undefined ? Number.NaN : besideOf(sample)
}

/** What has to be remembered, and what can be found of it, is held; everything else is what an import takes while it runs. */
function besideOf({ anonymousBytes, stateBytes, searchBytes }: Footprint): number {
  return anonymousBytes - stateBytes - searchBytes
}

/** Every row has a description of its own. */
async function writeRows(file: string, rows: number): Promise<void> {
  const out = createWriteStream(file)
  out.write('code,type,value,currency,description,category,merchantId,maxUses,uses\n')
  for (let row = 0; row < rows; row++) {
    const thing = THINGS[row % THINGS.length] as string
    const word = WORDS[row % WORDS.length] as string
    const line = `MOVED-${row},PERCENT,${(row % 50) + 1},EUR,"${word} offer ${row} for ${thing}, size ${row % 61}",${thing},shop-${row % 997},${(row % 9) + 3},${row % 3}\n`
    if (!out.write(line)) await once(out, 'drain')
  }
  out.end()
  await finished(out)
}

async function upload(baseUrl: string, file: string): Promise<string> {
  const body = ReadableStream.from(createReadStream(file) as AsyncIterable<Uint8Array>)
  const answer = await fetch(`${baseUrl}/v1/imports/coupons`, {
    method: 'POST',
    headers: { 'content-type': 'text/csv' },
    body,
    duplex: 'half',
  })
  const json = (await answer.json()) as { jobId?: string }
  if (answer.status !== 202 || json.jobId === undefined)
    throw new Error(`the import was refused: ${JSON.stringify(json)}`)
  return json.jobId
}
