/**
 * Counts what is asked of the tables of a state: every read and write of a column, every look-up of a key, every step along a
 * heap. A measure of work that no busy machine disturbs.
 */
import type { ShardState } from '../../../engine/domain/state.ts'

const COUNTED: ReadonlySet<string> = new Set([
  'get',
  'set',
  'find',
  'findOrInsert',
  'remove',
  'insert',
  'firstUpTo',
  'nextUpTo',
  'countUpTo',
  'alloc',
  'free',
])

export class CountedSteps {
  count = 0

  constructor(state: ShardState) {
    this.watch(state.tables, new Set())
  }

  /** So many steps does `act` take. */
  of(act: () => void): number {
    const before = this.count
    act()
    return this.count - before
  }

  /** Puts a counter before every counted method of an object and of those it holds. */
  private watch(target: object, seen: Set<object>): void {
    if (seen.has(target) || ArrayBuffer.isView(target) || target instanceof Map) return
    seen.add(target)
    for (const value of Object.values(target)) if (typeof value === 'object' && value !== null) this.watch(value, seen)
    const prototype: unknown = Object.getPrototypeOf(target)
    if (typeof prototype !== 'object' || prototype === null || prototype === Object.prototype) return
    for (const name of Object.getOwnPropertyNames(prototype)) {
      const method: unknown = Reflect.get(prototype, name, target)
      if (!COUNTED.has(name) || typeof method !== 'function') continue
      Object.defineProperty(target, name, {
        value: (...args: unknown[]): unknown => {
          this.count++
          return Reflect.apply(method, target, args)
        },
      })
    }
  }
}
