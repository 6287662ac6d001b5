import { Agent, request } from 'node:http'
import { setTimeout as sleep } from 'node:timers/promises'

export interface Answer {
  /** 0 when there was none. */
  readonly status: number
  readonly text: string
}

export interface Ask {
  readonly method?: string
  readonly headers?: Readonly<Record<string, string>>
  readonly agent?: Agent | false
}

/** One request; a connection that fails is an answer with status 0. */
export function ask(url: string, options: Ask = {}): Promise<Answer> {
  return new Promise((resolve) => {
    const asked = request(url, { agent: false, ...options }, (response) => {
      let text = ''
      response.setEncoding('utf8')
      response.on('data', (chunk: string) => {
        text += chunk
      })
      response.on('end', () => resolve({ status: response.statusCode ?? 0, text }))
      response.on('error', (error) => resolve({ status: 0, text: error.message }))
    })
    asked.on('error', (error) => resolve({ status: 0, text: error.message }))
    asked.end()
  })
}

export interface Load {
  /** Ends it and tells what happened. */
  stop(): Promise<LoadResult>
  /** Calls of a check after this are told that this is the newest release that may be expected. */
  expect(release: number): void
}

export interface LoadClients {
  /** That keep their connection. */
  readonly keepAlive: number
  /** That make a new connection for each request. */
  readonly fresh: number
}

export interface LoadResult {
  readonly requests: number
  readonly problems: readonly string[]
}

/**
 * Asks URLs all the time, one after the other, from some clients that keep their connection and some that make a new one each time. An
 * answer is a release number, or several; a problem is any other answer, a mix, or one older than was expected when
 * the request was made.
 */
export function startLoad(urls: readonly string[], clients: LoadClients): Load {
  let expected = 0
  let stopping = false
  let requests = 0
  const problems: string[] = []

  const client = async (agent: Agent | false) => {
    while (!stopping) {
      const atLeast = expected
      const { status, text } = await ask(urls[requests % urls.length] ?? '', { agent })
      requests++
      // Leaves processor time to what is tested.
      await sleep(1)
      const releases = new Set(text.split(' ').map(Number))
      if (status !== 200) problems.push(`${status} ${text}`)
      else if (releases.size > 1) problems.push(`mixed: ${text}`)
      else if ([...releases].some((release) => !(release >= atLeast)))
        problems.push(`${text} instead of ${atLeast}`)
    }
    if (agent !== false) agent.destroy()
  }
  const all = [
    ...Array.from({ length: clients.keepAlive }, () => client(new Agent({ keepAlive: true, maxSockets: 1 }))),
    ...Array.from({ length: clients.fresh }, () => client(false)),
  ]
  return {
    expect: (release) => {
      expected = release
    },
    stop: async () => {
      stopping = true
      await Promise.all(all)
      return { requests, problems }
    },
  }
}
