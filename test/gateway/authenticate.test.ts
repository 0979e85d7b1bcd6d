// What a role may do: what it is for, and operations everything.

import { expect, test } from 'vitest'
import { forbidden, ROLES, type Role } from '../../gateway/access/authenticate.ts'

const CALLS: readonly (readonly Role[])[] = [['checkout'], ['marketing'], ['operations'], ['checkout', 'marketing']]

test.each<[Role, readonly boolean[]]>([
  ['checkout', [true, false, false, true]],
  ['marketing', [false, true, false, true]],
  ['operations', [true, true, true, true]],
])('a key of role %s', (role, allowed) => {
  const caller = { role, name: 'till', keyId: 'key_1' }
  expect(CALLS.map((roles) => forbidden(caller, roles) === null)).toEqual(allowed)
  expect(forbidden(caller, ROLES)).toBeNull()
})

test('the refusal says which role is needed, and which this one is', () => {
  const refused = forbidden({ role: 'checkout', name: 'till', keyId: 'key_1' }, ['marketing'])
  expect(refused).toMatchObject({ code: 'FORBIDDEN', status: 403 })
  expect(refused?.detail).toBe('this call needs a key of role marketing; this key has role checkout')
})
