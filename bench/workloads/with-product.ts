// Runs a workload against a product of its own on a fresh directory and stops it as an operator would. When the
// workload fails the process is killed instead, and the failure of the workload is the one that is told.

import { join } from 'node:path'
import { type Product, startProduct } from '../server/product.ts'
import { type BenchContext, withScratch } from './context.ts'

export async function withProduct<Result>(
  context: BenchContext,
  run: (product: Product, scratch: string) => Promise<Result>,
): Promise<Result> {
  return await withScratch(async (scratch) => {
    const product = await startProduct(context.productEntry, join(scratch, 'data'))
    let result: Result
    try {
      result = await run(product, scratch)
    } catch (cause) {
      await product.kill().catch((second: unknown) => {
        context.say(`and ${second instanceof Error ? second.message : String(second)}`)
      })
      throw cause
    }
    await product.stop()
    return result
  })
}
