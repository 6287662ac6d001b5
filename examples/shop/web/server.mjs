import { randomUUID } from 'node:crypto'
import { createServer } from 'node:http'
import { addToCart, shopFor } from './api-client.mjs'
import { errorPage, shopPage } from './page.mjs'

const stamp = process.env.RELEASE ?? 'none'
const port = Number(process.env.PORT ?? 8080)
const largestFormBytes = 4096

const server = createServer((request, response) => {
  response.setHeader('x-stamp-web', stamp)
  answer(request, response).catch((error) => {
    console.error(`${request.method} ${request.url}: ${error.message}`)
    if (response.headersSent) response.destroy()
    else send(response, 502, 'text/html', errorPage(stamp))
  })
})

async function answer(request, response) {
  const { pathname } = new URL(request.url, 'http://shop')
  const cart = /(?:^|;\s*)cart=([0-9a-f]{32})(?:;|$)/.exec(request.headers.cookie ?? '')?.[1]
  const route = `${request.method} ${pathname}`
  if (route === 'GET /up') send(response, 200, 'text/plain', 'up\n')
  else if (route === 'GET /') await showShop(response, cart)
  else if (route === 'GET /stamps') await showStamps(response, cart)
  else if (route === 'POST /cart') await changeCart(request, response, cart ?? newCart())
  else send(response, 404, 'text/plain', 'There is no such page.\n')
}

async function showShop(response, cart) {
  const shop = await shopFor(cart)
  response.setHeader('x-stamp-api', shop.stamp)
  send(response, 200, 'text/html', shopPage(shop, stamp))
}

async function showStamps(response, cart) {
  const shop = await shopFor(cart)
  response.setHeader('x-stamp-api', shop.stamp)
  send(response, 200, 'application/json', `${JSON.stringify({ web: stamp, api: shop.stamp })}\n`)
}

async function changeCart(request, response, cart) {
  const product = new URLSearchParams(await formOf(request)).get('product') ?? ''
  const changed = await addToCart(cart, product)
  response.setHeader('x-stamp-api', changed.stamp)
  response.setHeader('set-cookie', `cart=${cart}; Path=/; HttpOnly; SameSite=Lax`)
  response.setHeader('location', '/')
  send(response, changed.found ? 303 : 404, 'text/plain', changed.found ? 'added\n' : 'no such product\n')
}

async function formOf(request) {
  let form = ''
  for await (const chunk of request.setEncoding('utf8')) {
    form += chunk
    if (form.length > largestFormBytes) throw new Error('the form is too large')
  }
  return form
}

const newCart = () => randomUUID().replaceAll('-', '')

function send(response, status, type, body) {
  if (stopping) response.setHeader('connection', 'close')
  response.writeHead(status, {
    'content-type': `${type}; charset=utf-8`,
    'content-length': Buffer.byteLength(body),
  })
  response.end(body)
}

// Asked to stop: each connection ends with its next answer, so that no request meets a connection that closes;
// whoever has asked nothing in that time is not in the middle of anything.
const lingerMs = 250
let stopping = false
process.on('SIGTERM', () => {
  stopping = true
  console.log(`web ${stamp} stops`)
  setTimeout(() => {
    server.close(() => process.exit(0))
    server.closeIdleConnections()
  }, lingerMs)
})

server.keepAliveTimeout = 60_000
server.listen(port, () => console.log(`web ${stamp} listens on ${port}`))
