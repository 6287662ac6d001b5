import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { downloadText } from './download.ts'
import { createHttpGet } from './http-get.ts'

/** Statuses to answer with, one a request; the last one stays. */
const statuses: number[] = []
const server = createServer((_request, response) => {
  const status = (statuses.length > 1 ? statuses.shift() : statuses[0]) ?? 200
  response.writeHead(status).end(status === 200 ? 'content' : 'a page about the failure')
})
let url: string
beforeEach(async () => {
  statuses.length = 0
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', () => done()))
  url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/InRelease`
})
afterEach(async () => {
  server.closeAllConnections()
  await new Promise((done) => server.close(done))
})

const fetched = () =>
  downloadText(
    'the index',
    url,
    createHttpGet(() => null),
    new AbortController(),
  )

it('says with which status a mirror failed', async () => {
  statuses.push(500)
  await expect(fetched()).rejects.toMatchObject({
    code: 'network.unreachable',
    message: `the index could not be fetched from ${new URL(url).origin}: the server answered 500`,
  })
})

it('asks again where a mirror fails for a moment', async () => {
  statuses.push(503, 200)
  expect(await fetched()).toBe('content')
})
