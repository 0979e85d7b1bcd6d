/**
 * `tearoff demo` and `tearoff demo sale`: their flags.
 */
import { type Command, InvalidArgumentError } from 'commander'
import { runDemo } from './run-demo.ts'
import { runSale, type SaleOptions } from './sale/run-sale.ts'

const BUYERS_MAX = 1_000_000

interface DemoFlags {
  readonly buyers: number
  readonly uses: number
  readonly keep: boolean
}

export function addDemoCommand(program: Command): void {
  const demo = program
    .command('demo')
    .description('let buyers race for one coupon on a server of their own, then prove the outcome from its log')
    .option('--buyers <count>', 'how many race', wholeNumber, 50_000)
    .option('--uses <count>', 'how many can get the coupon', wholeNumber, 1_000)
    .option('--keep', 'keep the data directory instead of removing it', false)
    .action(async (flags: DemoFlags) => {
      await runDemo(flags)
    })
  demo
    .command('sale')
    .description(
      'a flash sale on a campaign of a million codes: claims, purchases, coupons that run out, and the proof',
    )
    .option('--codes <count>', 'codes of the campaign', wholeNumber, 1_000_000)
    .option('--shoppers <count>', 'how many come', wholeNumber, 200_000)
    .option('--keep', 'keep the data directory instead of removing it', false)
    .action(async (flags: SaleOptions) => {
      await runSale(flags)
    })
}

function wholeNumber(text: string): number {
  const value = Number(text)
  if (!/^\d+$/.test(text) || value < 1 || value > BUYERS_MAX) {
    throw new InvalidArgumentError(`It is a whole number from 1 to ${BUYERS_MAX.toLocaleString('en-US')}.`)
  }
  return value
}
