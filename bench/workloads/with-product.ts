// Runs a workload against a product of its own on a fresh directory and stops it as an operator would. When the
// workload fails the process is killed instead, and the failure of the workload is the one that is told.

import { join } from 'node:path'
import { type Product, type ProductOptions, startProduct } from '../server/product.ts'
import { type BenchContext, withScratch } from './context.ts'

/** The data directory of the product, in the scratch folder of the run. */
export const PRODUCT_DATA = 'data'

export async function withProduct<Result>(
  context: BenchContext,
  run: (product: Product, scratch: string) => Promise<Result>,
  options: ProductOptions = {},
): Promise<Result> {
  return await withScratch(async (scratch) => {
    const product = await startProduct(context.productEntry, join(scratch, PRODUCT_DATA), options)
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
