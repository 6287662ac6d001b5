import { Agent, request } from 'node:http'

const api = process.env.API_URL ?? 'http://api:8000'
const timeoutMs = 10_000

// Idle connections are given up before anything on the way closes them, so none is used while it is closed.
const agent = new Agent({ keepAlive: true, scheduling: 'lifo', timeout: 4000 })

/** Products, the cart and the stamp of the api that answered. */
export const shopFor = async (cart) => (await ask('GET', `/shop?cart=${cart ?? ''}`)).body

export async function addToCart(cart, product) {
  const { status, body } = await ask('POST', `/cart/${cart}?product=${encodeURIComponent(product)}`)
  return { found: status === 200, stamp: body.stamp }
}

function ask(method, path) {
  return new Promise((resolve, reject) => {
    const sent = request(
      api + path,
      { method, agent, signal: AbortSignal.timeout(timeoutMs) },
      (response) => {
        const chunks = []
        response.on('data', (chunk) => chunks.push(chunk))
        response.on('error', reject)
        response.on('end', () => {
          const text = Buffer.concat(chunks).toString()
          if (response.statusCode >= 500)
            reject(new Error(`api answered ${response.statusCode}: ${text.trim()}`))
          else resolve({ status: response.statusCode, body: JSON.parse(text) })
        })
      },
    )
    sent.on('error', reject)
    sent.end()
  })
}
