// A build with a fault that only a history shows: each of its answers looks right by itself.

/** A change for `makeEarlyBuild`: a read of a coupon tells the uses that the read before it saw. */
export const STALE_READS = {
  file: 'engine/domain/show.js',
  from: 'uses: coupons.uses.get(ordinal),',
  to: [
    'uses: ((seen, uses) => {',
    '  const before = seen.get(ordinal) ?? uses',
    '  seen.set(ordinal, uses)',
    '  return before',
    '})((state.seenUses ??= new Map()), coupons.uses.get(ordinal)),',
  ].join('\n'),
} as const
