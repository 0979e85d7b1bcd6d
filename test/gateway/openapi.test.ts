// The OpenAPI document itself: whole, free of dangling references, and in step with the table of routes. That answers agree
// with it is shown where they are provoked.

import { Ajv2020 } from 'ajv/dist/2020.js'
import addFormats from 'ajv-formats'
import { expect, test } from 'vitest'
import { CONTRACT, openApiText } from '../../gateway/openapi/openapi.ts'
import { OPERATIONS } from '../../gateway/operations/operation-table.ts'
import { GATEWAY_STATUS } from '../../gateway/problem.ts'
import { methodsOf, ROUTES } from '../../gateway/http/routes.ts'
import { REFUSALS } from '../../protocol/refusals.ts'
import type { OpenApi } from './support/contract.ts'

const document = JSON.parse(openApiText()) as OpenApi & {
  readonly components: { readonly schemas: Record<string, object> }
}

test('has one entry for each route, and those of the operator', () => {
  const entries = Object.entries(document.paths).flatMap(([path, methods]) =>
    Object.keys(methods).map((method) => `${method.toUpperCase()} ${path}`),
  )
  const operator = ['GET /livez', 'GET /readyz', 'GET /metrics', 'GET /v1/openapi.json']
  const routes = ROUTES.map(({ method, path }) => `${method} ${path}`)
  expect(entries.toSorted()).toEqual([...routes, ...operator].toSorted())
  expect(document.openapi).toBe('3.1.0')
})

test('names every operation once', () => {
  const ids = Object.values(document.paths).flatMap((methods) =>
    Object.values(methods).map(({ operationId }) => operationId),
  )
  expect(new Set(ids).size).toBe(ids.length)
  for (const [name, operation] of Object.entries(OPERATIONS)) expect(operation.name).toBe(name)
})

test('refers only to what is there', () => {
  const references = [...openApiText().matchAll(/"\$ref":"#\/([^"]+)"/g)].map((found) => found[1] as string)
  expect(references.length).toBeGreaterThan(50)
  for (const reference of references) {
    let node: unknown = document
    for (const part of reference.split('/')) node = (node as Record<string, unknown>)[part]
    expect(node, reference).toBeTypeOf('object')
  }
})

test('holds only schemas that a validator of JSON Schema 2020-12 accepts', () => {
  const ajv = new Ajv2020({ strict: true, allowUnionTypes: true })
  addFormats.default(ajv)
  const schemas = Object.entries(document.components.schemas)
  expect(schemas.length).toBeGreaterThan(15)
  for (const [name, schema] of schemas) expect(() => ajv.compile(schema), name).not.toThrow()
})

test('documents every path parameter', () => {
  for (const [path, methods] of Object.entries(document.paths)) {
    const names = [...path.matchAll(/\{(\w+)\}/g)].map((found) => found[1])
    for (const operation of Object.values(methods) as { parameters?: { name: string; in: string }[] }[]) {
      const documented = (operation.parameters ?? []).filter((parameter) => parameter.in === 'path')
      expect(documented.map(({ name }) => name)).toEqual(names)
    }
  }
})

test('a call documents a body exactly when it takes one', () => {
  for (const route of ROUTES) {
    expect(CONTRACT[route.operation.name as keyof typeof CONTRACT].request === null, route.path).toBe(
      route.body === 'none',
    )
  }
})

test('problems have every code there is', () => {
  const schema = document.components.schemas['ProblemBody'] as { properties: { code: { enum: string[] } } }
  expect(schema.properties.code.enum.toSorted()).toEqual(
    [...Object.keys(REFUSALS), ...Object.keys(GATEWAY_STATUS)].toSorted(),
  )
})

test.each([
  ['/v1/coupons', ['POST', 'GET']],
  ['/v1/coupons/X/history', ['GET']],
  ['/v1/coupons/X', ['GET', 'PATCH', 'DELETE']],
  ['/v1/coupons/locked/X', ['POST']],
  ['/v1/coupons/search', ['GET']],
  ['/v1/coupons/SEARCH', []],
  ['/v1/coupons/', []],
  ['/v1/', []],
  ['/metrics', ['GET']],
])('%s takes %j', (path, methods) => {
  expect(methodsOf(path)).toEqual(methods)
})
