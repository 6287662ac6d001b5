import { get } from 'node:http'
import { setTimeout as sleep } from 'node:timers/promises'

const pollMs = 2
const patienceMs = 60_000

/** Asks again and again until the first 200; every ask is a connection of its own. */
export async function firstAnswer(url: string): Promise<void> {
  const deadline = performance.now() + patienceMs
  while (!(await answers(url))) {
    if (performance.now() > deadline) throw new Error(`${url} does not answer after ${patienceMs / 1000} s`)
    await sleep(pollMs)
  }
}

const answers = (url: string): Promise<boolean> =>
  new Promise((resolve) => {
    const ask = get(url, { agent: false, timeout: 1000 }, (answer) => {
      answer.resume()
      resolve(answer.statusCode === 200)
    })
    ask.on('timeout', () => ask.destroy())
    ask.on('error', () => resolve(false))
  })
